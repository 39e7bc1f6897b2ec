"""Judge the results of queries: errors, empty, constant or enormous results, and contradictions between rows."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.privacy.detect import mask
from course_utils.errors import QueryError
from course_utils.files import Row
from course_utils.finding import Finding, quoted
from course_utils.sql import QueryResult, quote, read_schema, run_queries, same_answer
from course_utils.sql.query_forms import clean_query, skeleton

MAX_SENSIBLE_ROWS = 1_000
"""Results with more rows are always reported: nobody reads them, and comparing them is slow."""
SHARE_OF_LARGEST = 1.5
"""Results with more rows than this multiple of the largest table's are reported: a join on keys has hardly more."""
MIN_SUSPICIOUS_ROWS = 20
"""Results with at most this many rows are never reported, however small the tables are."""
MAX_ANSWERS = 8
"""A query is compared with at most this many answers to its question; if it equals none, it counts as a new answer."""
_SELECTS_VALUES = re.compile(
    r"SELECT (?:DISTINCT )?[(\- ]*\?(?:[ )]*[,+\-/*|]+[(\- ]*\?)*[ )]* FROM (?!.*(?:UNION|EXCEPT|INTERSECT))"
)
"""Matches a skeleton that selects values and operators only, unless a set operation adds another SELECT."""


def query_findings(row: Row, result: QueryResult | QueryError, n_largest: int) -> Iterator[Finding]:
    """Everything that is wrong with the query of one row, given its result and the row count of the largest table.

    A row with ``answerable: false`` is checked for errors only; ``empty: true`` allows an empty result.
    """
    if isinstance(result, QueryError):
        is_syntax = result.kind == "syntax"
        what = "does not parse" if is_syntax else f"does not run on {row['db_id']}"
        fix = "correct the SQL or remove the row"
        yield Finding("syntax" if is_syntax else "execution", "error", f'"query" {what} ({result})', fix)
    elif row.get("answerable") is not False:
        yield from _constant(row["query"])
        yield from _empty(row, result)
        yield from _enormous(row["db_id"], result, n_largest)


def _constant(query: str) -> Iterator[Finding]:
    shape = skeleton(query)
    if "FROM" not in shape.split() or _SELECTS_VALUES.match(shape):
        shown = quoted(mask(clean_query(query)))
        reason = f"the result is constant: the query reads no table or selects values only ({shown})"
        fix = 'select columns of a table; if the tables cannot answer the question, mark the row "answerable": false'
        yield Finding("constant-result", "warning", reason, fix)


def _empty(row: Row, result: QueryResult) -> Iterator[Finding]:
    is_marked = row.get("empty") is True
    if is_marked and not result.is_empty:
        reason = f'the row is marked "empty", but its result has {len(result.rows)} rows'
        yield Finding("empty-result", "warning", reason, "remove the mark or correct the query")
    elif result.is_empty and not is_marked:
        what = "has nothing but NULL" if result.rows else "is empty, so every query without rows counts as right"
        fix = 'compare the values in the query with the database; if the answer is right, mark the row "empty": true'
        yield Finding("empty-result", "warning", f"the result {what}", fix)


def _enormous(db_id: str, result: QueryResult, n_largest: int) -> Iterator[Finding]:
    n_rows = len(result.rows)
    if n_rows > min(MAX_SENSIBLE_ROWS, max(n_largest * SHARE_OF_LARGEST, MIN_SUSPICIOUS_ROWS)):
        counted = f"more than {n_rows:,}" if result.truncated else f"{n_rows:,}"
        reason = f"the result has {counted} rows; the largest table of {db_id} has {n_largest:,}"
        fix = "look for a join without its condition, or ask for fewer rows: by a filter, a count or a LIMIT"
        yield Finding("enormous-result", "warning", reason, fix)


def count_largest(database: Path) -> int:
    """The number of rows of a database's largest table, among those that can be read; 0 if none can."""
    queries = [f"SELECT COUNT(*) FROM {quote(table.name)}" for table in read_schema(database).tables]
    results = [result for result in run_queries(database, queries) if isinstance(result, QueryResult)]
    return max((int(str(result.rows[0][0])) for result in results), default=0)


# Contradictions: rows that ask the same question about the same database and answer it differently


def find_contradictions(records: Sequence[Record], databases: Mapping[str, Path]) -> list[Finding]:
    """Report rows with the same question and database whose queries give different answers by ``same_answer``.

    The queries must run. If one answer has more rows than any other, only the rows with other answers are reported;
    otherwise all rows of the question are.
    """
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    times = Counter(hash(record.key) for record in records)  # grouping a million rows at once would take half a GiB
    for record in records:
        if times[hash(record.key)] > 1:
            groups[record.key].append(record)
    return [finding for (name, _), group in groups.items() for finding in _judge(databases[name], group)]


def _agree(database: Path, query: str, other: str) -> bool:
    """Whether two queries give the same answer; the order of rows counts only if both queries ask for one."""
    try:
        return same_answer(database, query, other) or same_answer(database, other, query)
    except QueryError:  # both ran before, so this is a timeout on a busy machine, and no proof of a difference
        return True


def _judge(database: Path, group: list[Record]) -> Iterator[Finding]:
    """Findings for the rows of one question that do not give its most frequent answer."""
    answers: dict[str, list[Record]] = {}  # rows by the first query that gave their answer
    known: dict[str, str] = {}  # each query's first query with the same answer
    for record in group:
        query = clean_query(record.fields["query"])
        if query not in known:
            tried = [*answers][:MAX_ANSWERS]
            known[query] = next((other for other in tried if _agree(database, query, other)), query)
        answers.setdefault(known[query], []).append(record)
    ranked = sorted(answers.values(), key=len, reverse=True)
    is_clear = len(ranked) == 1 or len(ranked[0]) > len(ranked[1])
    for rows in ranked[is_clear:]:
        against = ranked[0][0] if rows is not ranked[0] else ranked[1][0]
        query = quoted(mask(clean_query(against.fields["query"])))
        reason = f"{against.place} has the same question, but its query {query} gives another result"
        fix = "keep the row whose query is right, or reword the questions so that they differ"
        yield from (record.mark(Finding("contradiction", "error", reason, fix)) for record in rows)
