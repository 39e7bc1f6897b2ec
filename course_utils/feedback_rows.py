"""What the rows of ``feedback.jsonl`` say and when it is believed: for the gateway, and for who trains on it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from course_utils.errors import QueryError
from course_utils.files import Row
from course_utils.sql import same_answer
from course_utils.tasks import normalise

MIN_USERS = 2
"""Users who give the same answer before it is believed."""
FindDatabase = Callable[[str], Path | str | None]
"""The file of a database by its name; what is no file is of no use here."""


def topic(database: str, row: Row) -> tuple[str, str]:
    """The database and the question of a row."""
    return database, normalise(row["question"])


def held_right(row: Row) -> str | None:
    """The query that a row says is right, if any: its correction, or with a thumb up the answer's own."""
    query: str | None = row.get("correction") or (row.get("query") if row.get("rating") == "up" else None)
    return query


def reviewed(rows: Iterable[Row]) -> set[str]:
    """The ``row_id`` of each row that a reviewer has decided about."""
    return {row_id for row in rows for row_id in row.get("reviews", ())}


def agree(one: str, other: str, database: Path | str | None) -> bool:
    """Whether two queries give the same answer; not if one of them does not run."""
    with suppress(QueryError):
        return isinstance(database, Path) and same_answer(database, one, other)
    return False


def gather_answers(rows: Iterable[Row], find: FindDatabase) -> dict[tuple[str, str], list[tuple[Row, set[object]]]]:
    """Of each topic the answers that differ: the first row that holds each right, and who stands behind it.

    ``rows`` all hold some query right. A reviewer stands for as many users as are needed.
    """
    found: dict[tuple[str, str], list[tuple[Row, set[object]]]] = {}
    for row in rows:
        answers = found.setdefault(topic(row["database"], row), [])
        held, file = held_right(row) or "", find(row["database"])
        agreeing = (users for first, users in answers if agree(held_right(first) or "", held, file))
        if (users := next(agreeing, None)) is None:
            answers.append((row, users := set()))
        users |= set(range(MIN_USERS)) if "reviews" in row else {row.get("caller", "")}
    return found


def believed(answers: Iterable[tuple[Row, set[object]]]) -> list[Row]:
    """The answers to one question behind which users enough stand; it is settled if that is one."""
    return [row for row, users in answers if len(users) >= MIN_USERS]
