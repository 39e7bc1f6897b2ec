"""The order of the checks: each can rely on what those before it made sure of.

Rows without their fields are not run; rows that do not run are not compared with others, so that a broken copy does
not cost the sound one its place.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from course_utils.data.finding import CHECKS, SEVERITIES, Finding, Problem
from course_utils.data.formats.record import Record
from course_utils.data.lengths import find_too_long
from course_utils.data.scale.parallel import map_rows
from course_utils.data.validation.contradictions import find_contradictions
from course_utils.data.validation.diversity import describe_diversity
from course_utils.data.validation.duplicates import find_duplicates
from course_utils.data.validation.labels import find_imbalance
from course_utils.data.validation.leakage import find_leaks
from course_utils.data.validation.near import near_pairs
from course_utils.data.validation.results import Facts, count_largest
from course_utils.data.validation.row_checks import QUERY_CHECKS, ROW_CHECKS, Checked, RowChecks, check_rows
from course_utils.data.validation.rows import REQUIRED, SPLITS, TYPES, Row, clean_query, find_namesakes
from course_utils.data.validation.settings import Settings
from course_utils.data.validation.signature import sign_rows
from course_utils.sql import read_schema

NEAR_CHECKS = ("near-duplicate", "leak-near")
PAIR_CHECKS = (*NEAR_CHECKS, "exact-duplicate", "leak-exact", "leak-skeleton")
RUNNING_CHECKS = (*QUERY_CHECKS, *PAIR_CHECKS, "contradiction", "label-balance", "diversity")
"""The checks that need to know which queries run."""
_READ = (*REQUIRED, *TYPES)
"""What the checks of a row read; other fields need not travel to another process."""
Result = TypeVar("Result")


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
    usable = {name: path for name, path in databases.items() if isinstance(path, Path)}
    readable = [record for record in records if not record.fault]
    checked = _check_rows(readable, databases, usable, settings)
    findings = [*_check_fields(records, checked)]
    sound = _without_errors(records, findings)
    known = [(record, checked[id(record)]) for record in sound]
    findings += [finding for record, about in known for finding in _at(record, about.texts)]
    if settings.wants(*RUNNING_CHECKS):
        about_queries = [finding for record, about in known for finding in _at(record, about.query)]
        running = _without_errors(sound, about_queries)
        facts = {_query(record): about.facts for record, about in known if about.facts}
        findings += [*about_queries, *_check_together(running, usable, facts, settings)]
    missing = {}
    if settings.wants("length") and settings.tokenizers and settings.max_length:
        wanted = {id(record) for record in measured}
        trained = [record for record in sound if id(record) in wanted]
        findings += find_too_long(trained, _render(usable), settings.tokenizers, settings.max_length)
    elif settings.wants("length"):
        missing["length"] = "it needs a tokenizer and max_length"
    return in_order([finding for finding in findings if settings.wants(finding.check)]), missing


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


def _query(record: Record) -> tuple[str, str]:
    return record.fields["db_id"], clean_query(record.fields["query"])


def _check_rows(
    records: Sequence[Record], databases: Mapping[str, Path | str], usable: Mapping[str, Path], settings: Settings
) -> dict[int, Checked]:
    """What is known of each record by itself, by its ``id()``."""
    checks = {check for check in ROW_CHECKS if settings.wants(check)}
    largest = {}
    if settings.wants(*RUNNING_CHECKS):
        checks, largest = checks | set(QUERY_CHECKS), count_largest(usable)
    found = _map_by_query(records, partial(check_rows, using=RowChecks(databases, largest, checks)), settings.num_proc)
    return {id(record): about for record, about in zip(records, found, strict=True)}


def _map_by_query(
    records: Sequence[Record], function: Callable[[list[Row]], Sequence[Result]], num_proc: int
) -> list[Result]:
    """Results in the order of the records, with rows of one query mapped next to each other."""
    rows = [
        {name: record.fields.get(name) for name in _READ}
        | {"split": record.split, "number": record.number, "place": record.place}
        for record in records
    ]
    order = sorted(range(len(rows)), key=lambda i: (str(rows[i]["db_id"]), str(rows[i]["query"])))
    results = zip(order, map_rows([rows[i] for i in order], function, num_proc), strict=True)
    return [result for _, result in sorted(results, key=lambda item: item[0])]


def _check_fields(records: Sequence[Record], checked: Mapping[int, Checked]) -> Iterator[Finding]:
    """Faults of rows that cannot be read, of fields, and ids that an earlier row has."""
    sound = []
    for record in records:
        problems = _fault(record) or checked[id(record)].fields
        if not problems:
            sound.append(record)
        yield from _at(record, problems)
    yield from find_namesakes(sound)


def _fault(record: Record) -> tuple[Problem, ...]:
    if not record.fault:
        return ()
    what, _, remedy = record.fault.rpartition("; ")
    return (Problem(record.check or "schema", "error", what or remedy, remedy),)


def _check_together(
    records: Sequence[Record],
    databases: Mapping[str, Path],
    facts: Mapping[tuple[str, str], Facts],
    settings: Settings,
) -> Iterator[Finding]:
    """What only the rows of all splits together can tell."""
    yield from find_contradictions(records, facts)
    if settings.wants(*PAIR_CHECKS):
        signatures = _map_by_query(records, sign_rows, num_proc=1)  # quicker than the rows' way to other processes
        pairs = near_pairs(signatures) if settings.wants(*NEAR_CHECKS) else []
        yield from find_duplicates(signatures, pairs)
        yield from find_leaks(signatures, pairs)
    if settings.wants("label-balance"):
        yield from find_imbalance(records)
    if settings.wants("diversity"):
        yield from describe_diversity(records, {name: read_schema(path) for name, path in databases.items()})


def _render(databases: Mapping[str, Path]) -> dict[str, str]:
    return {name: read_schema(path).render() for name, path in databases.items()}
