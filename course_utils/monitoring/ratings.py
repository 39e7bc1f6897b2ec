"""Rate answers as a user who knows the right one would, and send the ratings."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from course_utils.artifacts import Row
from course_utils.errors import QueryError, ServiceError
from course_utils.monitoring.traffic import TrafficRecord
from course_utils.sql import find_database, same_answer


def rate_answers(records: Iterable[TrafficRecord], rows: Iterable[Row], dataset: Path) -> list[Row]:
    """Compare each answer with the right one by executing both, and rate it as ``/v1/feedback`` takes it.

    One that does not execute is wrong. Each comes with the ``query`` that was answered, and what is wrong with a
    ``correction``: here the query of the dataset, in production an expert's. ``rows`` are the questions that were sent,
    ``dataset`` the folder that holds the databases. Records without a reply are passed over, for their users saw
    nothing to rate.
    """
    gold = {row["id"]: row["query"] for row in rows}
    ratings = []
    for record in records:
        if record.outcome not in ("answered", "invalid SQL") or record.id not in gold:
            continue
        database = find_database(dataset, record.db_id, dataset)
        try:
            is_right = same_answer(database, gold[record.id], record.predicted)
        except QueryError:
            is_right = False
        about = {"id": record.answer_id, "database": record.db_id, "question": record.question}
        about |= {"query": record.predicted} if record.predicted else {}
        verdict = {"rating": "up"} if is_right else {"rating": "down", "correction": gold[record.id]}
        ratings.append(about | verdict)
    return ratings


def send_feedback(url: str, ratings: Sequence[Row], *, key: str = "") -> int:
    """Send each rating to the gateway's ``/v1/feedback``, and say how many were accepted: all.

    Raises:
        ServiceError: The gateway does not answer or refuses one.
    """
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, timeout=10.0, trust_env=False, headers=headers) as client:
        for n_sent, rating in enumerate(ratings):
            try:
                client.post("/v1/feedback", json=rating).raise_for_status()
            except httpx.HTTPError as error:
                raise ServiceError(f"{url}/v1/feedback: {error}; {n_sent} ratings were accepted before") from error
    return len(ratings)
