"""What a validation checks, and with what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_utils.data.finding import CHECKS
from course_utils.errors import ConfigurationError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Settings:
    """The options that ``validate_dataset``, ``validate_rows`` and ``repair_dataset`` have in common.

    Raises:
        ConfigurationError: A check is unknown, or a number is not above 0.
    """

    checks: Sequence[str] = CHECKS
    """Names from ``CHECKS``."""
    tokenizers: Sequence["PreTrainedTokenizerBase"] = ()
    """Each row's length is counted with each of them."""
    max_length: int | None = None
    """A profile's limit in tokens."""
    sample: str = ""
    """A name that a profile gives: lengths are counted of the rows alone that the dataset's sample of this name has."""
    num_proc: int = 1
    """Processes to use."""

    def __post_init__(self) -> None:
        if unknown := [check for check in self.checks if check not in CHECKS]:
            raise ConfigurationError(f"check {', '.join(unknown)} is unknown; choose from {', '.join(CHECKS)}")
        for name, value in (("num_proc", self.num_proc), ("max_length", self.max_length)):
            if value is not None and value < 1:
                raise ConfigurationError(f"{name}={value} is not above 0; choose 1 or more")

    def wants(self, *checks: str) -> bool:
        """Whether any of them is to run."""
        return any(check in self.checks for check in checks)
