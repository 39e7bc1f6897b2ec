"""``/health/ready``: whether a question asked now would be answered."""

import asyncio
from pathlib import Path

from pydantic import BaseModel

from course_utils.deployment.gateway.model_client import ModelClient
from course_utils.deployment.gateway.sql_answers import list_served_databases
from course_utils.errors import QueryError
from course_utils.sql import run_query


class Readiness(BaseModel):
    """Each part and what is wrong with it; empty text means nothing."""

    ready: bool
    model_server: str
    databases: str
    n_databases: int


async def check_readiness(client: ModelClient, folder: Path) -> Readiness:
    """Ask the model server, and read from every database."""
    model_server, (n_databases, databases) = await asyncio.gather(
        client.is_ready(), asyncio.to_thread(_check_databases, folder)
    )
    return Readiness(
        ready=not (model_server or databases),
        model_server=model_server,
        databases=databases,
        n_databases=n_databases,
    )


def _check_databases(folder: Path) -> tuple[int, str]:
    served = list_served_databases(folder)
    broken = []
    for db_id, path in served.items():
        try:
            run_query(path, "SELECT count(*) FROM sqlite_master")
        except QueryError:
            broken.append(db_id)
    if broken:
        return len(served), f"cannot read {', '.join(broken)}"
    return len(served), "" if served else "there is none"
