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
-- Functions whose effects outlive a read-only transaction.
REVOKE EXECUTE ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea),
    lowrite(integer, bytea), pg_advisory_lock(bigint), pg_advisory_lock(integer, integer) FROM PUBLIC;
