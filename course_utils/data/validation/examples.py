"""Validate the rows of any task: a prompt and a target in place of a question and a query.

What does not need a database holds for every task: texts, duplicates, leaks, contradictions, labels and lengths.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from course_utils.data.finding import Finding, Problem
from course_utils.data.formats.record import Record
from course_utils.data.lengths import too_long
from course_utils.data.scale.parallel import map_rows
from course_utils.data.validation.contradictions import find_contradictions
from course_utils.data.validation.duplicates import find_duplicates
from course_utils.data.validation.labels import find_imbalance
from course_utils.data.validation.leakage import find_leaks
from course_utils.data.validation.near import near_pairs
from course_utils.data.validation.passes import in_order
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.results import Facts
from course_utils.data.validation.rows import RowsBySplit, clean_query
from course_utils.data.validation.settings import Settings
from course_utils.data.validation.signature import row_signature
from course_utils.data.validation.texts import TEXT_CHECKS, check_texts
from course_utils.prompts import encode_example
from course_utils.tasks import Task

EXAMPLE_CHECKS = (
    "schema",
    *TEXT_CHECKS,
    "exact-duplicate",
    "near-duplicate",
    "leak-exact",
    "leak-near",
    "contradiction",
    "length",
    "label-balance",
)
"""The checks that every task can have. That two rows share their target is no leak where there are few targets."""


def validate_examples(
    rows_by_split: RowsBySplit, task: Task, labels: Sequence[str] = (), settings: Settings | None = None
) -> ValidationReport:
    """Check the rows of a task; row 17 of ``train`` is named ``train.jsonl:17``.

    Args:
        rows_by_split: Rows as the task reads them; they are not changed.
        task: Says what the prompt and the target of a row are.
        labels: Names of the fields that hold classes.
        settings: What to check of ``EXAMPLE_CHECKS``; all by default, without lengths.

    Returns:
        A report whose ``accepted`` are the good rows; ``splits`` is for rows with queries only.

    Raises:
        ModelError: A tokenizer's chat template does not fit.
    """
    began = time.perf_counter()
    settings = settings or Settings(EXAMPLE_CHECKS)
    records = [
        Record(Path(f"{split}.jsonl"), number, row, split=split, number=number)
        for split, rows in rows_by_split.items()
        for number, row in enumerate(rows, 1)
    ]
    read = [(record, _read(record, task)) for record in records]
    findings = [p.at(r.split, r.number, r.place) for r, fields in read if isinstance(fields, Problem) for p in [fields]]
    pairs = [
        Record(record.path, record.line, fields, split=record.split, number=record.number)
        for record, fields in read
        if isinstance(fields, dict)
    ]
    findings += [*_compare(pairs), *find_imbalance(records, labels)]
    about_texts = map_rows([p.fields for p in pairs], partial(check_texts, checks=settings.checks), settings.num_proc)
    for pair, problems in zip(pairs, about_texts, strict=True):
        findings += [problem.at(pair.split, pair.number, pair.place) for problem in problems]
    findings += _too_long(records, {(pair.split, pair.number) for pair in pairs}, task, settings)
    wanted = [finding for finding in findings if finding.check in EXAMPLE_CHECKS and settings.wants(finding.check)]
    return ValidationReport(records, in_order(wanted), {}, time.perf_counter() - began)


def _read(record: Record, task: Task) -> dict[str, str] | Problem:
    """The row's prompt and target under the names that the checks of queries use."""
    try:
        prompt, target = task.to_messages(record.fields)[-1]["content"], task.to_target(record.fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{task.name} cannot read the row ({type(error).__name__}: {error})"
        return Problem("schema", "error", reason, "give every row the fields of the task")
    if not prompt.strip() or not target.strip():
        return Problem("schema", "error", "the prompt or the target is empty", "fill it in or remove the row")
    return {"db_id": task.name, "question": prompt, "query": target}


def _compare(pairs: Sequence[Record]) -> Iterator[Finding]:
    signatures = [row_signature(pair.fields, pair.split, pair.number, pair.place) for pair in pairs]
    near = near_pairs(signatures)
    yield from find_duplicates(signatures, near)
    yield from find_leaks(signatures, near)
    targets = {clean_query(pair.fields["query"]) for pair in pairs}
    names = {pair.fields["db_id"] for pair in pairs}
    yield from find_contradictions(pairs, {(name, text): Facts(digest=text) for name in names for text in targets})


def _too_long(
    records: Sequence[Record], readable: set[tuple[str, int]], task: Task, settings: Settings
) -> Iterator[Finding]:
    if not settings.max_length or not settings.wants("length"):
        return
    for tokenizer in settings.tokenizers:
        for record in records:
            if (record.split, record.number) in readable:
                encoded = encode_example(tokenizer, task.to_messages(record.fields), task.to_target(record.fields))
                n_all = len(encoded.input_ids)
                if n_all > settings.max_length:
                    problem = too_long(Path(tokenizer.name_or_path).name, n_all, settings.max_length)
                    yield problem.at(record.split, record.number, record.place)
