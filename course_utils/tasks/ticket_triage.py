"""Sort support tickets: from a message to a label and a priority, as one JSON object.

Reading a reply is tolerant of what stands around the object, and takes its values as they are.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from course_utils.prompts import Message
from course_utils.tasks.task import Task

LABELS = ("how_to", "bug", "account", "billing", "shipping", "refund", "feature_request", "hardware", "outage")
"""What a ticket is about; ``data/tickets/README.md`` defines each."""
PRIORITIES = ("low", "normal", "high", "urgent")
"""How much waiting costs the customer, least first."""
FIELDS = ("label", "priority")

MAX_BRACES = 100
"""Places in a reply where an object is looked for; none of ours needs more than a few."""
_FLAT_OBJECT = re.compile(r"\{[^{}]{1,2000}\}")


def ticket_triage(labels: Sequence[str] = LABELS, priorities: Sequence[str] = PRIORITIES) -> Task:
    """The task of sorting tickets.

    Rows have ``id``, ``text``, ``label`` and ``priority``. The prompt names the labels and priorities
    and does not define them: what they mean is learned from examples.

    Args:
        labels: The closed set of labels.
        priorities: The closed set of priorities, least urgent first.
    """
    closed = {"label": tuple(labels), "priority": tuple(priorities)}
    return Task("ticket_triage", partial(_to_messages, closed=closed), _to_target, read_reply)


def _to_messages(row: Mapping[str, Any], closed: dict[str, tuple[str, ...]]) -> list[Message]:
    instruction = (
        'Sort the support ticket. Reply with JSON: {"label": ..., "priority": ...}.\n'
        f"label: one of {', '.join(closed['label'])}\n"
        f"priority: one of {', '.join(closed['priority'])}"
    )
    return [{"role": "system", "content": instruction}, {"role": "user", "content": row["text"].strip()}]


def _to_target(row: Mapping[str, Any]) -> str:
    return json.dumps({field: row[field] for field in FIELDS})


def parse_triage(text: str) -> dict[str, str] | None:
    """The label and priority that a reply gives, or None where it gives no such object.

    Takes the first object that has both fields as text: in a fence, amid words, after a chain of
    thought, with further fields, or with the single quotes of a Python dict. The values stay as they
    are, in the closed set or not.
    """
    for found in _objects(text.rpartition("</think>")[2]):
        if isinstance(found, dict) and all(isinstance(found.get(field), str) for field in FIELDS):
            return {field: found[field] for field in FIELDS}
    return None


def _objects(text: str) -> Iterator[object]:
    """What can be read from each opening brace: as JSON, else as a flat Python dict."""
    decoder = json.JSONDecoder()
    for brace in islice(re.finditer("{", text), MAX_BRACES):
        try:
            yield decoder.raw_decode(text, brace.start())[0]
        except (ValueError, RecursionError):
            if flat := _FLAT_OBJECT.match(text, brace.start()):
                yield _python_literal(flat[0])


def _python_literal(text: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a stray backslash in a model's reply
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None


def read_reply(reply: str) -> str:
    """The object in a reply as canonical JSON; the stripped reply itself where there is none to read."""
    found = parse_triage(reply)
    return reply.strip() if found is None else json.dumps(found)
