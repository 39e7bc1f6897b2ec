"""Run every different query of a dataset once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.validation.parallel import chunked, map_chunks
from course_utils.data.validation.results import Facts, examine_queries, largest_table
from course_utils.data.validation.rows import clean_query
from course_utils.errors import CourseError

_CHUNK = 2_000


def examine_all(
    records: Iterable[Record], databases: Mapping[str, Path], num_proc: int
) -> dict[tuple[str, str], Facts]:
    """Facts by ``(db_id, clean query)``.

    Args:
        records: Rows with db_id and query.
        databases: The SQLite file of each db_id.
        num_proc: Processes to use.
    """
    queries: dict[str, dict[str, None]] = defaultdict(dict)
    for record in records:
        queries[record.fields["db_id"]][clean_query(record.fields["query"])] = None
    chunks = [(db_id, chunk) for db_id, texts in queries.items() for chunk in chunked(texts, _CHUNK)]
    answers = map_chunks(_examine, [(databases[db_id], chunk) for db_id, chunk in chunks], num_proc)
    return {
        (db_id, query): facts
        for (db_id, _), answer in zip(chunks, answers, strict=True)
        for query, facts in answer.items()
    }


def _examine(chunk: tuple[Path, list[str]]) -> dict[str, Facts]:
    return examine_queries(*chunk)


def count_largest(databases: Mapping[str, Path]) -> dict[str, int]:
    """Rows of each database's largest table; one that cannot be read is left out, as its queries have errors."""
    counts = {}
    for db_id, database in databases.items():
        try:
            counts[db_id] = largest_table(database)
        except CourseError:
            continue
    return counts
