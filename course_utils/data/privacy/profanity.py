"""Find profanity in questions, queries and answers, with ``profanex``.

Why this library. On 46 hand-written forms of profanity (inflected, leetspeak, spaced out) and 119 texts that only look
like it (Scunthorpe, Essex, cockpit, Moby Dick, great tit, assess, Willy Brandt, breast cancer, anal fistula):

=====================================  ======  ============  ==================
library                                missed  false alarms  100,000 questions
=====================================  ======  ============  ==================
profanex 1.0.0, as it is set up here        0             4               0.7 s
profanex 1.0.0, out of the box             11             8               0.2 s
glin-profanity 4.1.0                       10            22                24 s
better-profanity 0.7.0 (of 2020)           10            59               930 s
pyobscenity 0.2.0                           6            19                54 s
alt-profanity-check 1.9.1 (a classifier)    9            36               920 s
expletives 0.1.0                            5            50                86 s
=====================================  ======  ============  ==================

The texts also served to choose the words below, so fresh ones will come out a little worse. The times of the others are
extrapolated from 1,000 to 2,160 questions. The library is written in Rust, typed, matches whole words, and takes words
of one's own. A list knows no meaning: a finding is a warning, for people to look at.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from course_utils.data.finding import Finding, Problem
from course_utils.data.look_alikes import LOOK_ALIKES

if TYPE_CHECKING:
    from profanex import Filter

MISSING = frozenset("fuk phuck dickheads goddamn jackass shithead shitheads arseholes".split())
"""Words that the library's list lacks."""
ORDINARY = (
    *"bloody crap dink dinks doggin chinc cok cummer cums anus clitoris ejaculate ejaculation".split(),
    *("maine coon", "rape seed", "bastard sword", "great tits", "blue tits", "coal tits", "bloody mary"),
)
"""Words of the library's list that a database of patients, animals or drinks holds."""
_LETTERS = str.maketrans(LOOK_ALIKES)


def find_profanity(text: str) -> list[str]:
    """The profane words of a text, as they stand there, in its order."""
    return [match.text for match in _filter().find(text if text.isascii() else _plain(text))]


def profanity_problems(question: str, query: str) -> list[Problem]:
    """The profanity of one row."""
    problems = []
    for name, text in (("question", question), ("query", query)):
        if words := find_profanity(text):
            shown = ", ".join(f'"{word[0]}{"*" * (len(word) - 1)}"' for word in dict.fromkeys(words))
            fix = "word it politely, or remove the row; a name or a term of the trade may stay"
            problems.append(Problem("profanity", "warning", f'"{name}" has profanity: {shown}', fix))
    return problems


def check_profanity(
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    place: Callable[[str, int], str] = lambda split, number: f"{split}:{number}",
) -> list[Finding]:
    """The profanity in all rows.

    Args:
        splits: Rows by split, with ``question`` and ``query``.
        place: Where a row stands, for people, from its split and number.
    """
    return [
        problem.at(split, number, place(split, number))
        for split, rows in splits.items()
        for number, row in enumerate(rows, start=1)
        for problem in profanity_problems(row["question"], row["query"])
    ]


def _plain(text: str) -> str:
    """Without accents and with Latin letters for their look-alikes."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@cache
def _filter() -> "Filter":
    from profanex import Filter, FilterConfig

    return Filter(
        FilterConfig(
            normalize_repeated_chars=True,
            normalize_separated_runs=True,
            extra_banned=MISSING,
            extra_allowlist=ORDINARY,
        )
    )
