"""Move dates by a number of days and keep the way they are written, so that order and intervals stay."""

import re
from datetime import datetime, timedelta

from course_utils.data.privacy.context_patterns import DATE
from course_utils.data.privacy.keys import PseudonymKey

FORMATS = (
    *("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y"),
    *("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y", "%d. %B %Y", "%d %B, %Y"),
)
_DATE = re.compile(rf"(?<![\w.-]){DATE}(?![\d])", re.IGNORECASE)
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)(?: of)?\b")


def days_of(key: PseudonymKey) -> int:
    """How far the key moves dates: 30 to 730 days back or ahead."""
    chances = key.chances("days")
    return chances.choice((-1, 1)) * chances.randint(30, 730)


def shift_date(date: str, days: int) -> str:
    """The date `days` later, written the same way; ``1970-01-01`` for one that no format reads."""
    plain = _ORDINAL.sub("", date)
    for form in FORMATS:
        try:
            moved = datetime.strptime(plain, form) + timedelta(days=days)
        except (ValueError, OverflowError):
            continue
        return moved.strftime(form)
    return "1970-01-01"


def shift_dates(text: str, days: int) -> str:
    """The text with every full date moved; a time of day after it stays."""
    return _DATE.sub(lambda found: shift_date(found[0], days), text)
