"""Sort support tickets: from a message to a label and a priority, as one JSON object.

Reading a reply is tolerant of what stands around the object, and takes its values as they are.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from course_utils.prompts import Message
from course_utils.tasks.task import Task

LABELS = ("how_to", "bug", "account", "billing", "shipping", "refund", "feature_request", "hardware", "outage")
"""What a ticket is about; ``data/tickets/README.md`` defines each."""
PRIORITIES = ("low", "normal", "high", "urgent")
"""How much waiting costs the customer, least first."""
FIELDS = ("label", "priority")

_FLAT_OBJECT = re.compile(r"\{[^{}]+\}")


def ticket_triage() -> Task:
    """The task of sorting tickets.

    Rows have ``id``, ``text``, ``label`` and ``priority``. The prompt names the labels and priorities
    and does not define them: what they mean is learned from examples.
    """
    return Task("ticket_triage", _to_messages, _to_target, read_reply)


def _to_messages(row: Mapping[str, Any]) -> list[Message]:
    instruction = (
        'Sort the support ticket. Reply with JSON: {"label": ..., "priority": ...}.\n'
        f"label: one of {', '.join(LABELS)}\n"
        f"priority: one of {', '.join(PRIORITIES)}"
    )
    return [{"role": "system", "content": instruction}, {"role": "user", "content": row["text"].strip()}]


def _to_target(row: Mapping[str, Any]) -> str:
    return json.dumps({field: row[field] for field in FIELDS})


def parse_triage(text: str) -> dict[str, str] | None:
    """The label and priority that a reply gives, or None where it gives no such object.

    Takes the first JSON object that has both fields as text: in a fence, amid words, after a chain of thought. The
    values stay as they are, in the closed set or not.
    """
    for flat in _FLAT_OBJECT.findall(text.rpartition("</think>")[2]):
        try:
            found = json.loads(flat)
        except (ValueError, RecursionError):
            continue
        if all(isinstance(found.get(field), str) for field in FIELDS):
            return {field: found[field] for field in FIELDS}
    return None


def read_reply(reply: str) -> str:
    """The object in a reply as canonical JSON; the stripped reply itself where there is none to read."""
    found = parse_triage(reply)
    return reply.strip() if found is None else json.dumps(found)
