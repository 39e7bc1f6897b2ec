"""What the rows of ``feedback.jsonl`` say and when it is believed: for the gateway, and for who trains on it."""

from collections import Counter
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


def gather_answers(rows: Iterable[Row], find: FindDatabase) -> dict[tuple[str, str], list[list[Row]]]:
    """Of each topic the answers that differ: the rows that hold each right.

    ``rows`` all hold some query right. Of a caller the last one counts, as a user and as a reviewer.
    """
    last = {(topic(row["database"], row), row.get("caller", ""), "reviews" in row): row for row in rows}
    found: dict[tuple[str, str], list[list[Row]]] = {}
    for (about, *_), row in last.items():
        answers = found.setdefault(about, [])
        held, file = held_right(row) or "", find(row["database"])
        agreeing = (answer for answer in answers if agree(held_right(answer[0]) or "", held, file))
        if (same := next(agreeing, None)) is None:
            answers.append(same := [])
        same.append(row)
    return found


def believed(answers: Iterable[list[Row]]) -> list[list[Row]]:
    """The answers to one question behind which users enough stand, or a reviewer; it is settled if that is one."""
    return [rows for rows in answers if len(rows) >= MIN_USERS or any("reviews" in row for row in rows)]


def most_held(rows: list[Row]) -> Row:
    """Of rows with the same answer the first whose query a reviewer wrote, or most users: one may be right by luck."""
    written = Counter(map(held_right, rows))
    return max(rows, key=lambda row: ("reviews" in row, written[held_right(row)]))
