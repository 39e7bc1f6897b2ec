"""All checks of rows by themselves as one pure function, which any engine maps: this process or Spark."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.privacy.detect import Detector, database_values
from course_utils.data.validation.queries import QUERY_CHECKS, QueryFacts, examine_queries, query_findings
from course_utils.data.validation.rows import clean_query, field_findings
from course_utils.data.validation.texts import TEXT_CHECKS, text_findings
from course_utils.errors import QueryError
from course_utils.finding import Finding

ROW_CHECKS = ("schema", *TEXT_CHECKS, *QUERY_CHECKS)
"""What can be said of a row without the others."""


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
        has_values = "personal-data" in self.checks
        allowed = _values(Path(self.databases[row["db_id"]])) if has_values else frozenset()
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
def _values(database: Path) -> frozenset[str]:
    try:
        return database_values([database])
    except QueryError:  # the queries' own checks report a database that cannot be read
        return frozenset()
