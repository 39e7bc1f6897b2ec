"""``/v1/sql``: a question in, a query and its rows out."""

import asyncio
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import sqlglot  # noqa: F401  (check_and_run needs it: load it at the start, not with the first question)
from pydantic import BaseModel, ConfigDict, StringConstraints

from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.metrics import GatewayMetrics
from course_utils.deployment.gateway.model_client import ModelClient
from course_utils.deployment.gateway.settings import Settings
from course_utils.deployment.query_checks import CheckedQuery, check_and_run, to_json_value
from course_utils.errors import DataError
from course_utils.prompts import read_query, to_messages
from course_utils.sql import read_schema

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class SqlRequest(BaseModel):
    """A question about one database."""

    model_config = ConfigDict(extra="forbid")
    question: Text
    database: Text


class Seconds(BaseModel):
    """Where the time went."""

    model: float
    database: float


class SqlAnswer(BaseModel):
    """The query that the model wrote, and what the database said to it.

    A query that does not run is an answer too: ``checks`` and ``error`` tell.
    """

    id: str
    model: str
    database: str
    question: str
    query: str
    columns: list[str]
    rows: list[list[Any]]
    truncated: bool
    checks: dict[str, bool]
    error: str | None
    seconds: Seconds
    usage: dict[str, int]


async def answer_question(
    request: SqlRequest, client: ModelClient, settings: Settings, metrics: GatewayMetrics
) -> SqlAnswer:
    """Ask the model for a query, check it and run it.

    Raises:
        ApiError: 404 for an unknown database, else as the model server answers or fails to.
    """
    database = find_served_database(settings.databases, request.database)
    schema = await asyncio.to_thread(_render_schema, database)
    began = time.perf_counter()
    reply = await client.complete(
        {
            "model": settings.model_name,
            "messages": to_messages(schema, request.question),
            "temperature": 0,
            "max_tokens": settings.max_tokens,
            "chat_template_kwargs": {"enable_thinking": False},  # as prompts.py asks in training
        }
    )
    model_seconds = time.perf_counter() - began
    run = partial(check_and_run, timeout_s=settings.query_timeout_s, max_rows=settings.max_rows)
    checked = await asyncio.to_thread(run, database, _query_of(reply))
    metrics.count_tokens(reply.get("usage"))
    metrics.queries.labels(checked.outcome).inc()
    metrics.sql_seconds.labels("model").observe(model_seconds)
    metrics.sql_seconds.labels("database").observe(checked.seconds)
    return _to_answer(request, reply, checked, model_seconds)


def find_served_database(folder: Path, db_id: str) -> Path:
    """The file of a database; ``db_id`` is compared with what is there, never joined to a path.

    Raises:
        ApiError: 404; names the databases there are.
    """
    served = list_served_databases(folder)
    if db_id not in served:
        message = f"no database {db_id!r}; choose one of {', '.join(served) or 'none: the folder is empty'}"
        raise ApiError(404, message, code="unknown_database", param="database")
    return served[db_id]


def list_served_databases(folder: Path) -> dict[str, Path]:
    """Every database of the folder by its ``db_id``."""
    return {path.stem: path for path in sorted(folder.glob("*/*.sqlite")) if path.stem == path.parent.name}


def _render_schema(database: Path) -> str:
    try:
        return read_schema(database).render()
    except DataError as error:
        raise ApiError(500, f"the database {database.stem!r} cannot be read", code="database_failed") from error


def _query_of(reply: dict[str, Any]) -> str:
    try:
        return read_query(reply["choices"][0]["message"]["content"] or "")
    except (KeyError, IndexError, TypeError) as error:
        raise ApiError(502, "the model server's answer has no message", code="model_server_failed") from error


def _to_answer(request: SqlRequest, reply: dict[str, Any], checked: CheckedQuery, model_seconds: float) -> SqlAnswer:
    result, usage = checked.result, reply.get("usage") or {}
    return SqlAnswer(
        id=f"sql-{uuid.uuid4().hex}",
        model=str(reply.get("model", "")),
        database=request.database,
        question=request.question,
        query=checked.query,
        columns=list(result.columns) if result else [],
        rows=[[to_json_value(value) for value in row] for row in result.rows] if result else [],
        truncated=result.truncated if result else False,
        checks=checked.checks,
        error=checked.error or None,
        seconds=Seconds(model=round(model_seconds, 4), database=round(checked.seconds, 4)),
        usage={name: usage[name] for name in ("prompt_tokens", "completion_tokens") if name in usage},
    )
