"""The routes of the gateway: who may call them, and whether the gateway is ready for them."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from course_utils import __version__
from course_utils.deployment.gateway.api_errors import ApiError, CheckBody, add_error_handlers
from course_utils.deployment.gateway.chat import ChatRequest, chat
from course_utils.deployment.gateway.feedback import Feedback, take_feedback
from course_utils.deployment.gateway.metrics import GatewayMetrics, MeasureRequests, free_share
from course_utils.deployment.gateway.model_client import ModelClient
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.deployment.gateway.sql_answers import (
    QueryThreads,
    SqlAnswer,
    SqlRequest,
    answer_question,
    find_served,
    served_databases,
)
from course_utils.errors import DataError, QueryError
from course_utils.sql import run_query


def create_app(settings: GatewaySettings) -> FastAPI:
    """The gateway as an ASGI app with one connection pool to the model server."""
    metrics, client = GatewayMetrics(), ModelClient(settings.model_url, settings.model_timeout_s)
    queries = QueryThreads(settings)
    written = settings.feedback_file.parent if settings.feedback_file else settings.databases
    metrics.disk_free.set_function(partial(free_share, written))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.close()
        queries.close()

    app = FastAPI(title="Questions to SQL", version=__version__, lifespan=lifespan)
    add_error_handlers(app)
    app.add_middleware(CheckBody, max_bytes=settings.max_body_bytes)
    app.add_middleware(MeasureRequests, metrics=metrics)  # added last, so it stands outermost
    app.include_router(_work_routes(settings, client, queries, metrics))
    app.include_router(_operation_routes(settings, client, metrics))
    return app


def _work_routes(
    settings: GatewaySettings, client: ModelClient, queries: QueryThreads, metrics: GatewayMetrics
) -> APIRouter:
    """What applications call; guarded by the key if there is one."""
    key = settings.api_key.get_secret_value()
    router = APIRouter(prefix="/v1", dependencies=[Depends(_require_key(key))] if key else [])
    served = {"id": settings.model_name, "object": "model", "created": int(time.time()), "owned_by": "course"}

    @router.get("/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [served]}

    @router.get("/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        if name != served["id"]:
            message = f"no model {name!r}; this server has {served['id']!r}"
            raise ApiError(404, message, code="model_not_found", param="model")
        return served

    @router.get("/databases")
    async def databases() -> dict[str, Any]:
        served = await asyncio.to_thread(served_databases, settings.databases)
        return {"object": "list", "data": [{"id": db_id, "object": "database"} for db_id in served]}

    @router.get("/databases/{name}")
    async def database(name: str) -> dict[str, str]:
        _, schema = await asyncio.to_thread(find_served, settings.databases, name)
        return {"id": name, "object": "database", "schema": schema}

    @router.post("/chat/completions")
    async def chat_completions(request: ChatRequest) -> Response:
        return await chat(request, client, settings, metrics)

    @router.post("/sql")
    async def sql(request: SqlRequest) -> SqlAnswer:
        return await answer_question(request, client, queries, settings, metrics)

    @router.post("/feedback", status_code=201)
    async def feedback(request: Feedback) -> dict[str, Any]:
        kept = await take_feedback(request, queries, settings)
        metrics.feedback.labels(request.rating).inc()
        return kept

    return router


def _require_key(key: str) -> Callable[[str], Awaitable[None]]:
    async def check(authorization: Annotated[str, Header()] = "") -> None:
        scheme, _, sent = authorization.partition(" ")
        # compare_digest takes the same time wherever the first difference is
        if scheme.lower() != "bearer" or not secrets.compare_digest(sent.strip().encode(), key.encode()):
            raise ApiError(401, "send the key as 'Authorization: Bearer ...'", code="invalid_api_key")

    return check


class Readiness(BaseModel):
    """Whether a question asked now would be answered: each part and what is wrong with it, empty if nothing is."""

    ready: bool
    model_server: str
    databases: str
    n_databases: int


def _operation_routes(settings: GatewaySettings, client: ModelClient, metrics: GatewayMetrics) -> APIRouter:
    """What orchestrators and Prometheus call; open, so keep them inside your network."""
    router = APIRouter()

    @router.get("/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready")
    async def ready(response: Response) -> Readiness:
        model_server, (n_databases, databases) = await asyncio.gather(
            client.is_ready(), asyncio.to_thread(_check_databases, settings.databases)
        )
        is_ready = not (model_server or databases)
        response.status_code = 200 if is_ready else 503
        return Readiness(ready=is_ready, model_server=model_server, databases=databases, n_databases=n_databases)

    @router.get("/metrics")
    async def show_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _check_databases(folder: Path) -> tuple[int, str]:
    """How many databases there are, and what is wrong with them."""
    try:
        served = served_databases(folder)
    except DataError as error:
        return 0, str(error)
    broken = []
    for db_id, path in served.items():
        try:
            run_query(path, "SELECT count(*) FROM sqlite_master")
        except QueryError:
            broken.append(db_id)
    if broken:
        return len(served), f"cannot read {', '.join(broken)}"
    return len(served), "" if served else "there is none"
