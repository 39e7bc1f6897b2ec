"""Rows as conversations and back, for the formats that hold nothing but messages.

A row of the course becomes its prompt and its answer. The fields that no message holds word for word go
to ``metadata``, so that reading gives the same row, with whatever others edited in the messages::

    {"messages": [...], "metadata": {"held": {"question": -2, "query": -1}, "fields": {"id": ..., "db_id": ...}}}

A conversation from elsewhere, without such metadata, becomes the row
``{"messages": [the prompt], "target": "the answer", ...}`` with its further fields as they are. Where the answer is
more than plain text (a tool call, parts), ``messages`` keeps all and there is no ``target``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from course_utils.data.formats.record import Misfit, Row

Message = dict[str, Any]
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True)
class Shape:
    """How a format writes the messages of a conversation, the last of which is the answer."""

    keys: frozenset[str]
    """The format's own fields."""
    to_fields: Callable[[list[Message]], Row]
    """Raises ``Misfit`` where the format cannot hold such messages."""
    to_messages: Callable[[Row], list[Message]]
    """Raises ``Misfit`` where the fields are none of the format."""


@dataclass(frozen=True)
class View:
    """What a row asks and what the answer is; a task's functions of the same names fit."""

    to_messages: Callable[[Row], list[dict[str, str]]]
    to_target: Callable[[Row], str]


def ask_question(row: Row) -> list[dict[str, str]]:
    """The question alone, for want of a schema.

    Raises:
        Misfit: There is none.
    """
    if not isinstance(row.get("question"), str):
        raise Misfit('"question" is missing or not text; give to_messages, which tells what the row asks')
    return [{"role": "user", "content": row["question"]}]


def answer_query(row: Row) -> str:
    """The row's query.

    Raises:
        Misfit: There is none.
    """
    if not isinstance(row.get("query"), str):
        raise Misfit('"query" is missing or not text; give to_target, which tells what the answer is')
    return str(row["query"])


def to_fields(row: Row, shape: Shape, view: View) -> Row:
    """What a file of this format shows of a row.

    Raises:
        Misfit: The format cannot hold the row so that reading gives it back.
    """
    if _is_conversation(row):
        fields = _conversation_fields(row, shape)
    else:
        prompt = [dict(message) for message in view.to_messages(row)]
        fields = _row_fields(row, shape.to_fields([*prompt, _answer(view.to_target(row))]), shape)
    if to_row(fields, shape) != row:
        raise Misfit("the format would give the row back changed; choose another format")
    return fields


def to_row(fields: Row, shape: Shape) -> Row:
    """The row that a file shows.

    Raises:
        Misfit: The fields are none of the format.
    """
    messages = shape.to_messages(fields)
    if messages[-1]["role"] != "assistant":
        raise Misfit("the last message is not the assistant's; end the row with the answer")
    extra = {name: value for name, value in fields.items() if name not in shape.keys}
    if _is_ours(extra.get("metadata")):
        return _restore(extra, messages)
    if taken := {"messages", "target"} & set(extra):
        raise Misfit(f"the field names {sorted(taken)} mean something else here; rename them")
    if set(messages[-1]) == {"role", "content"} and isinstance(messages[-1]["content"], str):
        return {"messages": messages[:-1], "target": messages[-1]["content"], **extra}
    return {"messages": messages, **extra}


def check_messages(value: Any, role: str = "role", content: str = "content") -> list[Message]:
    """A list of messages as it came.

    Raises:
        Misfit: It is no list, is empty, or a message has no role or no content.
    """
    if not isinstance(value, list) or not value:
        raise Misfit(f'the messages are no list or empty; write [{{"{role}": ..., "{content}": ...}}, ...]')
    for number, message in enumerate(value, 1):
        if not isinstance(message, dict) or not isinstance(message.get(role), str):
            raise Misfit(f'message {number} has no "{role}"; write {{"{role}": ..., "{content}": ...}}')
        text = message.get(content)
        if not isinstance(text, str | list) and not (text is None and len(message) > 2):
            raise Misfit(f'message {number}: "{content}" is missing or not text; write text')
    return value


def _answer(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _is_conversation(row: Row) -> bool:
    messages = row.get("messages")
    return isinstance(messages, list) and all(isinstance(message, dict) and "role" in message for message in messages)


def _conversation_fields(row: Row, shape: Shape) -> Row:
    extra = {name: value for name, value in row.items() if name not in ("messages", "target")}
    if taken := shape.keys & set(extra):
        raise Misfit(f"the field names {sorted(taken)} mean something else here; rename them")
    messages = [*row["messages"], _answer(row["target"])] if "target" in row else row["messages"]
    return {**shape.to_fields(messages), **extra}


def _row_fields(row: Row, shown: Row, shape: Shape) -> Row:
    """The messages, with beside them the fields that no message holds by itself and word for word."""
    values = [value for value in row.values() if isinstance(value, str)]
    contents = [message["content"] for message in shape.to_messages(shown)]
    held = {
        name: contents.index(value) - len(contents)
        for name, value in row.items()
        if isinstance(value, str) and value and contents.count(value) == 1 and values.count(value) == 1
    }
    fields = {name: value for name, value in row.items() if name not in held}
    return {**shown, "metadata": {"held": held, "fields": fields}}


def _is_ours(metadata: Any) -> bool:
    return (
        isinstance(metadata, dict)
        and set(metadata) == {"held", "fields"}
        and isinstance(metadata["held"], dict)
        and isinstance(metadata["fields"], dict)
    )


def _restore(extra: Row, messages: list[Message]) -> Row:
    metadata = extra.pop("metadata")
    row = {**extra, **metadata["fields"]}
    for name, place in metadata["held"].items():
        if type(place) is not int or not -len(messages) <= place < 0 or "content" not in messages[place]:
            raise Misfit(f'metadata says that message {place} holds "{name}", and there is none; correct "held"')
        row[name] = messages[place]["content"]
    return row
