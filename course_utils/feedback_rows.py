"""What rows of ``feedback.jsonl`` mean, and when an answer counts as confirmed: for the gateway and for training."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from course_utils.errors import QueryError
from course_utils.files import Row
from course_utils.sql import folder_name, same_answer
from course_utils.tasks import normalise

MIN_USERS = 2
"""Users who must give the same answer before it counts as confirmed."""
FIELDS = "row_id time caller id rating database question query correction comment".split()
"""Fields of every row that the gateway writes; each value is a text or null."""
FindDatabase = Callable[[str], Path | str | None]
"""From a database's ``folder_name`` to its SQLite file; queries on any other result, as a URL or None, never agree."""


def read_feedback(file: Path) -> tuple[list[Row], list[str]]:
    """The rows of a ``feedback.jsonl``, and the places of lines that are not such rows, such as a line cut short."""
    lines = file.read_text("utf-8", "replace").split("\n") if file.exists() else []
    found = {f"{file}:{number}": _read_row(line) for number, line in enumerate(lines, 1) if line.strip()}
    return [row for row in found.values() if row], [place for place, row in found.items() if not row]


def _read_row(line: str) -> Row | None:
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        row: Row = json.loads(line)
        texts = [*(row[name] for name in FIELDS), *row.get("reviews", ())]
        return row if all(isinstance(text, str | None) for text in texts) else None
    return None


def topic(database: str, row: Row) -> tuple[str, str]:
    """The key of a question: its database, as ``folder_name`` writes it, and its normalised text."""
    return folder_name(database), normalise(row["question"])


def held_right(row: Row) -> str | None:
    """The query that a row's author considers correct: a correction, or the model's query if rated up; else None."""
    query: str | None = row.get("correction") or (row.get("query") if row.get("rating") == "up" else None)
    return query


def reviewed(rows: Iterable[Row]) -> set[str]:
    """The ``row_id`` of every row that a reviewer has decided on."""
    return {row_id for row in rows for row_id in row.get("reviews", ())}


def agree(one: str, other: str, database: Path | str | None) -> bool:
    """Whether two queries give the same answer; False if one does not run or ``database`` is not a path."""
    with suppress(QueryError):
        return isinstance(database, Path) and same_answer(database, one, other)
    return False


def gather_answers(rows: Iterable[Row], find: FindDatabase) -> dict[tuple[str, str], list[list[Row]]]:
    """Group rows by topic, and within a topic by the answer that their queries give.

    Every row must have a ``held_right`` query. Of a caller's rows on a topic, the last one counts (as a user and as a
    reviewer separately).
    """
    last = {(topic(row["database"], row), row.get("caller", ""), "reviews" in row): row for row in rows}
    found: dict[tuple[str, str], list[list[Row]]] = {}
    for (about, *_), row in last.items():
        answers = found.setdefault(about, [])
        held, file = held_right(row) or "", find(about[0])
        agreeing = (answer for answer in answers if agree(held_right(answer[0]) or "", held, file))
        if (same := next(agreeing, None)) is None:
            answers.append(same := [])
        same.append(row)
    return found


def believed(answers: Iterable[list[Row]]) -> list[list[Row]]:
    """The answers to one topic that ``MIN_USERS`` users or a reviewer consider correct; a single one settles it."""
    return [rows for rows in answers if len(rows) >= MIN_USERS or any("reviews" in row for row in rows)]


def most_held(rows: list[Row]) -> Row:
    """The row with a reviewer's query, else with the most frequent one, because a rare query may be right by luck."""
    written = Counter(map(held_right, rows))
    return max(rows, key=lambda row: ("reviews" in row, written[held_right(row)]))
