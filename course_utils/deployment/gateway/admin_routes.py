"""What admins alone may call."""

from typing import Any

from fastapi import APIRouter, Depends

from course_utils.deployment.gateway.api_errors import ApiError, CheckedRoute, errors_of
from course_utils.deployment.gateway.callers import Guard, NewKey
from course_utils.deployment.gateway.metrics import NOTES
from course_utils.deployment.gateway.rollout import Rollout, Switch


def admin_routes(rollout: Rollout, guard: Guard) -> APIRouter:
    """Routes to make and end keys, and to put another model in the place of one."""
    admins, errors = [Depends(guard.admin)], errors_of(400, 401, 403, 404, 408, 413, 422, 500, 503)
    router = APIRouter(prefix="/v1/admin", responses=errors, route_class=CheckedRoute, dependencies=admins)

    @router.get("/keys")
    async def list_keys() -> dict[str, Any]:
        return {"object": "list", "data": guard.keys.all()}

    @router.post("/keys", status_code=201)
    async def create_key(new: NewKey) -> dict[str, Any]:
        NOTES.get()["about"] = (made := guard.keys.create(new))["id"]
        return made

    @router.delete("/keys/{key_id}")
    async def delete_key(key_id: str) -> dict[str, Any]:
        if not guard.keys.delete(key_id):
            raise ApiError(404, f"no key {key_id!r}", code="unknown_key", param="key_id")
        NOTES.get()["about"] = key_id
        return {"id": key_id, "deleted": True}

    @router.put("/rollout", responses=errors_of(409))
    async def switch(wanted: Switch) -> dict[str, str]:
        rollout.switch(wanted)
        NOTES.get()["about"] = wanted.model
        return {"rollout": str(rollout)}

    return router
