"""Convert rows to and from the layouts of other projects: four layouts of conversations, and BIRD's field names.

A row of the course becomes a conversation of its prompt and its query, with its other fields in ``metadata``; reading
it back keeps what somebody edited in the messages. A conversation of several turns, or without ``db_id`` in its
metadata, is read as ``{"messages": [the prompt], "target": "the answer", ...}``; if the answer is not plain text (a
tool call, say), as ``{"messages": [all messages], ...}``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from course_utils.data.formats.record import RowError
from course_utils.files import Row
from course_utils.tasks import Task

Message = dict[str, Any]
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
SPEAKERS = {"human": "user", "gpt": "assistant", "observation": "tool", **{role: role for role in ROLES}}
"""The role for each name that ShareGPT files use; the first name of a role is the one that is written."""
SPEAKERS |= dict.fromkeys(("chatgpt", "model", "function_call", "tool_call"), "assistant") | {"tool_response": "tool"}
_SHAREGPT = {"from": "role", "value": "content"}


class Layout(NamedTuple):
    """How a format writes the messages of a conversation, the last of which is the answer."""

    names: tuple[str, ...]  # the format's own fields
    to_messages: Callable[[Row], Any]  # the result is unchecked: a stranger's file may hold anything there
    to_fields: Callable[[list[Message]], Row]  # raises RowError if the format cannot hold the messages


def to_row(fields: Row) -> Row:
    """The course's row for a file's fields, whose layout is recognised; raises RowError for a broken conversation."""
    if "question" not in fields and "target" not in fields:
        for layout in LAYOUTS.values():
            if all(name in fields or name == "input" for name in layout.names):
                return _from_conversation(fields, layout)
    return _from_bird(fields) if "SQL" in fields or "evidence" in fields else fields


def to_fields(row: Row, layout: Layout, task: Task) -> Row:
    """The fields in which ``layout`` writes a row or a conversation; raises RowError if it cannot hold it."""
    if isinstance(row.get("messages"), list):
        answer = [{"role": "assistant", "content": row["target"]}] if "target" in row else []
        messages = _checked([*row["messages"], *answer])
        extra = _without(row, "messages", "target")
    else:
        messages = [*task.to_messages(row), {"role": "assistant", "content": task.to_target(row)}]
        extra = {"metadata": _without(row, "question", "query")}
    return {**layout.to_fields(messages), **extra}


def _without(fields: Row, *names: str) -> Row:
    return {name: value for name, value in fields.items() if name not in names}


def _from_conversation(fields: Row, layout: Layout) -> Row:
    messages = _checked(layout.to_messages(fields))
    *prompt, answer = messages
    if answer["role"] != "assistant":
        raise RowError("the last message is not the assistant's; end the row with the answer")
    extra = _without(fields, *layout.names)
    if _filled(answer) != {"role", "content"} or not isinstance(answer["content"], str):
        return {"messages": messages, **extra}
    metadata = extra.get("metadata")
    asked = [message for message in prompt if message["role"] != "system"]
    if isinstance(metadata, dict) and "db_id" in metadata and [message["role"] for message in asked] == ["user"]:
        more = _without(extra, "metadata") | metadata
        return {**more, "question": asked[0].get("content"), "query": answer["content"]}
    return {"messages": prompt, "target": answer["content"], **extra}


def _from_bird(fields: Row) -> Row:
    """A row with BIRD's "SQL" renamed to "query", "question_id" to "id", and the evidence added to the question."""
    row = dict(fields)
    if "SQL" in row and "query" not in row:
        row["query"] = row.pop("SQL")
    if row.get("question_id") is not None and "id" not in row:
        row["id"] = str(row.pop("question_id"))
    question, evidence = row.get("question"), row.get("evidence")
    if isinstance(question, str) and question.strip() and isinstance(evidence, str) and evidence.strip():
        addition = f" Evidence: {evidence.strip()}"
        # The question of a row that was read and written before already ends with it.
        row["question"] = question if question.endswith(addition) else question + addition
    return row


def _checked(messages: Any) -> list[Message]:
    """The messages unchanged; raises RowError if there are none, or if one lacks a known role or content."""
    if not isinstance(messages, list) or not messages:
        raise RowError('the messages are no list or empty; write [{"role": ..., "content": ...}, ...]')
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise RowError(f'message {number} has no known "role" or "from"; use {", ".join(ROLES)}')
        content = message.get("content")
        # A message with a tool call needs no content.
        if not isinstance(content, str | list) and (content is not None or _filled(message) == {"role"}):
            raise RowError(f'message {number}: "content" is missing or not text; write text')
    return messages


def _filled(message: Message) -> set[str]:
    """The names of fields that are not None or an empty list: libraries add ``"tool_calls": null`` to every message."""
    return {name for name, value in message.items() if value not in (None, [])}


def _from_sharegpt(fields: Row) -> Any:
    turns = fields["conversations"]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise RowError('the conversations are no list of turns; write [{"from": ..., "value": ...}, ...]')
    messages = [{_SHAREGPT.get(name, name): value for name, value in turn.items()} for turn in turns]
    return [{**message, "role": SPEAKERS.get(str(message.get("role")))} for message in messages]


def _to_sharegpt(messages: list[Message]) -> Row:
    speakers = {role: name for name, role in reversed(SPEAKERS.items())}
    names = {role: name for name, role in _SHAREGPT.items()}
    turns = [{**message, "role": speakers[message["role"]]} for message in messages]
    return {"conversations": [{names.get(name, name): value for name, value in turn.items()} for turn in turns]}


def _from_alpaca(fields: Row) -> Any:
    if fields.get("system") or fields.get("history"):
        raise RowError('"system" and "history" are no fields of Alpaca; use the openai layout for such conversations')
    instruction, text = fields["instruction"], fields.get("input")
    asked = [("system", instruction), ("user", text)] if text else [("user", instruction)]
    return [{"role": role, "content": content} for role, content in (*asked, ("assistant", fields["output"]))]


def _to_alpaca(messages: list[Message]) -> Row:
    # Alpaca's own prompt template is not applied: the tokenizer's chat template is, later.
    texts = {message["role"]: message.get("content") for message in messages}
    if [*texts] not in (["user", "assistant"], ["system", "user", "assistant"]):
        raise RowError("alpaca holds one user message, its answer and one system message; choose the openai layout")
    system, user, output = texts.get("system"), texts["user"], texts["assistant"]
    return {"instruction": system or user, "input": user if system else "", "output": output}


def _from_completion(fields: Row) -> Any:
    prompt, completion = fields["prompt"], fields["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    if not isinstance(prompt, list) or not isinstance(completion, list):
        raise RowError('"prompt" and "completion" are not both text or both lists of messages; write one of these')
    return [*prompt, *completion]


LAYOUTS = {
    "openai": Layout(("messages",), lambda fields: fields["messages"], lambda messages: {"messages": messages}),
    "sharegpt": Layout(("conversations",), _from_sharegpt, _to_sharegpt),
    "alpaca": Layout(("instruction", "input", "output"), _from_alpaca, _to_alpaca),
    "prompt-completion": Layout(
        ("prompt", "completion"), _from_completion, lambda chat: {"prompt": chat[:-1], "completion": chat[-1:]}
    ),
}
"""The layouts by name. ``prompt-completion`` is TRL's: written as lists of messages, and also read as two texts."""
