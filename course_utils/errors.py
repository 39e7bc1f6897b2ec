"""The exceptions of the course. Every message says what went wrong, where, and what to do next."""

from importlib.util import find_spec
from typing import Literal

QueryErrorKind = Literal["syntax", "no such table", "no such column", "not allowed", "timeout", "too large", "other"]


class CourseError(Exception):
    """Base class of every error that the course raises on purpose."""


class ConfigurationError(CourseError):
    """A parameter has a value that the course does not know, such as an unknown profile."""


class DataError(CourseError):
    """A dataset, a database or a row is invalid; the message lists the bad rows, not only the first."""


class FormatError(DataError):
    """A file to read, or rows to write to one, violate the file's format; the message begins with the place."""


class QueryError(CourseError):
    """A query does not parse or execute, tries to write, or exceeds a limit of time or size.

    Programs read ``kind``, people read the message; neither repeats the query.
    """

    def __init__(self, message: str, kind: QueryErrorKind = "other") -> None:
        super().__init__(message)
        self.kind: QueryErrorKind = kind


class ModelError(CourseError):
    """A model, tokenizer or adapter is missing, unreadable or unfit for its use."""


class TrainingError(CourseError):
    """Training cannot continue, for example because the loss is NaN or not even one row fits into memory."""


class OutOfMemoryError(TrainingError):
    """A pass of several processes does not fit into memory; with fewer rows it might."""


class ArtifactError(CourseError):
    """A stage's result is missing, damaged, or made from another profile, dataset or model; or cannot be written."""


class ServiceError(CourseError):
    """A server does not start or answer, or its port is in use."""


class MissingExtraError(CourseError, ImportError):
    """An optional package is not installed; the message names the command that installs it."""


_SETS = {"serve": "course", "track": "dev", "gpu": "gpu", "scale": "dev"}
"""From each extra of ``pyproject.toml`` to the ``--set`` of ``requirements/install.py`` that contains it."""


def require(extra: str, *packages: str) -> None:
    """Raise MissingExtraError unless all ``packages`` of ``extra``, given by their import names, are installed."""
    for package in packages:
        if find_spec(package) is None:
            remedy = f"run python3 requirements/install.py --set {_SETS[extra]}, and work in its .venv"
            raise MissingExtraError(f"{package} is not installed; {remedy}")
