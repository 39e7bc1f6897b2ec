"""Read the questions that people wrote, ``written/<db_id>.jsonl``, and check them.

A row has ``split``, ``db_id``, ``question`` and ``query``; a question that the schema cannot answer has
``"answerable": false`` and the query ``SELECT 'unanswerable'``; a ``note`` is for the writers. Rows for training are
about training databases, and show a model that people do not speak like the grammar. ``round`` is the number of the
round of writing, and becomes part of the source, ``written:2``; rows of the first round have none.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from course_utils.errors import DataError, QueryError
from course_utils.files import SPLITS, Row, portable
from course_utils.sql import run_query
from course_utils.sql.query_forms import hardness
from course_utils.tasks import normalise

UNANSWERABLE = "SELECT 'unanswerable'"
REQUIRED = ("split", "db_id", "question", "query")
OPTIONAL = ("answerable", "note", "round")
SPLITS_OF_ROLE = {
    "train": ("train", "validation"),
    "written": ("train",),
    "validation": ("validation",),
    "test": ("test",),
}


def read_written(folder: Path, databases: Mapping[str, Path], roles: Mapping[str, str]) -> dict[str, list[Row]]:
    """The written rows of each split, in the order of their files.

    Args:
        folder: Holds ``<db_id>.jsonl`` files; without it there are no rows.
        databases: The database of each ``db_id``.
        roles: The role of each ``db_id``, which says the splits that its questions may be in.

    Raises:
        DataError: Rows are wrong; lists every one with file and line.
    """
    found: dict[str, list[Row]] = {split: [] for split in SPLITS}
    faults: list[str] = []
    places: dict[tuple[str, str], str] = {}
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
            if not line.strip():
                continue
            place = f"{portable(path)}:{number}"
            fields = _parse(line)
            fault = _fault_of(fields, path.stem, databases, roles)
            if not fault and (first := places.setdefault(_key(fields), place)) != place:
                fault = f"the question is also at {first}; ask something else"
            if fault:
                faults.append(f"{place}: {fault}")
                continue
            counts[fields["db_id"]] += 1
            found[fields["split"]].append(_row(fields, counts[fields["db_id"]], databases))
    if faults:
        raise DataError(f"{len(faults)} bad rows:\n" + "\n".join(faults))
    return found


def _parse(line: str) -> Row:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        return {"fault": f"not JSON ({error.msg} at column {error.colno}); fix the line"}
    return fields if isinstance(fields, dict) else {"fault": "not a JSON object; write {...}"}


def _key(fields: Row) -> tuple[str, str]:
    return fields["db_id"], normalise(fields["question"])


def _fault_of(fields: Row, stem: str, databases: Mapping[str, Path], roles: Mapping[str, str]) -> str:
    """What is wrong with one row; empty if nothing is."""
    if "fault" in fields:
        return str(fields["fault"])
    if unknown := sorted(set(fields) - {*REQUIRED, *OPTIONAL}):
        return f"unknown {', '.join(unknown)}; a row has {', '.join((*REQUIRED, *OPTIONAL))}"
    for name in REQUIRED:
        if not isinstance(fields.get(name), str) or not fields[name].strip():
            return f'"{name}" is missing or not text; every row needs {", ".join(REQUIRED)}'
    if fields["db_id"] != stem or stem not in databases:
        return f'"db_id" is {fields["db_id"]!r}; it must be a database and the name of the file'
    splits = SPLITS_OF_ROLE[roles[stem]]
    if fields["split"] not in splits:
        return f'"split" is {fields["split"]!r}; questions about {stem} belong to {" or ".join(splits)}'
    if "round" in fields and (type(fields["round"]) is not int or fields["round"] < 2):
        return f'"round" is {fields["round"]!r}; rows of the first round have none, later ones 2 and up'
    answerable = fields.get("answerable", True)
    if not isinstance(answerable, bool) or answerable == (fields["query"] == UNANSWERABLE):
        return f'"answerable": false and the query {UNANSWERABLE} go together'
    try:
        run_query(databases[stem], fields["query"])
        hardness(fields["query"])
    except QueryError as error:
        return f'"query" does not run ({error}); correct it'
    return ""


def _row(fields: Row, number: int, databases: Mapping[str, Path]) -> Row:
    query = fields["query"].strip().rstrip("; ")
    row = {
        "id": f"written-{fields['split']}-{fields['db_id']}-{number:03d}",
        "db_id": fields["db_id"],
        "question": " ".join(fields["question"].split()),
        "query": query,
        "difficulty": hardness(query),
        "source": f"written:{fields['round']}" if "round" in fields else "written",
    }
    if not fields.get("answerable", True):
        return {**row, "answerable": False}
    return row if run_query(databases[fields["db_id"]], query).rows else {**row, "empty": True}
