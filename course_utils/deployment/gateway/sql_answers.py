"""``/v1/sql``: answer a question by a query and its rows."""

import asyncio
import json
import time
import uuid
from functools import lru_cache, partial
from math import inf
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from anyio.to_thread import run_sync
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, StringConstraints

from course_utils.deployment.gateway.admission import BoundedQueue
from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.logs import mask_personal
from course_utils.deployment.gateway.metrics import NOTES, GatewayMetrics
from course_utils.deployment.gateway.model_client import ModelClient
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.deployment.gateway.tracing import TRACER
from course_utils.deployment.query_checks import CheckedQuery, check_and_run
from course_utils.errors import DataError
from course_utils.prompts import read_query, to_messages
from course_utils.sql import QueryResult, databases_in, folder_name, read_schema, ready_database, shape_of
from course_utils.sql.opening import state_of
from course_utils.sql.postgres import read_postgres_schema

_SCHEMA_S = 60
"""Seconds between two readings of a schema on a server, which does not say when it changes."""
MAX_QUERIES = 4
"""Queries that run at once; each may take a core, and the memory of a worker process."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"\S", max_length=2000)]


class SqlRequest(BaseModel, extra="forbid", use_attribute_docstrings=True):
    """A question about one database."""

    question: Text
    database: Text
    model: str | None = None
    """A name that ``/v1/models`` lists; None is the first of them."""


class SqlAnswer(BaseModel, use_attribute_docstrings=True):
    """The query that the model wrote, and the rows or the error of the database.

    A query that does not run is an answer, too: ``checks`` and ``error`` say why.
    """

    id: str
    model: str
    model_version: str
    database: str
    question: str
    query: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    """Bytes are written in hexadecimal; in JSON, an infinite number is null."""
    truncated: bool
    checks: dict[str, bool]
    error: str | None
    seconds: dict[str, float]
    """Seconds at the ``model`` and at the ``database``."""
    usage: dict[str, int]

    @property
    def result(self) -> QueryResult:
        """The columns and rows, to compare with another answer's."""
        return QueryResult(self.columns, self.rows, self.seconds["database"], self.truncated)


class QueryRunner:
    """Runs up to ``n_at_once`` queries at once, one fewer for one caller; those that wait hold no thread."""

    def __init__(self, settings: GatewaySettings, n_at_once: int = MAX_QUERIES, timeout_s: float = inf) -> None:
        timeout_s = min(timeout_s, settings.query_timeout_s)
        self._check = partial(check_and_run, timeout_s=timeout_s, max_rows=settings.max_rows)
        self._queue = BoundedQueue(n_at_once, settings.max_queue, settings.query_timeout_s)
        self._own = WeakValueDictionary[str, BoundedQueue]()
        self._make_own = partial(BoundedQueue, max(1, n_at_once - 1), settings.max_queue, settings.query_timeout_s)

    async def run(self, database: Path | str, query: str) -> CheckedQuery:
        """Run a query by ``check_and_run`` as soon as there is a place.

        Raises:
            ApiError: 503 if no place is free within the time that a query may take.
        """
        own = self._own.setdefault(NOTES.get()["caller"], self._make_own())
        async with own, self._queue:
            return await run_sync(self._check, database, query)


async def answer_question(
    request: SqlRequest, settings: GatewaySettings, queries: QueryRunner, client: ModelClient, metrics: GatewayMetrics
) -> SqlAnswer:
    """Ask the model for a query, check it and run it.

    Raises:
        ApiError: 404 for an unknown database, 503 if too many slow queries are running, else as
            ``ModelClient.complete``.
    """
    if settings.log_questions:
        NOTES.get()["question"] = mask_personal(request.question)
    database, schema = await asyncio.to_thread(find_served, settings, request.database)
    began = time.perf_counter()
    body = {
        "messages": to_messages(schema, request.question),
        "temperature": 0,
        "max_tokens": settings.max_tokens,
    }
    raw, usage = await client.complete(body)
    reply = json.loads(raw)
    model_seconds = time.perf_counter() - began
    about: Any = {"kind": SpanKind.CLIENT, "attributes": {"db.namespace": request.database}}
    with TRACER.start_as_current_span("query", **about, record_exception=False, set_status_on_exception=False) as span:
        checked = await queries.run(database, read_query(reply["choices"][0]["message"].get("content") or ""))
        NOTES.get()["outcome"] = checked.outcome
        span.set_attribute("course.query.outcome", checked.outcome)
        NOTES.get()["shape"] = shape_of(checked.query)  # no name and no value: never personal
    metrics.count_reply(usage)
    metrics.queries.labels(checked.outcome).inc()
    metrics.sql_seconds.labels("model").observe(model_seconds)
    metrics.sql_seconds.labels("database").observe(checked.seconds)
    return to_answer(request, reply, checked, model_seconds)


