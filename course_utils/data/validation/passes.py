"""The order of the checks: each can rely on what those before it made sure of.

Rows without their fields are not run; rows that do not run are not compared with others, so that a broken copy does
not cost the sound one its place.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.validation.contradictions import FactsByQuery, find_contradictions
from course_utils.data.validation.diversity import describe_diversity
from course_utils.data.validation.duplicates import find_duplicates
from course_utils.data.validation.finding import CHECKS, SEVERITIES, Finding, Problem
from course_utils.data.validation.labels import find_imbalance
from course_utils.data.validation.leakage import find_leaks
from course_utils.data.validation.lengths import find_too_long
from course_utils.data.validation.near import near_pairs
from course_utils.data.validation.parallel import chunked, map_chunks
from course_utils.data.validation.queries import count_largest, examine_all
from course_utils.data.validation.results import query_problems
from course_utils.data.validation.rows import SPLITS, Row, clean_query, field_problems, find_namesakes
from course_utils.data.validation.settings import Settings
from course_utils.data.validation.signature import Signature, row_signature
from course_utils.data.validation.texts import TEXT_CHECKS, check_texts
from course_utils.errors import MissingExtraError
from course_utils.sql import read_schema

QUERY_CHECKS = ("syntax", "execution", "empty-result", "constant-result", "enormous-result", "contradiction")
NEAR_CHECKS = ("near-duplicate", "leak-near")
PAIR_CHECKS = (*NEAR_CHECKS, "exact-duplicate", "leak-exact", "leak-skeleton")
_CHUNK = 5_000


def run_passes(
    records: Sequence[Record],
    databases: Mapping[str, Path | str],
    settings: Settings,
    measured: Sequence[Record],
) -> tuple[list[Finding], dict[str, str]]:
    """Every finding, in the order of the rows, and the checks that could not run with the reason.

    Args:
        records: All rows.
        databases: The SQLite file by ``db_id``, or why there is none.
        settings: What to check.
        measured: Those of the records whose length counts.

    Raises:
        ModelError: A tokenizer's chat template does not fit.
    """
    findings = list(_check_fields(records, databases))
    sound = _without_errors(records, findings)
    usable = {name: path for name, path in databases.items() if isinstance(path, Path)}
    missing = _missing_extras(settings)
    text_checks = [check for check in TEXT_CHECKS if settings.wants(check) and check not in missing]
    findings += _check_texts(sound, usable, text_checks, settings.num_proc)
    if settings.wants(*QUERY_CHECKS, *PAIR_CHECKS, "label-balance", "diversity"):
        facts = examine_all(sound, usable, settings.num_proc)
        about_queries = list(_check_queries(sound, facts, count_largest(usable)))
        running = _without_errors(sound, about_queries)
        findings += [*about_queries, *find_contradictions(running, facts)]
        findings += _check_together(running, usable, settings)
    if settings.wants("length") and settings.tokenizers and settings.max_length:
        wanted = {id(record) for record in measured}
        trained = [record for record in sound if id(record) in wanted]
        findings += find_too_long(trained, _render(usable), settings.tokenizers, settings.max_length)
    elif settings.wants("length"):
        missing["length"] = "it needs a tokenizer and max_length"
    return in_order([finding for finding in findings if settings.wants(finding.check)]), missing


def _missing_extras(settings: Settings) -> dict[str, str]:
    """Checks whose library is not there, and how to get it."""
    if settings.wants("profanity") and find_spec("profanex") is None:
        return {"profanity": str(MissingExtraError("profanex", "privacy"))}
    return {}


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Findings in the order of the rows, of each row the worst first."""
    return sorted(findings, key=_order)


def _order(finding: Finding) -> tuple[int, int, int, int]:
    split = SPLITS.index(finding.split) if finding.split in SPLITS else len(SPLITS)
    return split, finding.number, SEVERITIES.index(finding.severity), CHECKS.index(finding.check)


def _at(record: Record, problems: Iterable[Problem]) -> Iterator[Finding]:
    for problem in problems:
        yield problem.at(record.split, record.number, record.place)


def _without_errors(records: Sequence[Record], findings: Iterable[Finding]) -> list[Record]:
    bad = {(finding.split, finding.number) for finding in findings if finding.severity == "error"}
    return [record for record in records if (record.split, record.number) not in bad]


def _check_fields(records: Sequence[Record], databases: Mapping[str, Path | str]) -> Iterator[Finding]:
    sound = []
    for record in records:
        problems = _fault(record) or field_problems(record.fields, databases)
        database = databases.get(record.fields.get("db_id", "")) if not problems else None
        if isinstance(database, str):
            what, _, remedy = database.partition("; ")
            problems = [Problem("schema", "error", what, remedy or "mend the database")]
        if not problems:
            sound.append(record)
        yield from _at(record, problems)
    yield from find_namesakes(sound)


def _fault(record: Record) -> list[Problem]:
    if not record.fault:
        return []
    what, _, remedy = record.fault.rpartition("; ")
    return [Problem(record.check or "schema", "error", what or remedy, remedy)]


def _check_texts(
    records: Sequence[Record], databases: Mapping[str, Path], checks: Sequence[str], num_proc: int
) -> Iterator[Finding]:
    found = check_texts(records, databases, checks, num_proc) if checks else {}
    for record in records if found else ():
        fields = record.fields
        yield from _at(record, found.get((fields["db_id"], fields["question"], fields["query"]), ()))


def _check_queries(records: Sequence[Record], facts: FactsByQuery, largest: Mapping[str, int]) -> Iterator[Finding]:
    for record in records:
        known = facts[record.fields["db_id"], clean_query(record.fields["query"])]
        yield from _at(record, query_problems(record.fields, known, largest))


def _check_together(records: Sequence[Record], databases: Mapping[str, Path], settings: Settings) -> Iterator[Finding]:
    """What only the rows of all splits together can tell."""
    if settings.wants(*PAIR_CHECKS):
        signatures = _sign(records, settings.num_proc)
        pairs = near_pairs(signatures) if settings.wants(*NEAR_CHECKS) else []
        yield from find_duplicates(signatures, pairs)
        yield from find_leaks(signatures, pairs)
    if settings.wants("label-balance"):
        yield from find_imbalance(records)
    if settings.wants("diversity"):
        yield from describe_diversity(records, {name: read_schema(path) for name, path in databases.items()})


def _sign(records: Sequence[Record], num_proc: int) -> list[Signature]:
    rows = ((_compared(record.fields), record.split, record.number, record.place) for record in records)
    return [signature for part in map_chunks(_sign_chunk, list(chunked(rows, _CHUNK)), num_proc) for signature in part]


def _compared(fields: Row) -> Row:
    """The fields that a signature is made of; others need not travel to another process."""
    return {name: fields.get(name) for name in ("db_id", "question", "query", "answerable")}


def _sign_chunk(rows: list[tuple[Row, str, int, str]]) -> list[Signature]:
    return [row_signature(*row) for row in rows]


def _render(databases: Mapping[str, Path]) -> dict[str, str]:
    return {name: read_schema(path).render() for name, path in databases.items()}
