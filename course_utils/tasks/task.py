"""The task as one small object: prompt, target, and what counts of a reply.

How good the replies are is not the task's business: ``course_utils.evaluation`` runs queries, other tasks bring their
own scores. The three functions are module-level functions or partials of them, so that a task can be pickled and sent
to worker processes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from course_utils.prompts import Message


@dataclass(frozen=True)
class Task:
    """What a model is asked and taught, and how its replies are read."""

    name: str
    to_messages: Callable[[Mapping[str, Any]], list[Message]]
    """The prompt of a row."""
    to_target: Callable[[Mapping[str, Any]], str]
    """What the model should reply to it."""
    read_reply: Callable[[str], str]
    """What counts of a reply; goes into the row's ``predicted``."""
