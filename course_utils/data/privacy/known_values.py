"""Find values that are known to be personal in a text, however they are spaced and in whichever case."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from course_utils.data.privacy.kinds import Kind, PersonalData
from course_utils.data.privacy.pseudonyms import BY_WORDS, WORD


class KnownValues:
    """An index by first word, because a database has thousands of names and a dataset thousands of texts."""

    def __init__(self, values: Iterable[tuple[Kind, str]]) -> None:
        self._by_word: dict[str, list[tuple[Kind, list[str]]]] = defaultdict(list)
        self._words: set[str] = set()  # of names of several words
        numbers: dict[str, Kind] = {}
        for kind, text in values:
            if kind not in BY_WORDS:
                numbers[text.lower()] = kind
            elif words := [word.lower() for word in WORD.findall(text)]:
                self._by_word[words[0]].append((kind, words))
                self._words |= {word for word in words if len(words) > 1 and len(word) > 2}
        ordered = sorted(numbers, key=len, reverse=True)
        self._kinds = [numbers[text] for text in ordered]
        groups = "|".join(f"({_loosely(text)})" for text in ordered)
        self._numbers = re.compile(rf"(?<!\w)(?:{groups})(?!\w)", re.IGNORECASE) if ordered else None

    def find(self, text: str, values: frozenset[str]) -> Iterator[PersonalData]:
        """Every known value in a text.

        Args:
            text: A question, or a quoted text of a query.
            values: The quoted texts of the row's query in lower case: what stands there is a value in the question as
                well, even a name of one small word, and a word of a name by itself (``LIKE '%Berg%'``).
        """
        if self._numbers:
            for match in self._numbers.finditer(text):
                yield PersonalData(self._kinds[(match.lastindex or 1) - 1], *match.span(), match[0], 1.0)
        words = list(WORD.finditer(text))
        lowered = [word[0].lower() for word in words]
        for place, word in enumerate(words):
            for kind, wanted in self._by_word.get(lowered[place], ()):
                last = place + len(wanted) - 1
                if lowered[place : last + 1] == wanted and (len(wanted) > 1 or _is_value(word[0], values)):
                    span = word.start(), words[last].end()
                    yield PersonalData(kind, *span, text[slice(*span)], 1.0)
            if lowered[place] in self._words and lowered[place] in values:
                yield PersonalData("name", *word.span(), word[0], 0.9)


def _is_value(word: str, values: frozenset[str]) -> bool:
    return not word.islower() or word.lower() in values


def _loosely(text: str) -> str:
    """A pattern for a number with any spaces and hyphens; for other values the text itself."""
    characters = [c for c in text if c.isalnum()]
    if sum(c.isdigit() for c in characters) < 7 or "@" in text or ":" in text:
        return re.escape(text)
    return r"[\s()./-]{0,3}".join([r"\(?(?:\+|00)?" if text.startswith("+") else "", *map(re.escape, characters)])
