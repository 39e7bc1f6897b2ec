"""Query a PostgreSQL database as safely as a SQLite file, and return the same kind of result.

A query is declared as a cursor, which PostgreSQL allows only for a single SELECT: no COPY, no DO, no second statement.
The transaction is read-only, the server ends it at the time limit, and a superuser, who could read files, is refused.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from typing import Any

from course_utils.errors import DataError, QueryError, QueryErrorKind
from course_utils.sql.execute import GRACE_S, USUAL, QueryLimits, QueryResult, fetch_result, to_query_error
from course_utils.sql.query_forms import clean_query
from course_utils.sql.schema import Column, Schema, TableSchema
from course_utils.sql.worker import WorkerDiedError, limit_time, run_in_worker

_CONNECT_S = 5
_TYPES = {"bool", "int2", "int4", "int8", "oid", "float4", "float8", "bytea"}  # SQLite has them too; others become text
_COLUMNS = """SELECT table_type = 'VIEW', table_name, column_name, data_type, (
    SELECT relname FROM pg_constraint JOIN pg_class target ON target.oid = confrelid
    WHERE conrelid = format('%I.%I', table_schema, table_name)::regclass AND ordinal_position = ANY (conkey) LIMIT 1)
    FROM information_schema.columns JOIN information_schema.tables USING (table_catalog, table_schema, table_name)
    WHERE table_schema = ANY (current_schemas(false)) ORDER BY table_type, table_name, ordinal_position"""
_KINDS: dict[str | None, QueryErrorKind] = {
    "57014": "timeout",
    "42P01": "no such table",
    "42703": "no such column",
    "42601": "syntax",
    "25006": "not allowed",  # writing in a read-only transaction
    "42501": "not allowed",  # a missing privilege
    "0A000": "not allowed",  # writing in WITH
    "42P11": "not allowed",  # SELECT INTO
}
"""By SQLSTATE: postgresql.org/docs/current/errcodes-appendix.html."""


def run_postgres_query(url: str, query: str, limits: QueryLimits = USUAL) -> QueryResult:
    """``run_query`` for the database at ``postgresql://role:password@host/name``; errors never contain the URL.

    Numbers, booleans and bytes become Python's types; dates, lists and other types become PostgreSQL's text form.

    Raises:
        QueryError: As ``run_query``; also if the server cannot be reached, or the role is a superuser.
    """
    if not (query := clean_query(query)):
        raise QueryError("the query is empty", "syntax")
    text = query.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace")  # a C string ends at a null
    try:
        (result,) = run_in_worker(_execute, url, text, limits)
    except WorkerDiedError as error:
        raise to_query_error(error, limits.timeout_s) from error
    return result


def _execute(url: str, query: bytes, limits: QueryLimits) -> Iterator[QueryResult]:
    import psycopg

    began = time.perf_counter()
    limit_time(_CONNECT_S + limits.timeout_s + GRACE_S)
    try:
        with closing(_connect(url, limits.timeout_s)) as connection:
            parsed = connection.pgconn.prepare(b"", query)  # distinguishes invalid SQL from valid non-SELECT statements
            if parsed.status == psycopg.pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(parsed)
            try:
                connection.execute(b"DECLARE answer CURSOR FOR " + query, prepare=True)
            except psycopg.errors.SyntaxError as error:
                raise QueryError("only one statement that reads is run", "not allowed") from error
            result = fetch_result(connection.execute(f"FETCH {limits.max_rows + 1} FROM answer"), limits, began)
    except psycopg.Error as error:
        reason, kind = error.diag.message_primary, _KINDS.get(error.sqlstate, "other")
        if kind == "syntax" and error.diag.statement_position is None:  # several statements: the error has no position
            kind = "not allowed"
        raise QueryError(reason or "the database server gives no answer; see COURSE_POSTGRES_URL", kind) from error
    yield result


def _connect(url: str, timeout_s: float) -> Any:
    """A read-only psycopg connection of an ordinary role that returns SQLite's types of values, or text."""
    import psycopg
    from psycopg.types.numeric import FloatLoader
    from psycopg.types.string import TextLoader

    options = f"-c statement_timeout={timeout_s * 1000:.0f} -c default_transaction_read_only=on"
    connection = psycopg.connect(url, connect_timeout=_CONNECT_S, options=options, client_encoding="utf8")
    if connection.info.parameter_status("is_superuser") != "off":
        raise QueryError("the role is a superuser; create a reader by deploy/postgres_reader.sql", "not allowed")
    for each in psycopg.adapters.types:
        for oid in (each.array_oid,) if each.name in _TYPES else (each.oid, each.array_oid):
            connection.adapters.register_loader(oid, TextLoader)
    # A subclass, because psycopg replaces FloatLoader by its C form, which raises OverflowError for 1e400.
    connection.adapters.register_loader("numeric", type("NumericLoader", (FloatLoader,), {}))
    return connection


def read_postgres_schema(url: str) -> Schema:
    """Read the tables and views on the role's search path; raises DataError if not all can be read."""
    try:
        found = run_postgres_query(url, _COLUMNS)
    except QueryError as error:
        raise DataError(f"the schema of the PostgreSQL database cannot be read: {error}") from error
    if found.truncated:
        raise DataError(f"the PostgreSQL role may read more than {USUAL.max_rows:,} columns; grant it fewer tables")
    tables: dict[bool, list[TableSchema]] = {False: [], True: []}
    for (is_view, name), rows in groupby(found.rows, key=lambda row: (bool(row[0]), str(row[1]))):
        columns = [Column(str(row[2]), str(row[3]), references=str(row[4] or "")) for row in rows]
        tables[is_view].append(TableSchema(name, tuple(columns)))
    return Schema("", tuple(tables[False]), tuple(tables[True]))
