"""What can go wrong. Every message says what, where and what to do next."""

from importlib.util import find_spec
from typing import Literal

QueryErrorKind = Literal["syntax", "no such table", "no such column", "not allowed", "timeout", "too large", "other"]


class CourseError(Exception):
    """Base class of every error that the course raises on purpose."""


class ConfigurationError(CourseError):
    """A parameter has a value that the course does not know, such as an unknown profile."""


class DataError(CourseError):
    """A dataset, a database or one of their rows does not fit; lists every bad row, not the first."""


class FormatError(DataError):
    """A file, or what should be written to one, does not fit its format; the message begins with the place."""


class QueryError(CourseError):
    """SQL that does not parse, does not execute, writes, or runs longer than it may.

    ``kind`` is for programs, the message for people; the query itself is not part of either.
    """

    def __init__(self, message: str, kind: QueryErrorKind = "other") -> None:
        super().__init__(message)
        self.kind: QueryErrorKind = kind


class ModelError(CourseError):
    """A model folder is missing or incomplete, or a model gives what it must not."""


class TrainingError(CourseError):
    """Training cannot go on: its loss is no number, or not even one row fits into memory."""


class ArtifactError(CourseError):
    """The result of an earlier stage is missing or belongs to another profile, dataset or model."""


class ServiceError(CourseError):
    """A server does not start or answer, or its port is taken."""


class MissingExtraError(CourseError, ImportError):
    """An optional package is not installed; names the command that installs it."""


_SETS = {"serve": "course", "track": "gpu", "gpu": "gpu", "scale": "dev"}
"""The set of ``requirements/install.py`` that an extra of ``pyproject.toml`` is part of."""


def require(extra: str, *packages: str) -> None:
    """Raise MissingExtraError for the first of some optional packages, named as they are imported, that is missing."""
    for package in packages:
        if find_spec(package) is None:
            remedy = f"run python3 requirements/install.py --set {_SETS[extra]}, and work in its .venv"
            raise MissingExtraError(f"{package} is not installed; {remedy}")
