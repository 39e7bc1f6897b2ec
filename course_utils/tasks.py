"""The tasks that models are trained on, each one object, so that training and evaluation need no code per task.

A task does not score replies. Its functions are module-level functions or partials of them, because they are pickled
for child processes.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from course_utils.errors import DataError
from course_utils.prompts import Message, read_query, to_messages

LABELS = ("how_to", "bug", "account", "billing", "shipping", "refund", "feature_request", "hardware", "outage")
"""The topic of a ticket; ``data/tickets/README.md`` defines each."""
PRIORITIES = ("low", "normal", "high", "urgent")
"""How urgent a ticket is, from least to most."""
FIELDS = ("label", "priority")
UNSPACED_LETTERS = "\u0e00-\u109f\u1780-\u17ff\u3005-\u312f\u31f0-\u31ff\u3400-\u9fff\U00020000-\U0003ffff"
"""Of scripts without spaces between words, for a class of letters: Thai to Burmese, Khmer, kana, Chinese."""
_MARKS = ".,;:!?\"'()[]{}…“”‘’„«»`¿¡؟،؛。、"


@dataclass(frozen=True)
class Task:
    """Three functions: from a row to its prompt, from a row to the reply to learn, and from a reply to the answer."""

    to_messages: Callable[[Mapping[str, Any]], list[Message]]
    """The prompt of a row, as a chat."""
    to_target: Callable[[Mapping[str, Any]], str]
    """The reply that the model should give to a row."""
    read_reply: Callable[[str], str]
    """The answer within a reply, which becomes the row's ``predicted``."""


def normalise(question: str) -> str:
    """Reduce a question to its words, so that spellings of one question compare equal.

    Removes case, Unicode variants (NFKC), invisible characters and punctuation around words: ``"Who's 3.5%?"``
    becomes ``who's 3.5%``.
    """
    plain = unicodedata.normalize("NFKC", question)
    if not plain.isascii():  # soft hyphens, zero-width spaces, marks of direction
        plain = "".join(each for each in plain if unicodedata.category(each) != "Cf")
    words = plain.casefold().split()
    return " ".join(filter(None, (word.strip(_MARKS) for word in words)))


def text_to_sql(schemas: Mapping[str, str]) -> Task:
    """The task of writing a query for a row's ``question``; ``schemas`` maps each ``db_id`` to its rendered schema."""
    return Task(partial(_ask_for_sql, schemas=schemas), itemgetter("query"), read_query)


def _ask_for_sql(row: Mapping[str, Any], schemas: Mapping[str, str]) -> list[Message]:
    if row["db_id"] not in schemas:
        raise DataError(f"schemas: no schema of {row['db_id']}; run notebooks/02_data.ipynb on this dataset again")
    return to_messages(schemas[row["db_id"]], row["question"])


def ticket_triage() -> Task:
    """The task of classifying tickets: rows have ``text``, ``label`` and ``priority``, the reply is one JSON object.

    The prompt names the labels and priorities without defining them, because training teaches their meaning.
    """
    return Task(_ask_for_triage, _to_json, read_triage)


def _ask_for_triage(row: Mapping[str, Any]) -> list[Message]:
    instruction = (
        'Sort the support ticket. Reply with JSON: {"label": ..., "priority": ...}.\n'
        f"label: one of {', '.join(LABELS)}\n"
        f"priority: one of {', '.join(PRIORITIES)}"
    )
    return [{"role": "system", "content": instruction}, {"role": "user", "content": row["text"].strip()}]


def _to_json(row: Mapping[str, Any]) -> str:
    return json.dumps({field: row[field] for field in FIELDS})


def parse_triage(text: str) -> dict[str, str] | None:
    """The label and priority from the first JSON object in a reply that has both as strings, or None without one.

    The values need not be in ``LABELS`` and ``PRIORITIES``. The object may have other keys or be nested in another.
    """
    answer = text.rpartition("</think>")[2][:10_000]  # bounds the time, because every brace is tried as a start
    for brace in re.finditer(r"\{", answer):
        with suppress(ValueError, RecursionError):
            found, _ = json.JSONDecoder().raw_decode(answer, brace.start())
            if all(isinstance(found.get(field), str) for field in FIELDS):
                return {field: found[field] for field in FIELDS}
    return None


def read_triage(reply: str) -> str:
    """The label and priority of ``parse_triage`` as JSON in a fixed form; the stripped reply if it has none."""
    found = parse_triage(reply)
    return reply.strip() if found is None else json.dumps(found)
