-- A role for COURSE_POSTGRES_URL, which may read the tables of the schema `public` and nothing else. Run this file as a
-- superuser who owns the database, with a long random password:
--
--   psql -v password="'$(openssl rand -hex 24)'" -f deploy/postgres_reader.sql DATABASE
--
-- The gateway uses read-only transactions; the role is a second protection, which does not depend on the gateway.
CREATE ROLE course_reader LOGIN PASSWORD :password CONNECTION LIMIT 32
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE course_reader SET default_transaction_read_only = on;
ALTER ROLE course_reader SET temp_file_limit = '256MB';

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO course_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO course_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO course_reader;

-- PostgreSQL lets every role see and end its own sessions. All users of the gateway share this role, and none of them
-- may see or end another's query.
REVOKE EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint), pg_cancel_backend(integer),
    pg_stat_get_activity(integer), pg_stat_get_backend_activity(integer) FROM PUBLIC;
REVOKE SELECT ON pg_stat_activity FROM PUBLIC;
-- Functions whose effects outlive a read-only transaction; by name, because versions differ in their arguments.
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOR each IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN ('lo_create',
        'lo_creat', 'lo_from_bytea', 'lo_put', 'lowrite', 'pg_advisory_lock', 'pg_logical_emit_message')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', each);
    END LOOP;
END $$;
