"""The routes of the gateway: what each does, who may call it, and whether the gateway is ready."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from course_utils import __version__
from course_utils.deployment.gateway import sql_answers
from course_utils.deployment.gateway.admin_routes import admin_routes
from course_utils.deployment.gateway.admission import CallerLimits
from course_utils.deployment.gateway.api_errors import (
    USUAL_ERRORS,
    AdmittedRoute,
    CheckedRoute,
    add_error_handlers,
    errors_of,
)
from course_utils.deployment.gateway.callers import Caller, Guard
from course_utils.deployment.gateway.chat import ChatRequest, chat
from course_utils.deployment.gateway.feedback import CORRECTION_S, Feedback, take_feedback
from course_utils.deployment.gateway.metrics import GatewayMetrics, MeasureRequests
from course_utils.deployment.gateway.model_client import ModelClient, ReplyCache
from course_utils.deployment.gateway.rollout import Rollout
from course_utils.deployment.gateway.settings import GatewaySettings, ModelRoute

_REDIS_S = 0.2
_WORK: Any = {"prefix": "/v1", "responses": USUAL_ERRORS | errors_of(429, 502, 504), "route_class": AdmittedRoute}


def create_app(settings: GatewaySettings) -> FastAPI:
    """The gateway as an ASGI app."""
    metrics, guard, queries = GatewayMetrics(), Guard(settings), sql_answers.QueryRunner(settings)
    # Asked once and not waited for long, for there is memory.
    patience: Any = {"retry": Retry(NoBackoff(), 0), "socket_timeout": _REDIS_S, "socket_connect_timeout": _REDIS_S}
    redis = Redis.from_url(str(url.get_secret_value()), **patience) if (url := settings.redis_url) else None
    cache = ReplyCache(redis, settings.cache_s or 0)
    routes = {settings.model_name: ModelRoute(url=settings.model_url), **settings.models}
    models = {name: ModelClient(name, route, settings, cache) for name, route in routes.items()}
    rollout = Rollout(models, settings.model_name, metrics)
    metrics.queue.set_function(lambda: sum(model.queue.n_waiting for model in models.values()))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for model in models.values():
            await model.http.close()
        if redis:
            await redis.aclose()

    routers = [
        _answer_routes(settings, rollout, queries, metrics),
        _list_routes(settings, rollout),
        admin_routes(settings, rollout, queries, guard),
        _operation_routes(settings, rollout, metrics, guard, redis),
    ]
    # As one list, for routers that are included are searched twice; what is asked for most comes first.
    every = [route for router in routers for route in router.routes]
    about: Any = {"title": "Questions to SQL", "version": __version__}
    about["telemetry"] = dict.fromkeys(("tracing", "metrics", "logs"), False)  # FastAPI's own: see ``tracing``
    # Nor sent elsewhere for a slash too many: the address would be of the ``Host`` that callers invent, without TLS.
    app = FastAPI(**about, lifespan=lifespan, routes=every, redirect_slashes=False)
    app.state.max_body_bytes, app.state.guard, app.state.limits = settings.max_body_bytes, guard, CallerLimits(redis)
    add_error_handlers(app)
    app.add_middleware(MeasureRequests, metrics=metrics)
    return app


def _answer_routes(
    settings: GatewaySettings, rollout: Rollout, queries: sql_answers.QueryRunner, metrics: GatewayMetrics
) -> APIRouter:
    """What applications ask, and what they say of the answers."""
    router, corrections = APIRouter(**_WORK), sql_answers.QueryRunner(settings, 1, CORRECTION_S)

    @router.post("/chat/completions", responses={200: {"content": {"text/event-stream": {}}}})
    async def chat_completions(request: ChatRequest) -> Response:
        return await rollout.answer(request.model, partial(chat, request, settings))

    @router.post("/sql")
    async def sql(request: sql_answers.SqlRequest) -> sql_answers.SqlAnswer:
        return await rollout.answer(request.model, partial(sql_answers.answer_question, request, settings, queries))

    @router.post("/feedback", status_code=201, responses=errors_of(409))
    async def feedback(request: Feedback) -> dict[str, Any]:
        kept = await take_feedback(request, corrections, settings)
        metrics.feedback.labels(request.rating).inc()
        return kept

    return router


def _list_routes(settings: GatewaySettings, rollout: Rollout) -> APIRouter:
    """Which models and databases applications can ask."""
    router, began = APIRouter(**_WORK), int(time.time())

    def describe(model: ModelClient) -> dict[str, Any]:
        return {"id": model.name, "object": "model", "created": began, "owned_by": "course"}

    @router.get("/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [describe(model) for model in rollout.models.values()]}

    @router.get("/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        return describe(rollout.find(name))

    @router.get("/databases")
    async def databases() -> dict[str, Any]:
        served = await asyncio.to_thread(sql_answers.served_databases, settings)
        return {"object": "list", "data": [{"id": db_id, "object": "database"} for db_id in served]}

    @router.get("/databases/{name}")
    async def database(name: str) -> dict[str, str]:
        _, schema = await asyncio.to_thread(sql_answers.find_served, settings, name)
        return {"id": name, "object": "database", "schema": schema}

    return router


def _operation_routes(
    settings: GatewaySettings, rollout: Rollout, metrics: GatewayMetrics, guard: Guard, redis: Redis | None
) -> APIRouter:
    """What orchestrators and Prometheus call."""
    router = APIRouter(route_class=CheckedRoute)
    checking: asyncio.Task[dict[str, Any]] | None = None

    async def check() -> dict[str, Any]:
        model_server, (n_databases, databases), away = await asyncio.gather(
            rollout.current.is_ready(), asyncio.to_thread(sql_answers.check_databases, settings), _check_redis(redis)
        )
        parts = {"model_server": model_server, "databases": databases, "n_databases": n_databases}
        return parts | {"redis": away, "rollout": str(rollout)}

    @router.get("/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", responses=errors_of(503))
    async def ready(response: Response) -> dict[str, Any]:
        """Each part and what is wrong with it, empty if nothing is; it takes the model server and one database."""
        nonlocal checking
        if checking is None or checking.done():  # whoever asks meanwhile, without a key, adds no work
            checking = asyncio.create_task(check())
        parts = await asyncio.shield(checking)
        response.status_code = 503 if parts["model_server"] or not parts["n_databases"] else 200
        return {"ready": response.status_code == 200, **parts}

    @router.get("/metrics", responses=USUAL_ERRORS | {200: {"content": {"text/plain": {}}}})
    async def show_metrics(_: Annotated[Caller, Depends(guard.admin)]) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


async def _check_redis(redis: Redis | None) -> str:
    with suppress(RedisError, OSError):
        if redis is None or await redis.ping():
            return ""
    return "no answer: each gateway counts and remembers for itself"
