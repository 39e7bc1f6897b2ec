"""Routes under ``/v1/admin``, which only admins may call."""

import asyncio
from typing import Any

from fastapi import APIRouter, Depends

from course_utils.deployment.gateway.api_errors import USUAL_ERRORS, ApiError, CheckedRoute, errors_of
from course_utils.deployment.gateway.callers import Guard, NewKey
from course_utils.deployment.gateway.feedback import MAX_LISTED, Review, TriedQuery, read_waiting, take_feedback
from course_utils.deployment.gateway.metrics import NOTES
from course_utils.deployment.gateway.rollout import Rollout, Switch
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.deployment.gateway.sql_answers import QueryRunner, SqlAnswer, find_served, to_answer


def admin_routes(settings: GatewaySettings, rollout: Rollout, queries: QueryRunner, guard: Guard) -> APIRouter:
    """Routes to create and delete API keys, to switch models, and to review feedback."""
    admins = [Depends(guard.admin)]
    router = APIRouter(prefix="/v1/admin", responses=USUAL_ERRORS, route_class=CheckedRoute, dependencies=admins)

    @router.get("/keys")
    async def list_keys() -> dict[str, Any]:
        """List the API keys by id, name and limits, the oldest first."""
        return {"object": "list", "data": guard.keys.all()}

    @router.post("/keys", status_code=201)
    async def create_key(new: NewKey) -> dict[str, Any]:
        """Create an API key; the field ``key`` of the response is the only copy."""
        NOTES.get()["about"] = (made := guard.keys.create(new))["id"]
        return made

    @router.delete("/keys/{key_id}")
    async def delete_key(key_id: str) -> dict[str, Any]:
        """Delete an API key, which no request can use from then on."""
        if not guard.keys.delete(key_id):
            raise ApiError(404, f"no key {key_id!r}; GET /v1/admin/keys lists them", code="unknown_key", param="key_id")
        NOTES.get()["about"] = key_id
        return {"id": key_id, "deleted": True}

    @router.put("/rollout", responses=errors_of(409))
    async def switch(wanted: Switch) -> dict[str, str]:
        """Make a model the current one or a candidate, or end its trial."""
        rollout.switch(wanted)
        NOTES.get()["about"] = wanted.model
        return {"rollout": str(rollout)}

    @router.get("/reviews")
    async def list_waiting() -> dict[str, Any]:
        """List feedback that needs an admin's decision, the oldest first."""
        waiting = await asyncio.to_thread(read_waiting, settings)
        return {"object": "list", "data": waiting[:MAX_LISTED], "n_waiting": len(waiting)}

    @router.post("/reviews", status_code=201, responses=errors_of(409, 429))
    async def review(decided: Review) -> dict[str, Any]:
        """Store a decision about feedback: the right query, or that the feedback is wrong."""
        NOTES.get()["about"] = f"{'accept' if decided.correction else 'dismiss'} {' '.join(decided.reviews)}"
        return await take_feedback(decided, queries, settings)

    @router.post("/queries")
    async def run_query(tried: TriedQuery) -> SqlAnswer:
        """Run a query that a reviewer wants to see the rows of; no model is asked."""
        database, _ = await asyncio.to_thread(find_served, settings, tried.database)
        return to_answer(tried, {}, await queries.run(database, tried.query), 0.0)

    return router
