"""The fields of a row: whether they are there and of the right type, and the row with its defaults filled in."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from course_utils.data.finding import Finding, Problem
from course_utils.data.formats.record import Record
from course_utils.data.hardness import hardness
from course_utils.errors import QueryError

Row = dict[str, Any]
RowsBySplit = Mapping[str, Sequence[Row]]
Place = Callable[[str, int], str]
"""Where a row stands, for people, from its split and its position in the list of that split, from 1."""

SPLITS = ("train", "validation", "test")
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


def field_problems(fields: Row, databases: Container[str]) -> list[Problem]:
    """What is wrong with the fields of one row.

    Args:
        fields: The row as its file holds it.
        databases: Names of the databases there are.
    """
    problems = [problem for name in REQUIRED if (problem := _required(fields, name))]
    for name, types in TYPES.items():
        value = fields.get(name)
        if value is not None and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            wanted = " or ".join(_NAMES[type_] for type_ in types)
            problems.append(
                _error(f'"{name}" is {value!r:.60}, which is not {wanted}', f"write {wanted}, or leave it out")
            )
    db_id = fields.get("db_id")
    if isinstance(db_id, str) and db_id.strip() and db_id not in databases:
        name = db_id if len(db_id) <= _MAX_NAME else f"{db_id[:_MAX_NAME]} ..."
        add = f"add databases/{name}/{name}.sqlite (or schema.sql) or correct db_id"
        problems.append(_error(f'there is no database "{name}"', add))
    return problems


def _required(fields: Row, name: str) -> Problem | None:
    value = fields.get(name)
    if isinstance(value, str) and value.strip():
        return None
    wrong = "missing" if value is None else "empty" if isinstance(value, str) else "not text"
    return _error(f'"{name}" is {wrong}', f"every row needs {', '.join(REQUIRED)}")


def _error(reason: str, fix: str) -> Problem:
    return Problem("schema", "error", reason, fix)


def find_namesakes(records: Iterable[Record]) -> list[Finding]:
    """Rows whose id an earlier row of their split has."""
    first: dict[str, dict[str, Record]] = defaultdict(dict)
    found = []
    for record in records:
        name = row_id(record)
        namesake = first[record.split].setdefault(name, record)
        if namesake is not record:
            problem = _error(f'"id" {name} is also the id of {namesake.place}', "ids must differ; rename one")
            found.append(problem.at(record.split, record.number, record.place))
    return found


def row_id(record: Record) -> str:
    """The row's own id, or one from its split and number."""
    return str(record.fields.get("id") or f"{record.split}-{record.number}")


def complete_row(record: Record) -> Row:
    """The row with defaults: an id from its place, Spider's difficulty, its file as source."""
    fields = record.fields
    query = clean_query(fields["query"])
    return {
        "id": row_id(record),
        "db_id": fields["db_id"],
        "question": clean_question(fields["question"]),
        "query": query,
        "difficulty": str(fields.get("difficulty") or _hardness(query)),
        "source": str(fields.get("source") or record.path.name),
        **{name: fields[name] for name in ("answerable", "empty") if fields.get(name) is not None},
    }


def clean_question(question: str) -> str:
    """A question with single spaces and none at its ends."""
    return " ".join(question.split())


def clean_query(query: str) -> str:
    """A query without spaces and semicolons at its ends; inside, spaces may be data."""
    return query.strip().rstrip("; \t\r\n")


def _hardness(query: str) -> str:
    try:
        return hardness(query)
    except (QueryError, RecursionError):  # SQLite runs it, so only the level stays unknown
        return "unknown"