def served_databases(settings: GatewaySettings) -> dict[str, Path | str]:
    """Every database by its ``db_id``: the path of a file, or the URL at a PostgreSQL server.

    Raises:
        DataError: The folder cannot be read.
    """
    found = {db_id: ready_database(source) for db_id, source in databases_in(settings.databases).items()}
    url = str(settings.postgres_url.get_secret_value()) if settings.postgres_url else ""
    served: dict[str, Path | str | None] = {**found, folder_name(unquote(urlsplit(url).path.removeprefix("/"))): url}
    return {db_id: database for db_id, database in served.items() if database}


def check_databases(settings: GatewaySettings) -> tuple[int, str]:
    """Count the databases that can be read, and say what is wrong with the others; empty if nothing is."""
    try:
        served = served_databases(settings)
    except DataError as error:
        return 0, str(error)
    broken = []
    for db_id, database in served.items():
        probe = f"SELECT count(*) FROM {'sqlite_master' if isinstance(database, Path) else 'pg_tables'}"
        if check_and_run(database, probe, timeout_s=settings.query_timeout_s, max_rows=1).outcome != "executed":
            broken.append(db_id)
    wrong = f"cannot read {', '.join(broken)}" if broken else ""
    return len(served) - len(broken), wrong if served else "there is none"


def find_served(settings: GatewaySettings, db_id: str) -> tuple[Path | str, str]:
    """A database and its schema as the prompt shows it.

    Raises:
        ApiError: 404 if there is none, with the names of those there are; 500 if it cannot be read.
    """
    try:
        served = served_databases(settings)
        if (name := folder_name(db_id)) not in served:  # compared with what is there, never joined to a path
            remedy = f"choose one of {', '.join(served)}" if served else "COURSE_DATABASES holds none: add one"
            message = f"no database {db_id!r}; {remedy}"
            raise ApiError(404, message, code="unknown_database", param="database")
        database = served[name]
        state = state_of(database) if isinstance(database, Path) else (int(time.monotonic() / _SCHEMA_S),)
        return database, _render_schema(database, state)
    except (DataError, OSError) as error:
        raise ApiError(500, f"{db_id!r} cannot be read; choose another database", code="database_failed") from error


@lru_cache(maxsize=1024)
def _render_schema(database: Path | str, _state: tuple[object, ...]) -> str:
    """The schema as text, cached until ``_state`` changes, because every question needs it."""
    return (read_schema(database) if isinstance(database, Path) else read_postgres_schema(database)).render()


def to_answer(request: SqlRequest, reply: dict[str, Any], checked: CheckedQuery, model_seconds: float) -> SqlAnswer:
    """The answer for a query that was run; ``reply`` is the model server's, or empty where no model was asked."""
    result, usage = checked.result or QueryResult((), [], 0.0, False), reply.get("usage") or {}
    return SqlAnswer(
        id=f"sql-{uuid.uuid4().hex}",
        model=str(reply.get("model", "")),
        model_version=NOTES.get()["version"],
        database=request.database,
        question=request.question,
        query=checked.query,
        columns=result.columns,
        rows=[tuple(value.hex() if isinstance(value, bytes) else value for value in row) for row in result.rows],
        truncated=result.truncated,
        checks=checked.checks,
        error=checked.error or None,
        seconds={"model": round(model_seconds, 4), "database": round(checked.seconds, 4)},
        usage={name: usage[name] for name in ("prompt_tokens", "completion_tokens") if usage.get(name) is not None},
    )
