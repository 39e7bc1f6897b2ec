"""Check every row of a dataset against its database and against the other splits.

A check says what is wrong and lists every bad row; what to do about them is ``prepare.py``'s.
"""

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.data.formats.spider import Record, read_dataset
from course_utils.data.hardness import hardness
from course_utils.errors import DataError, QueryError
from course_utils.sql import find_database, list_databases, run_query

Row = dict[str, Any]
REQUIRED = ("db_id", "question", "query")
MAX_LISTED = 20


@dataclass(frozen=True)
class Fault:
    """A bad row and the reason, which says what to do."""

    record: Record
    reason: str

    def __str__(self) -> str:
        return f"{self.record.place}: {self.reason}"


@dataclass(frozen=True)
class Report:
    """The good rows by split, with defaults filled in, and the bad ones; together all that were read."""

    splits: dict[str, list[Row]] = field(repr=False)
    faults: list[Fault] = field(repr=False)

    @property
    def n_read(self) -> int:
        """Rows read, good and bad."""
        return len(self.faults) + sum(map(len, self.splits.values()))

    def raise_if_bad(self) -> None:
        """Stop at bad rows.

        Raises:
            DataError: There are some; lists the first ``MAX_LISTED``.
        """
        if self.faults:
            raise DataError(_listing(self.faults))

    def _repr_html_(self) -> str:
        lines = [f"<tr><th>{split}</th><td>good rows: {len(rows)}</td></tr>" for split, rows in self.splits.items()]
        faults = f"<pre>{html.escape(_listing(self.faults))}</pre>" if self.faults else "<p>No bad rows.</p>"
        return f"<table>{''.join(lines)}</table>{faults}"


def _listing(faults: list[Fault]) -> str:
    more = len(faults) - MAX_LISTED
    lines = [str(fault) for fault in faults[:MAX_LISTED]]
    return "\n".join([f"{len(faults)} bad rows:", *lines, *([f"... and {more} more"] if more > 0 else [])])


def check_dataset(folder: Path, build_in: Path) -> Report:
    """Read and check a dataset.

    Args:
        folder: A dataset in one of the layouts that ``formats`` knows.
        build_in: Where databases are built that exist as SQL files only.

    Raises:
        DataError: The folder or one of its files is missing. Bad rows do not raise; they are in the report.
    """
    records = read_dataset(folder)
    databases: dict[str, Path | str] = {}
    reasons = {id(record): _fault_of(record, folder, build_in, databases) for record in records}
    sound = [record for record in records if not reasons[id(record)]]
    reasons |= {id(record): reason for record, reason in _repeats(sound)}
    splits: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for record in records:
        if not reasons[id(record)]:
            splits[record.split].append(_row(record))
    return Report(splits, [Fault(record, reasons[id(record)]) for record in records if reasons[id(record)]])


def _fault_of(record: Record, folder: Path, build_in: Path, databases: dict[str, Path | str]) -> str:
    """What is wrong with one row by itself; empty if nothing is. ``databases`` remembers those found."""
    if record.fault:
        return record.fault
    for name in REQUIRED:
        value = record.fields.get(name)
        if not isinstance(value, str) or not value.strip():
            wrong = "missing" if value is None else "empty" if isinstance(value, str) else "not text"
            return f'"{name}" is {wrong}; every row needs {", ".join(REQUIRED)}'
    db_id = record.fields["db_id"]
    if db_id not in databases:
        databases[db_id] = _database_or_fault(folder, db_id, build_in)
    database = databases[db_id]
    if isinstance(database, str):
        return database
    try:
        run_query(database, record.fields["query"])
    except QueryError as error:
        return f'"query" does not run on {db_id} ({error}); correct the SQL or remove the row'
    return ""


def _database_or_fault(folder: Path, db_id: str, build_in: Path) -> Path | str:
    if db_id not in list_databases(folder):
        return f'there is no database "{db_id}"; add databases/{db_id}/{db_id}.sqlite (or schema.sql) or correct db_id'
    try:
        return find_database(folder, db_id, build_in)
    except DataError as error:
        return str(error)


def _repeats(records: Iterable[Record]) -> list[tuple[Record, str]]:
    """Rows whose question an earlier split also has, and rows whose id another row of their split has."""
    order = ("train", "validation", "test")
    first: dict[tuple[str, ...], Record] = {}
    found = []
    for record in sorted(records, key=lambda record: order.index(record.split)):
        earlier = first.setdefault(("question", *record.key), record)
        namesake = first.setdefault(("id", record.split, _id(record)), record)
        if earlier.split != record.split:
            where = "training" if earlier.split == "train" else earlier.split
            found.append((record, f"the question is also in {where} ({earlier.place}); remove it from one of the two"))
        elif namesake is not record:
            found.append((record, f'"id" {_id(record)} is also the id of {namesake.place}; ids must differ'))
    return found


def _row(record: Record) -> Row:
    """The row with defaults: an id from its place, Spider's difficulty, its file as source."""
    fields = record.fields
    query = fields["query"].strip().rstrip("; \n")
    return {
        "id": _id(record),
        "db_id": fields["db_id"],
        "question": " ".join(fields["question"].split()),
        "query": query,
        "difficulty": str(fields.get("difficulty") or _hardness(query)),
        "source": str(fields.get("source") or record.path.name),
    }


def _id(record: Record) -> str:
    return str(record.fields.get("id") or f"{record.split}-{record.number}")


def _hardness(query: str) -> str:
    try:
        return hardness(query)
    except QueryError:  # SQLite runs it, so only the level stays unknown
        return "unknown"
