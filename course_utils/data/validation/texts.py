"""Every check that reads a row's own texts and nothing else, as one pure function that any engine can map."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.privacy.detect import database_values, personal_data_problems
from course_utils.data.privacy.profanity import profanity_problems
from course_utils.data.validation.encoding import encoding_problems
from course_utils.data.validation.finding import Problem
from course_utils.data.validation.parallel import chunked, map_chunks
from course_utils.data.validation.template import template_problems
from course_utils.errors import QueryError

TEXT_CHECKS = ("encoding", "template", "personal-data", "profanity")
Texts = tuple[str, str, str]
"""db_id, question, query."""
_CHUNK = 5_000


def text_problems(
    question: str, query: str, checks: Collection[str] = TEXT_CHECKS, allowed: Collection[str] = frozenset()
) -> list[Problem]:
    """What is wrong with a question and its query as texts.

    Args:
        question: In plain words.
        query: SQL, or any other answer.
        checks: Names from ``TEXT_CHECKS``; others are passed over.
        allowed: What is no personal data, in lower case: the values of the row's database.

    Raises:
        MissingExtraError: "profanity" without profanex.
    """
    problems: list[Problem] = []
    if "encoding" in checks:
        problems += [*encoding_problems(question, "question"), *encoding_problems(query, "query")]
    if "template" in checks:
        problems += template_problems(question, query)
    if "personal-data" in checks:
        problems += personal_data_problems(question, query, allowed)
    if "profanity" in checks:
        problems += profanity_problems(question, query)
    return problems


def check_texts(
    records: Iterable[Record], databases: Mapping[str, Path], checks: Collection[str], num_proc: int
) -> dict[Texts, list[Problem]]:
    """Problems of every different text that has some.

    Args:
        records: Rows with db_id, question and query.
        databases: The SQLite file by ``db_id``; its values may stand in questions.
        checks: Names from ``TEXT_CHECKS``.
        num_proc: Processes to use.
    """
    pairs: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
    for record in records:
        pairs[record.fields["db_id"]][record.fields["question"], record.fields["query"]] = None
    chunks = [
        (db_id, chunk, databases.get(db_id), checks)
        for db_id, texts in pairs.items()
        for chunk in chunked(texts, _CHUNK)
    ]
    return {texts: problems for part in map_chunks(_check_chunk, chunks, num_proc) for texts, problems in part}


def _check_chunk(
    chunk: tuple[str, list[tuple[str, str]], Path | None, Collection[str]],
) -> list[tuple[Texts, list[Problem]]]:
    db_id, pairs, database, checks = chunk
    allowed = frozenset[str]()
    if database and "personal-data" in checks:
        allowed = _values(database, database.stat().st_mtime_ns)
    return [((db_id, *pair), problems) for pair in pairs if (problems := text_problems(*pair, checks, allowed))]


@lru_cache(maxsize=4)  # chunks of one database follow each other
def _values(database: Path, changed_ns: int) -> frozenset[str]:
    try:
        return database_values([database])
    except QueryError:  # the queries' own checks report a database that cannot be read
        return frozenset()
