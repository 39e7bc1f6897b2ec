"""What a model is taught: a task is one small object, so that training and evaluation know no task by name.

How good replies are is no task's business. Its functions are of this module, or partials, to be sent to processes.
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
"""What a ticket is about; ``data/tickets/README.md`` defines each."""
PRIORITIES = ("low", "normal", "high", "urgent")
"""How much waiting costs the customer, least first."""
FIELDS = ("label", "priority")
_MARKS = ".,;:!?\"'()[]{}…“”‘’„«»`¿¡؟،؛。、"


@dataclass(frozen=True)
class Task:
    """What a model is asked and taught, and how its replies are read."""

    to_messages: Callable[[Mapping[str, Any]], list[Message]]
    """The prompt of a row."""
    to_target: Callable[[Mapping[str, Any]], str]
    """What the model should reply to it."""
    read_reply: Callable[[str], str]
    """What counts of a reply; goes into the row's ``predicted``."""


def normalise(question: str) -> str:
    """The words without case, Unicode's variants, invisible characters, and marks around them.

    ``"Who's 3.5%?"`` is ``who's 3.5%``.
    """
    plain = unicodedata.normalize("NFKC", question)
    if not plain.isascii():  # soft hyphens, zero-width spaces, marks of direction
        plain = "".join(each for each in plain if unicodedata.category(each) != "Cf")
    words = plain.casefold().split()
    return " ".join(filter(None, (word.strip(_MARKS) for word in words)))


def text_to_sql(schemas: Mapping[str, str]) -> Task:
    """The task of writing a query for a row's ``question``, given the rendered schema of its ``db_id``."""
    return Task(partial(_ask_for_sql, schemas=schemas), itemgetter("query"), read_query)


def _ask_for_sql(row: Mapping[str, Any], schemas: Mapping[str, str]) -> list[Message]:
    if row["db_id"] not in schemas:
        raise DataError(f"schemas: no schema of {row['db_id']}; run notebooks/02_data.ipynb on this dataset again")
    return to_messages(schemas[row["db_id"]], row["question"])


def ticket_triage() -> Task:
    """The task of sorting tickets: rows have ``text``, ``label`` and ``priority``, the reply is one JSON object.

    The prompt names the labels and priorities and does not define them: what they mean is learned from examples.
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
    """The label and priority of the first JSON object in a reply that has both as text, or None where there is none.

    They stay as they are, in the closed set or not. The object may hold others, or lie in one.
    """
    answer = text.rpartition("</think>")[2][:10_000]  # more is no such reply, and each brace would begin it anew
    for brace in re.finditer(r"\{", answer):
        with suppress(ValueError, RecursionError):
            found, _ = json.JSONDecoder().raw_decode(answer, brace.start())
            if all(isinstance(found.get(field), str) for field in FIELDS):
                return {field: found[field] for field in FIELDS}
    return None


def read_triage(reply: str) -> str:
    """The object in a reply as canonical JSON; the stripped reply itself where there is none to read."""
    found = parse_triage(reply)
    return reply.strip() if found is None else json.dumps(found)
