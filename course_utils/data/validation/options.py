"""The names of the checks, and what one validation checks and with what."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from course_utils.artifacts import open_course
from course_utils.errors import ConfigurationError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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
        ConfigurationError: A check or the engine is unknown, or ``max_length`` is not above 0.
    """

    checks: Sequence[str] = CHECKS
    """Names from ``CHECKS``."""
    tokenizers: Sequence["PreTrainedTokenizerBase"] = ()
    """Each row's length is counted with each of them; without one, or without ``max_length``, no length is checked."""
    max_length: int | None = None
    """A profile's limit in tokens."""
    sample: str = ""
    """A name that a profile gives: lengths are counted of the rows alone that the dataset's sample of this name has."""
    engine: str = "local"
    """What runs the checks of single rows, one of ``ENGINES``; those that compare rows run in this process."""
    progress: str = ""
    """Label of a progress bar over the rows that the local engine has checked; none if empty."""

    def __post_init__(self) -> None:
        if unknown := [check for check in self.checks if check not in CHECKS]:
            raise ConfigurationError(f"check {', '.join(unknown)} is unknown; choose from {', '.join(CHECKS)}")
        if self.engine not in ENGINES:
            raise ConfigurationError(f"engine {self.engine!r} is unknown; choose from {', '.join(ENGINES)}")
        if self.max_length is not None and self.max_length < 1:
            raise ConfigurationError(f"max_length={self.max_length} is not above 0; choose 1 or more")

    def wants(self, *checks: str) -> bool:
        """Whether any of them is to run."""
        return any(check in self.checks for check in checks)


def with_profile(options: ValidationOptions, name: str) -> ValidationOptions:
    """The options with a profile's tokenizer, limit and sample.

    Raises:
        ConfigurationError: There is no such profile.
        ModelError: Its tokenizer cannot be loaded.
    """
    course = open_course(name)
    if not options.wants("length"):
        return options
    from course_utils.models import load_tokenizer

    profile, tokenizer = course.profile, load_tokenizer(course.model)
    return replace(options, tokenizers=(tokenizer,), max_length=profile.max_length, sample=profile.sample)
