"""Judge what comes back from queries: an error, nothing, nothing to see, far too much, or another answer."""

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
"""Nobody reads a longer answer, and comparing it costs more than it tells."""
SHARE_OF_LARGEST = 1.5
"""A join along keys has hardly more rows than the largest table; without its condition it has twice as many."""
MIN_SUSPICIOUS_ROWS = 20
"""Below this, more rows than any table has need no remark."""
MAX_ANSWERS = 8
"""A query is compared with so many different answers to its question; what is none of them counts as one more."""
_SELECTS_VALUES = re.compile(
    r"SELECT (?:DISTINCT )?[(\- ]*\?(?:[ )]*[,+\-/*|]+[(\- ]*\?)*[ )]* FROM (?!.*(?:UNION|EXCEPT|INTERSECT))"
)
"""A skeleton whose SELECT list has values and operators only; what is combined with another SELECT may still vary."""


def query_findings(row: Row, result: QueryResult | QueryError, n_largest: int) -> Iterator[Finding]:
    """Everything that is wrong with the query of one row, given its result and the rows of the largest table.

    ``answerable: false`` in the row excuses a constant, ``empty: true`` an empty result.
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
        yield Finding("constant-result", "warning", reason, "ask the tables, or mark the row answerable: false")


def _empty(row: Row, result: QueryResult) -> Iterator[Finding]:
    is_marked = row.get("empty") is True
    if is_marked and not result.is_empty:
        reason = f'the row is marked "empty", but its result has {len(result.rows)} rows'
        yield Finding("empty-result", "warning", reason, "remove the mark or correct the query")
    elif result.is_empty and not is_marked:
        what = "has nothing but NULL" if result.rows else "is empty, so any query without rows counts as right"
        fix = 'check the values against the database; mark the row "empty": true if nothing is the right answer'
        yield Finding("empty-result", "warning", f"the result {what}", fix)


def _enormous(db_id: str, result: QueryResult, n_largest: int) -> Iterator[Finding]:
    n_rows = len(result.rows)
    if n_rows > min(MAX_SENSIBLE_ROWS, max(n_largest * SHARE_OF_LARGEST, MIN_SUSPICIOUS_ROWS)):
        counted = f"more than {n_rows:,}" if result.truncated else f"{n_rows:,}"
        reason = f"the result has {counted} rows; the largest table of {db_id} has {n_largest:,}"
        fix = "look for a join without its condition, or ask for a part, a count or the first few"
        yield Finding("enormous-result", "warning", reason, fix)


def count_largest(database: Path) -> int:
    """Rows of a database's largest table, of those that can be read."""
    queries = [f"SELECT COUNT(*) FROM {quote(table.name)}" for table in read_schema(database).tables]
    results = [result for result in run_queries(database, queries) if isinstance(result, QueryResult)]
    return max((int(str(result.rows[0][0])) for result in results), default=0)


# Rows that ask the same of the same database and answer differently: at most one of them can be right


def find_contradictions(records: Sequence[Record], databases: Mapping[str, Path]) -> list[Finding]:
    """Rows with the same question and database whose queries run, and give different answers (``same_answer``).

    Where most rows of a question agree, only the others are named; where none is the most, all are.
    """
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    times = Counter(hash(record.key) for record in records)  # to group a million rows at once takes half a GiB
    for record in records:
        if times[hash(record.key)] > 1:
            groups[record.key].append(record)
    return [finding for (name, _), group in groups.items() for finding in _judge(databases[name], group)]


def _agree(database: Path, query: str, other: str) -> bool:
    """Whether nothing speaks against the two; where only one of them asks for an order, any order will do."""
    try:
        return same_answer(database, query, other) or same_answer(database, other, query)
    except QueryError:  # they ran before, so the machine is busy, and nothing is proved
        return True


def _judge(database: Path, group: list[Record]) -> Iterator[Finding]:
    """The rows of one question whose answer is not that of most."""
    answers: dict[str, list[Record]] = {}  # by the first query that gives it
    known: dict[str, str] = {}
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
        reason = f"{against.place} asks the same, and its query {query} gives another result"
        fix = "keep the right one, or make the questions say how they differ"
        yield from (record.mark(Finding("contradiction", "error", reason, fix)) for record in rows)
