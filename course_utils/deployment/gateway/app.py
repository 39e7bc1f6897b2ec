"""The routes of the gateway."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from course_utils import __version__
from course_utils.deployment.gateway.api_errors import ApiError, add_error_handlers
from course_utils.deployment.gateway.chat import ChatRequest, chat
from course_utils.deployment.gateway.feedback import Feedback, FeedbackStore, FeedbackStored
from course_utils.deployment.gateway.health import Readiness, check_readiness
from course_utils.deployment.gateway.metrics import GatewayMetrics
from course_utils.deployment.gateway.middleware import LimitBody, MeasureRequests
from course_utils.deployment.gateway.model_client import ModelClient
from course_utils.deployment.gateway.settings import Settings
from course_utils.deployment.gateway.sql_answers import SqlAnswer, SqlRequest, answer_question


def create_app(settings: Settings) -> FastAPI:
    """The gateway as an ASGI app with one connection pool to the model server."""
    metrics, client = GatewayMetrics(), ModelClient(settings.model_url, settings.model_timeout_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.close()

    app = FastAPI(title="Questions to SQL", version=__version__, lifespan=lifespan)
    add_error_handlers(app)
    app.add_middleware(LimitBody, max_bytes=settings.max_body_bytes)
    app.add_middleware(MeasureRequests, metrics=metrics)  # added last, so it stands outermost
    app.include_router(_work_routes(settings, client, metrics))
    app.include_router(_operation_routes(settings, client, metrics))
    return app


def _work_routes(settings: Settings, client: ModelClient, metrics: GatewayMetrics) -> APIRouter:
    """What applications call; guarded by the key if there is one."""
    store = FeedbackStore(settings.feedback_file)
    router = APIRouter(prefix="/v1", dependencies=[Depends(_require_key(settings))])

    @router.post("/chat/completions")
    async def chat_completions(request: ChatRequest) -> Response:
        return await chat(request, client, settings, metrics)

    @router.post("/sql")
    async def sql(request: SqlRequest) -> SqlAnswer:
        return await answer_question(request, client, settings, metrics)

    @router.post("/feedback", status_code=201)
    async def feedback(request: Feedback) -> FeedbackStored:
        return await store.add(request)

    return router


def _operation_routes(settings: Settings, client: ModelClient, metrics: GatewayMetrics) -> APIRouter:
    """What orchestrators and Prometheus call; open, so keep them inside your network."""
    router = APIRouter()

    @router.get("/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready")
    async def ready(response: Response) -> Readiness:
        readiness = await check_readiness(client, settings.databases)
        response.status_code = 200 if readiness.ready else 503
        return readiness

    @router.get("/metrics")
    async def show_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _require_key(settings: Settings) -> Callable[[str], Awaitable[None]]:
    expected = f"Bearer {settings.api_key!s}".encode()

    async def check(authorization: Annotated[str, Header()] = "") -> None:
        # compare_digest takes the same time wherever the first difference is
        if settings.api_key and not secrets.compare_digest(authorization.encode(), expected):
            raise ApiError(401, "send the key as 'Authorization: Bearer ...'", code="invalid_api_key")

    return check
