"""Rate answers as a user who knows the right one would, and send the ratings."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from course_utils.artifacts import Row
from course_utils.errors import QueryError, ServiceError
from course_utils.monitoring.traffic import TrafficRecord
from course_utils.sql import find_database, same_answer

Rating = Literal["up", "down"]


@dataclass(frozen=True)
class RatedAnswer:
    """An answer and what its user thinks of it."""

    record: TrafficRecord
    rating: Rating
    corrected: str
    """The right query: here the dataset's; in production an expert writes it."""


def rate_answers(records: Iterable[TrafficRecord], rows: Iterable[Row], dataset: Path) -> list[RatedAnswer]:
    """Compare each answer with the right one by executing both; one that does not execute is wrong.

    ``rows`` are the questions that were sent, ``dataset`` the folder that holds the databases. Records without a reply
    are passed over, for their users saw nothing to rate.
    """
    gold = {row["id"]: row["query"] for row in rows}
    rated = []
    for record in records:
        if record.outcome not in ("answered", "invalid SQL") or record.id not in gold:
            continue
        database = find_database(dataset, record.db_id, dataset)
        try:
            is_right = same_answer(database, gold[record.id], record.predicted)
        except QueryError:
            is_right = False
        rated.append(RatedAnswer(record, "up" if is_right else "down", gold[record.id]))
    return rated


def send_feedback(url: str, answers: Iterable[RatedAnswer]) -> int:
    """Send each rating to the gateway's ``/v1/feedback``, and say how many were accepted.

    Raises:
        ServiceError: The gateway does not answer or refuses one.
    """
    import httpx

    n_sent = 0
    with httpx.Client(base_url=url, timeout=10.0, trust_env=False) as client:
        for answer in answers:
            body = {
                "id": answer.record.answer_id,
                "rating": answer.rating,
                "database": answer.record.db_id,
                "question": answer.record.question,
                "correction": answer.corrected if answer.rating == "down" else None,
            }
            try:
                client.post("/v1/feedback", json=body).raise_for_status()
            except httpx.HTTPError as error:
                raise ServiceError(f"{url}/v1/feedback: {error}; {n_sent} ratings were accepted before") from error
            n_sent += 1
    return n_sent
