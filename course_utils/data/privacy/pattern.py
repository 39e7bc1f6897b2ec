"""One form that personal data takes: a regular expression and a check of what it finds."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from course_utils.data.privacy.kinds import Kind, PersonalData


def anything(text: str) -> bool:
    """No check: the form alone decides."""
    return True


@dataclass(frozen=True)
class Pattern:
    """One form of one kind; the group ``it`` is the personal part, and must be `valid`."""

    kind: Kind
    score: float  # 0-1, higher is surer
    regex: re.Pattern[str]
    valid: Callable[[str], bool] = anything

    def find(self, text: str) -> Iterator[PersonalData]:
        """Every valid match."""
        for match in self.regex.finditer(text):
            if self.valid(match["it"]):
                yield PersonalData(self.kind, *match.span("it"), match["it"], self.score)
