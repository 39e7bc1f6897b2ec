"""``/v1/feedback``: keep what people say about answers, and what admins decide about it; training rows start here."""

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
"""A user's correction may take so long, and one runs at a time: it is SQL that anybody with a key may write."""
logger = logging.getLogger(__name__)


class Feedback(BaseModel, extra="forbid"):
    """A rating of one answer, and the query that would have been right, if the caller knows it."""

    id: Name
    """Of the answer."""
    rating: Literal["up", "down"]
    database: Name | None = None
    question: sql_answers.Text | None = None
    query: sql_answers.Text | None = None
    """What the model wrote."""
    correction: sql_answers.Text | None = None
    """A query that runs on ``database``: what does not could teach nothing but errors."""
    comment: sql_answers.Text | None = None


class Review(Feedback):
    """An admin's decision about rows of feedback: the correction is right; ``up`` without one says they are wrong."""

    database: Name
    question: sql_answers.Text
    query: None = None
    reviews: Annotated[list[Name], Field(min_length=1, max_length=MAX_LISTED)]
    """The ``row_id`` of each."""


class TriedQuery(sql_answers.SqlRequest):
    """A question with a query that a reviewer wants to see the rows of."""

    query: sql_answers.Text


async def take_feedback(
    feedback: Feedback, queries: sql_answers.QueryRunner, settings: GatewaySettings
) -> dict[str, Any]:
    """Keep a rating or a review, whose correction is a query that runs.

    Raises:
        ApiError: 404 for feedback that is switched off or an unknown database, 409 for a correction that does not run
            or reviewed rows that do not wait, 429 if the file is full, 503 if it cannot be written or too many slow
            queries are running.
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
    """Rows with an answer that is rated wrong or corrected, neither reviewed nor settled; ``about`` one topic.

    Settled is what a version of the data would take: one answer alone has users enough, or a reviewer, behind it.
    """
    rows, wrong = read_feedback(_find_file(settings))
    if wrong:
        logger.warning(listed(f"{len(wrong)} lines are no feedback; mend or remove them", wrong))
    decided = reviewed(rows)
    claims = [row for row in rows if row["row_id"] and row["database"] and row["question"]]
    claims = [row for row in claims if row["row_id"] not in decided and (row["rating"] != "up" or held_right(row))]
    topics = {row["row_id"]: topic(row["database"], row) for row in claims}
    doubted = {topics[row["row_id"]] for row in claims if row["rating"] != "up" or row["correction"]}
    doubted &= {about} if about else doubted
    claims = [row for row in claims if topics[row["row_id"]] in doubted]
    served, ends = sql_answers.served_databases(settings), time.monotonic() + _COMPARE_S

    def find(db_id: str) -> Path | str | None:  # what slow queries leave no time for is not settled: a person looks
        return served.get(db_id) if time.monotonic() < ends else None

    answers = gather_answers(filter(held_right, claims), find)
    settled = {each for each, given in answers.items() if len(believed(given)) == 1}
    return [row for row in claims if topics[row["row_id"]] not in settled]


def _find_file(settings: GatewaySettings) -> Path:
    if settings.feedback_file is None:
        raise ApiError(404, "feedback is switched off; set COURSE_FEEDBACK_FILE", code="feedback_off")
    return settings.feedback_file


def _append(row: Row, settings: GatewaySettings) -> None:
    """Add a row; a caller may fill a tenth of the file, and what a review is about must still wait."""
    file, now = _find_file(settings), datetime.now(UTC).isoformat(timespec="seconds")
    came = {"row_id": uuid.uuid4().hex, "time": now, "caller": NOTES.get()["caller"]}
    line = to_line(came | row)
    is_review = "reviews" in row
    own_bytes = settings.max_feedback_bytes // (1 if is_review or came["caller"] == "admin" else _N_SHARES)
    own = f'"caller": {json.dumps(came["caller"])}'.encode()  # within a text, its quotes would be escaped
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        waiting = read_waiting(settings, topic(row["database"], row)) if is_review else []
        may_decide = {each["row_id"] for each in waiting}
        # It holds against threads too, and in none of them does a gateway that hangs keep the others for long.
        with FileLock(f"{file}.lock", _LOCK_S, poll_interval=_POLL_S), file.open("a+b") as stream:
            if is_review and not {*row["reviews"]} <= may_decide - reviewed(read_feedback(file)[0]):
                message = "not all of these rows wait, or they are about another question; list them again"
                raise ApiError(409, message, code="not_waiting", param="reviews")
            stream.seek(0)
            n_own = sum(len(each) for each in stream if own in each)
            if stream.tell() + len(line) > settings.max_feedback_bytes or n_own + len(line) > own_bytes:
                message = "no room for more of your feedback; whoever runs this server has to move its file away"
                raise ApiError(429, message, code="feedback_full", retry_after_s=_FULL_RETRY_S)
            append_line(stream, line)
    except OSError as error:
        logger.warning("feedback was lost: %r", error)
        message = "feedback cannot be written now"
        raise ApiError(503, message, code="feedback_failed", retry_after_s=_FULL_RETRY_S) from error
