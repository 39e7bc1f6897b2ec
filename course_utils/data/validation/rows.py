"""The fields of a row: whether they are there and of the right type, and the row with its defaults filled in."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from course_utils.artifacts import Row
from course_utils.data.formats.record import Record
from course_utils.data.hardness import hardness
from course_utils.errors import QueryError
from course_utils.finding import Finding

REQUIRED = ("db_id", "question", "query")
TYPES: dict[str, tuple[type, ...]] = {
    "id": (str, int),
    "difficulty": (str,),
    "source": (str,),
    "answerable": (bool,),
    "empty": (bool,),
}
"""Optional fields and what they may hold. Others are left alone, because releases add their own."""
_MAX_NAME = 80
_NAMES = {str: "text", int: "a whole number", bool: "true or false"}


def field_findings(fields: Row, databases: Mapping[str, Path | str]) -> list[Finding]:
    """What is wrong with the fields of one row.

    Args:
        fields: The row as its file holds it.
        databases: The SQLite file by ``db_id``, or why there is none.
    """
    found = [*_required(fields), *_optional(fields)]
    db_id = fields.get("db_id")
    if not isinstance(db_id, str) or not db_id.strip():
        return found
    if db_id not in databases:
        name = db_id if len(db_id) <= _MAX_NAME else f"{db_id[:_MAX_NAME]} ..."
        add = f"add databases/{name}/{name}.sqlite (or schema.sql) or correct db_id"
        found.append(_error(f'there is no database "{name}"', add))
    elif not found and isinstance(reason := databases[db_id], str):
        what, _, remedy = reason.partition("; ")
        found.append(_error(what, remedy or "mend the database"))
    return found


def _required(fields: Row) -> Iterator[Finding]:
    for name in REQUIRED:
        value = fields.get(name)
        if not isinstance(value, str) or not value.strip():
            wrong = "missing" if value is None else "empty" if isinstance(value, str) else "not text"
            yield _error(f'"{name}" is {wrong}', f"every row needs {', '.join(REQUIRED)}")


def _optional(fields: Row) -> Iterator[Finding]:
    for name, types in TYPES.items():
        value = fields.get(name)
        if value is not None and type(value) not in types:  # isinstance would take true for a whole number
            wanted = " or ".join(_NAMES[kind] for kind in types)
            yield _error(f'"{name}" is {value!r:.60}, which is not {wanted}', f"write {wanted}, or leave it out")


def _error(reason: str, fix: str) -> Finding:
    return Finding("schema", "error", reason, fix)


def find_duplicate_ids(records: Iterable[Record]) -> list[Finding]:
    """Rows whose id an earlier row of their split has."""
    first: dict[tuple[str, str], Record] = {}
    found = []
    for record in records:
        earlier = first.setdefault((record.split, row_id(record)), record)
        if earlier is not record:
            error = _error(f'"id" {row_id(record)} is also the id of {earlier.place}', "ids must differ; rename one")
            found.append(error.at(record.split, record.number, record.place))
    return found


def row_id(record: Record) -> str:
    """The row's own id, or one from its split and number."""
    return str(record.fields.get("id") or f"{record.split}-{record.number}")


def complete_row(record: Record) -> Row:
    """The row with defaults: an id from its place, Spider's difficulty, its file as source."""
    fields = record.fields
    query = clean_query(fields["query"])
    marks: dict[str, Any] = {name: fields[name] for name in ("answerable", "empty") if fields.get(name) is not None}
    return {
        "id": row_id(record),
        "db_id": fields["db_id"],
        "question": clean_question(fields["question"]),
        "query": query,
        "difficulty": str(fields.get("difficulty") or _difficulty(query)),
        "source": str(fields.get("source") or record.path.name),
        **marks,
    }


def clean_question(question: str) -> str:
    """A question with single spaces and none at its ends."""
    return " ".join(question.split())


def clean_query(query: str) -> str:
    """A query without spaces and semicolons at its ends; inside, spaces may be data."""
    return query.strip().rstrip("; \t\r\n")


def _difficulty(query: str) -> str:
    try:
        return hardness(query)
    except (QueryError, RecursionError):  # SQLite runs it, so only the level stays unknown
        return "unknown"
