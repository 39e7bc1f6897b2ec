"""The names of the checks, and what one validation checks and with what."""

from collections.abc import Sequence
from dataclasses import dataclass

from course_utils.artifacts import Course
from course_utils.errors import ConfigurationError

TEXT_CHECKS = ("encoding", "template", "personal-data", "profanity")
QUERY_CHECKS = ("syntax", "execution", "empty-result", "constant-result", "enormous-result")
REPEAT_CHECKS = ("exact-duplicate", "near-duplicate", "leak-exact", "leak-near", "leak-skeleton")
SPLIT_CHECKS = ("label-balance", "diversity")
CHECKS = ("schema", *TEXT_CHECKS, *QUERY_CHECKS, *REPEAT_CHECKS, "contradiction", "length", *SPLIT_CHECKS)
"""Every check's name, in the order of a report; the list is closed."""
GATE = ("schema", "syntax", "execution", "leak-exact")
"""What no row may fail that a model is trained or tested on; quick enough to run before every training."""
ENGINES = ("local", "spark")


@dataclass(frozen=True)
class ValidationOptions:
    """What ``validate_dataset``, ``validate_rows`` and ``repair_dataset`` check, and with what.

    Raises:
        ConfigurationError: A check or the engine is unknown.
    """

    checks: Sequence[str] = CHECKS
    """Names from ``CHECKS``."""
    course: Course | None = None
    """Whose base model counts tokens, against its profile's ``max_length``; of the rows alone that the dataset's sample
    of the profile has, where there is one. Without a course no length is checked."""
    engine: str = "local"
    """What runs the checks of single rows, one of ``ENGINES``; those that compare rows run in this process."""
    progress: str = ""
    """Label of a progress bar over the rows that the local engine has checked; none if empty."""

    def __post_init__(self) -> None:
        if unknown := [check for check in self.checks if check not in CHECKS]:
            raise ConfigurationError(f"check {', '.join(unknown)} is unknown; choose from {', '.join(CHECKS)}")
        if self.engine not in ENGINES:
            raise ConfigurationError(f"engine {self.engine!r} is unknown; choose from {', '.join(ENGINES)}")

    def wants(self, *checks: str) -> bool:
        """Whether any of them is to run."""
        return any(check in self.checks for check in checks)
