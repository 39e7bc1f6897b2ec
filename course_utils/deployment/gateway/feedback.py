"""``/v1/feedback``: store ratings of answers, and admins' decisions about them; training rows are made from both."""

import asyncio
import json
import logging
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from filelock import FileLock
from pydantic import BaseModel, Field, StringConstraints

from course_utils.deployment.gateway import sql_answers
from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.metrics import NOTES
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.feedback_rows import believed, gather_answers, held_right, read_feedback, reviewed, topic
from course_utils.files import Row, append_line, to_line
from course_utils.finding import listed

Name = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"\S", max_length=200)]
_LOCK_S, _POLL_S = 5, 0.01
_FULL_RETRY_S = 3600
_N_SHARES = 10
_COMPARE_S = 2.0
MAX_LISTED = 500
CORRECTION_S = 1.0
"""Seconds that a user's correction may run, one at a time, because anybody with a key may write that SQL."""
logger = logging.getLogger(__name__)


class Feedback(BaseModel, extra="forbid", use_attribute_docstrings=True):
    """A rating of one answer, and the right query, if the caller knows it."""

    id: Name
    """The ``id`` of the answer."""
    rating: Literal["up", "down"]
    database: Name | None = None
    question: sql_answers.Text | None = None
    query: sql_answers.Text | None = None
    """The query that the model wrote."""
    correction: sql_answers.Text | None = None
    """The right query. It must run on ``database``, or it would teach errors."""
    comment: sql_answers.Text | None = None


class Review(Feedback):
    """An admin's decision about rows of feedback: a ``correction`` is right; ``up`` without one dismisses the rows."""

    database: Name
    question: sql_answers.Text
    query: None = None
    reviews: Annotated[list[Name], Field(min_length=1, max_length=MAX_LISTED)]
    """The ``row_id`` of each row that is decided."""


class TriedQuery(sql_answers.SqlRequest):
    """A query whose rows a reviewer wants to see, with its question."""

    query: sql_answers.Text


async def take_feedback(
    feedback: Feedback, queries: sql_answers.QueryRunner, settings: GatewaySettings
) -> dict[str, Any]:
    """Store a rating or a review, after its correction, if any, has run without an error.

    Raises:
        ApiError: 404 if feedback is switched off or the database is unknown, 409 if the correction does not run or a
            reviewed row does not wait, 429 if the file is full, 503 if it cannot be written or too many slow queries
            are running.
    """
    _find_file(settings)
    if feedback.correction is not None:
        database, _ = await asyncio.to_thread(sql_answers.find_served, settings, feedback.database or "")
        checked = await queries.run(database, feedback.correction)
        if checked.outcome != "executed":
            raise ApiError(409, f"correction: {checked.error}", code="correction_failed", param="correction")
    await asyncio.to_thread(_append, feedback.model_dump(), settings)
    return {"id": feedback.id, "stored": True}


def read_waiting(settings: GatewaySettings, about: tuple[str, str] | None = None) -> list[Row]:
    """The rows, unreviewed, of questions in doubt and not settled; with ``about``, of that topic only.

    A question is in doubt if an answer is rated wrong or corrected. It is settled if exactly one answer has enough
    users, or a reviewer, behind it; the next version of the data takes that answer.
    """
    rows, wrong = read_feedback(_find_file(settings))
    if wrong:
        logger.warning(listed(f"{len(wrong)} lines are not feedback; mend or remove them", wrong))
    decided = reviewed(rows)
    claims = [row for row in rows if row["row_id"] and row["database"] and row["question"]]
    claims = [row for row in claims if row["row_id"] not in decided and (row["rating"] != "up" or held_right(row))]
    topics = {row["row_id"]: topic(row["database"], row) for row in claims}
    doubted = {topics[row["row_id"]] for row in claims if row["rating"] != "up" or row["correction"]}
    doubted &= {about} if about else doubted
    claims = [row for row in claims if topics[row["row_id"]] in doubted]
    served, ends = sql_answers.served_databases(settings), time.monotonic() + _COMPARE_S

    def find(db_id: str) -> Path | str | None:  # after that time nothing is compared: a person decides
        return served.get(db_id) if time.monotonic() < ends else None

    answers = gather_answers(filter(held_right, claims), find)
    settled = {each for each, given in answers.items() if len(believed(given)) == 1}
    return [row for row in claims if topics[row["row_id"]] not in settled]


def _find_file(settings: GatewaySettings) -> Path:
    if settings.feedback_file is None:
        raise ApiError(404, "feedback is switched off; COURSE_FEEDBACK_FILE switches it on", code="feedback_off")
    return settings.feedback_file


def _append(row: Row, settings: GatewaySettings) -> None:
    """Append a row. A caller may fill a tenth of the file; the rows of a review must still wait."""
    file, now = _find_file(settings), datetime.now(UTC).isoformat(timespec="seconds")
    came = {"row_id": uuid.uuid4().hex, "time": now, "caller": NOTES.get()["caller"]}
    line = to_line(came | row)
    is_review = "reviews" in row
    own_bytes = settings.max_feedback_bytes // (1 if is_review or came["caller"] == "admin" else _N_SHARES)
    own = f'"caller": {json.dumps(came["caller"])}'.encode()  # in a user's text, its quotes would be escaped
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        waiting = read_waiting(settings, topic(row["database"], row)) if is_review else []
        may_decide = {each["row_id"] for each in waiting}
        # The lock also holds between threads; its timeout bounds how long a gateway that hangs blocks the others.
        with FileLock(f"{file}.lock", _LOCK_S, poll_interval=_POLL_S), file.open("a+b") as stream:
            if is_review and not {*row["reviews"]} <= may_decide - reviewed(read_feedback(file)[0]):
                message = "not all of these rows wait, or some are about another question; list them again"
                raise ApiError(409, message, code="not_waiting", param="reviews")
            stream.seek(0)
            n_own = sum(len(each) for each in stream if own in each)
            if stream.tell() + len(line) > settings.max_feedback_bytes or n_own + len(line) > own_bytes:
                message = "no room for more of your feedback; the server's operator has to move its file away"
                raise ApiError(429, message, code="feedback_full", retry_after_s=_FULL_RETRY_S)
            append_line(stream, line)
    except OSError as error:
        logger.warning("feedback is lost, because it cannot be written: %r", error)
        message = "the feedback cannot be stored now"
        raise ApiError(503, message, code="feedback_failed", retry_after_s=_FULL_RETRY_S) from error
