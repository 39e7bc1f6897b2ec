"""The gateway as an ASGI app: its routes, who may call each, and its health checks."""

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
    """Build the gateway's ASGI app; ConfigurationError if a key file cannot be used, or keys are needed and unset."""
    metrics, guard, queries = GatewayMetrics(), Guard(settings), sql_answers.QueryRunner(settings)
    # No retry and a short timeout, because each gateway can count and cache in its own memory instead.
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
    # One flat list, because FastAPI searches included routers twice; the busiest routes come first.
    every = [route for router in routers for route in router.routes]
    about: Any = {"title": "Questions to SQL", "version": __version__}
    about["telemetry"] = dict.fromkeys(("tracing", "metrics", "logs"), False)  # FastAPI's own; see ``tracing``
    # No redirect for a trailing slash: its address would have the ``Host`` that a caller invents, and no TLS.
    app = FastAPI(**about, lifespan=lifespan, routes=every, redirect_slashes=False)
    app.state.max_body_bytes, app.state.guard, app.state.limits = settings.max_body_bytes, guard, CallerLimits(redis)
    add_error_handlers(app)
    app.add_middleware(MeasureRequests, metrics=metrics)
    return app


def _answer_routes(
    settings: GatewaySettings, rollout: Rollout, queries: sql_answers.QueryRunner, metrics: GatewayMetrics
) -> APIRouter:
    """Routes for chats, questions and feedback on the answers."""
    router, corrections = APIRouter(**_WORK), sql_answers.QueryRunner(settings, 1, CORRECTION_S)

    @router.post("/chat/completions", responses={200: {"content": {"text/event-stream": {}}}})
    async def chat_completions(request: ChatRequest) -> Response:
        """Answer a chat of text messages as OpenAI's API does, whole or as a stream."""
        return await rollout.answer(request.model, partial(chat, request, settings))

    @router.post("/sql")
    async def sql(request: sql_answers.SqlRequest) -> sql_answers.SqlAnswer:
        """Let the model write a query for the question, run it if it only reads, and return it with its rows."""
        return await rollout.answer(request.model, partial(sql_answers.answer_question, request, settings, queries))

    @router.post("/feedback", status_code=201, responses=errors_of(409))
    async def feedback(request: Feedback) -> dict[str, Any]:
        """Store a rating of an answer, and the right query if the caller knows it."""
        kept = await take_feedback(request, corrections, settings)
        metrics.feedback.labels(request.rating).inc()
        return kept

    return router


def _list_routes(settings: GatewaySettings, rollout: Rollout) -> APIRouter:
    """Routes that list the models and databases that callers can ask."""
    router, began = APIRouter(**_WORK), int(time.time())

    def describe(model: ModelClient) -> dict[str, Any]:
        return {"id": model.name, "object": "model", "created": began, "owned_by": "course"}

    @router.get("/models")
    async def list_models() -> dict[str, Any]:
        """List the models; a request names one by its ``id``."""
        return {"object": "list", "data": [describe(model) for model in rollout.models.values()]}

    @router.get("/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """Describe one model."""
        return describe(rollout.find(name))

    @router.get("/databases")
    async def databases() -> dict[str, Any]:
        """List the databases; a request names one by its ``id``."""
        served = await asyncio.to_thread(sql_answers.served_databases, settings)
        return {"object": "list", "data": [{"id": db_id, "object": "database"} for db_id in served]}

    @router.get("/databases/{name}")
    async def database(name: str) -> dict[str, str]:
        """Return a database's schema as the model's prompt shows it."""
        _, schema = await asyncio.to_thread(sql_answers.find_served, settings, name)
        return {"id": name, "object": "database", "schema": schema}

    return router


def _operation_routes(
    settings: GatewaySettings, rollout: Rollout, metrics: GatewayMetrics, guard: Guard, redis: Redis | None
) -> APIRouter:
    """Routes for orchestrators and Prometheus: health checks and metrics."""
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
        """Answer 200 while the process runs."""
        return {"live": True}

    @router.get("/health/ready", responses=errors_of(503))
    async def ready(response: Response) -> dict[str, Any]:
        """Say what is wrong with each part, empty if nothing; 503 unless the model server and one database answer."""
        nonlocal checking
        if checking is None or checking.done():  # one check at a time, because callers need no key
            checking = asyncio.create_task(check())
        parts = await asyncio.shield(checking)
        response.status_code = 503 if parts["model_server"] or not parts["n_databases"] else 200
        return {"ready": response.status_code == 200, **parts}

    @router.get("/metrics", responses=USUAL_ERRORS | {200: {"content": {"text/plain": {}}}})
    async def show_metrics(_: Annotated[Caller, Depends(guard.admin)]) -> Response:
        """Return the metrics in Prometheus's text format, to admins only."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


async def _check_redis(redis: Redis | None) -> str:
    with suppress(RedisError, OSError):
        if redis is None or await redis.ping():
            return ""
    return "no answer: each gateway counts usage and caches replies by itself"
