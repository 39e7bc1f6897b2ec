"""What ``course validate`` does, without its printing."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from course_utils.artifacts import open_course
from course_utils.data.finding import CHECKS, SEVERITIES, Severity
from course_utils.data.validation.repair import Repair, repair_dataset
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.settings import Settings
from course_utils.data.validation.validate import validate_dataset
from course_utils.errors import ConfigurationError


def check_severity(name: str) -> Severity:
    """A severity by its name.

    Raises:
        ConfigurationError: There is no such severity.
    """
    for severity in SEVERITIES:
        if severity == name:
            return severity
    raise ConfigurationError(f"severity {name!r} is unknown; choose from {', '.join(SEVERITIES)}")


def choose_settings(checks: Sequence[str] | None, profile: str, num_proc: int) -> Settings:
    """Settings with the tokenizer and the limit of a profile.

    Args:
        checks: Names from ``CHECKS``; all if there are none.
        profile: A profile's name; empty counts no tokens.
        num_proc: Processes to use.

    Raises:
        ConfigurationError: The profile or a check is unknown, or ``num_proc`` is not above 0.
        ModelError: The profile's tokenizer cannot be loaded.
    """
    settings = Settings(tuple(checks or CHECKS), num_proc=num_proc)
    if not profile:
        return settings
    course = open_course(profile)
    if not settings.wants("length"):
        return settings
    from course_utils.models import load_tokenizer

    chosen = course.profile
    return replace(
        settings, tokenizers=(load_tokenizer(course.model),), max_length=chosen.max_length, sample=chosen.sample
    )


def run_validation(folder: Path, out: Path | None, settings: Settings) -> tuple[ValidationReport, Repair | None]:
    """Validate a dataset as it is and, with ``out``, write its cleaned copy there.

    Raises:
        DataError: The dataset cannot be read, or ``out`` will not do.
        ModelError: A tokenizer's chat template does not fit.
    """
    repair = repair_dataset(folder, out, settings) if out else None
    with tempfile.TemporaryDirectory() as build_in:
        report = validate_dataset(
            folder,
            Path(build_in),
            tokenizers=settings.tokenizers,
            max_length=settings.max_length,
            sample=settings.sample,
            num_proc=settings.num_proc,
            checks=settings.checks,
        )
    return report, repair
