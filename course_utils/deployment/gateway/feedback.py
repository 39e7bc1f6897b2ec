"""``/v1/feedback``: keep what people say about answers; tomorrow's training rows start here."""

import asyncio
import json
import logging
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, StringConstraints

from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.metrics import NOTES
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.deployment.gateway.sql_answers import QueryRunner, Text, find_served

Name = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"\S", max_length=200)]
_LOCK = threading.Lock()
_FULL_RETRY_S = 3600
logger = logging.getLogger(__name__)


class Feedback(BaseModel, extra="forbid"):
    """A rating of one answer, and the query that would have been right, if the caller knows it."""

    id: Name
    """Of the answer."""
    rating: Literal["up", "down"]
    database: Name | None = None
    question: Text | None = None
    query: Text | None = None
    """What the model wrote."""
    correction: Text | None = None
    """A query that runs on ``database``: what does not could teach nothing but errors."""
    comment: Text | None = None


async def take_feedback(feedback: Feedback, queries: QueryRunner, settings: GatewaySettings) -> dict[str, Any]:
    """Keep a rating, whose correction is a query that runs.

    Raises:
        ApiError: 404 for feedback that is switched off or an unknown database, 409 for a correction that does not run,
            429 if the file is full, 503 if it cannot be written or too many slow queries are running.
    """
    if settings.feedback_file is None:
        raise ApiError(404, "feedback is switched off; set COURSE_FEEDBACK_FILE", code="feedback_off")
    if feedback.correction is not None:
        database, _ = await asyncio.to_thread(find_served, settings, feedback.database or "")
        checked = await queries.run(database, feedback.correction)
        if checked.outcome != "executed":
            raise ApiError(409, f"correction: {checked.error}", code="correction_failed", param="correction")
    came = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "caller": NOTES.get()["caller"]}
    row = came | feedback.model_dump()
    line = json.dumps(row, ensure_ascii=False) + "\n"
    await asyncio.to_thread(_append, settings.feedback_file, line.encode(), settings.max_feedback_bytes)
    return {"id": feedback.id, "stored": True}


def _append(file: Path, line: bytes, max_bytes: int) -> None:
    try:
        with _LOCK:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as stream:
                if stream.tell() + len(line) > max_bytes:
                    message = "no room for more feedback; whoever runs this server has to move its file away"
                    raise ApiError(429, message, code="feedback_full", retry_after_s=_FULL_RETRY_S)
                stream.write(line)
    except OSError as error:
        logger.warning("feedback was lost: %r", error)
        message = "feedback cannot be written now"
        raise ApiError(503, message, code="feedback_failed", retry_after_s=_FULL_RETRY_S) from error
