"""All checks of rows by themselves as one pure function, which any engine maps, and the finished row."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_utils.artifacts import Row
from course_utils.data.formats.record import Record
from course_utils.data.hardness import hardness
from course_utils.data.privacy.detect import Detector, database_values
from course_utils.data.validation.queries import QUERY_CHECKS, QueryFacts, examine_queries, query_findings
from course_utils.data.validation.query_forms import clean_query
from course_utils.data.validation.texts import TEXT_CHECKS, text_findings
from course_utils.errors import QueryError
from course_utils.finding import Finding

ROW_CHECKS = ("schema", *TEXT_CHECKS, *QUERY_CHECKS)
"""What can be said of a row without the others."""
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


@dataclass(frozen=True)
class RowChecker:
    """Finds what is wrong with rows by themselves; small, since it goes to every process."""

    databases: Mapping[str, Path | str]  # the SQLite file of each db_id as the process sees it, or why there is none
    largest: Mapping[str, int]  # rows of each database's largest table
    checks: Collection[str] = ROW_CHECKS  # queries are run where one of QUERY_CHECKS is among them
    pii: Detector = "patterns"

    def __call__(self, records: Sequence[Record]) -> list[Finding]:
        """Findings about the fields, and where these are right about the texts and the query.

        Args:
            records: Each query that several of them share is run once.
        """
        fields = [_fault(record) or field_findings(record.fields, self.databases) for record in records]
        readable = [record for record, found in zip(records, fields, strict=True) if not found]
        facts = {} if set(self.checks).isdisjoint(QUERY_CHECKS) else self._examine(readable)
        findings = []
        for record, found in zip(records, fields, strict=True):
            about = found or [*self._texts(record), *self._query(record, facts)]
            findings += [finding.at(record.split, record.number, record.place) for finding in about]
        return findings

    def _examine(self, records: Sequence[Record]) -> dict[tuple[str, str], QueryFacts]:
        """Facts by ``(db_id, clean query)``: running queries is the dearest part, and one connection serves many."""
        queries: dict[str, dict[str, None]] = defaultdict(dict)
        for record in records:
            queries[record.fields["db_id"]][clean_query(record.fields["query"])] = None
        return {
            (db_id, query): facts
            for db_id, of_database in queries.items()
            for query, facts in examine_queries(Path(self.databases[db_id]), [*of_database]).items()
        }

    def _texts(self, record: Record) -> list[Finding]:
        row = record.fields
        database = Path(self.databases[row["db_id"]])
        has_values = "personal-data" in self.checks
        allowed = _values(database, database.stat().st_mtime_ns) if has_values else frozenset()
        return text_findings(row["question"], row["query"], self.checks, allowed, self.pii)

    def _query(self, record: Record, facts: Mapping[tuple[str, str], QueryFacts]) -> Iterator[Finding]:
        row = record.fields
        known = facts.get((row["db_id"], clean_query(row["query"])))
        return query_findings(row, known, self.largest) if known else iter(())


def _fault(record: Record) -> list[Finding]:
    """Why the row could not be read."""
    if not record.fault:
        return []
    what, _, remedy = record.fault.rpartition("; ")
    return [Finding(record.check or "schema", "error", what or remedy, remedy)]


@lru_cache(maxsize=4)  # rows of one database follow each other
def _values(database: Path, changed_ns: int) -> frozenset[str]:
    """What the database holds; remembered until the file changes."""
    try:
        return database_values([database])
    except QueryError:  # the queries' own checks report a database that cannot be read
        return frozenset()


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


def _difficulty(query: str) -> str:
    try:
        return hardness(query)
    except (QueryError, RecursionError):  # SQLite runs it, so only the level stays unknown
        return "unknown"
