"""The fields of the formats that hold conversations: OpenAI, ShareGPT, Alpaca and prompt-completion."""

from typing import Any

from course_utils.data.formats.conversation import ROLES, Message, Shape, check_messages
from course_utils.data.formats.record import Misfit, Row

SPEAKERS = {
    "human": "user",
    "gpt": "assistant",
    "system": "system",
    "tool": "tool",
    "developer": "developer",
    "function": "function",
    "user": "user",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "observation": "tool",
}
"""ShareGPT's names for the roles. The first for a role is what we write."""
_FIRST = {role: name for name, role in reversed(SPEAKERS.items())}


def _openai_messages(fields: Row) -> list[Message]:
    messages = check_messages(fields.get("messages"))
    for number, message in enumerate(messages, 1):
        if message["role"] not in ROLES:
            raise Misfit(f"message {number}: the role {message['role']!r} is unknown; use {', '.join(ROLES)}")
    return messages


OPENAI = Shape(frozenset({"messages"}), lambda messages: {"messages": messages}, _openai_messages)
"""``{"messages": [{"role", "content"}, ...]}``"""


def _sharegpt_fields(messages: list[Message]) -> Row:
    if any({"from", "value"} & set(message) or message.get("role") not in _FIRST for message in messages):
        raise Misfit("a message has a role or a field that ShareGPT has not; choose the openai format")
    return {"conversations": [_renamed(message, "role", "content", "from", "value", _FIRST) for message in messages]}


def _sharegpt_messages(fields: Row) -> list[Message]:
    turns = check_messages(fields.get("conversations"), "from", "value")
    for number, turn in enumerate(turns, 1):
        if turn["from"] not in SPEAKERS or {"role", "content"} & set(turn):
            raise Misfit(f"message {number}: from {turn['from']!r} is unknown; use {', '.join(SPEAKERS)}")
    return [_renamed(turn, "from", "value", "role", "content", SPEAKERS) for turn in turns]


def _renamed(message: Message, who: str, what: str, new_who: str, new_what: str, names: dict[str, str]) -> Message:
    further = {name: value for name, value in message.items() if name not in (who, what)}
    said = {new_what: message[what]} if what in message else {}
    return {new_who: names[message[who]], **said, **further}


SHAREGPT = Shape(frozenset({"conversations"}), _sharegpt_fields, _sharegpt_messages)
"""``{"conversations": [{"from": "human", "value"}, {"from": "gpt", "value"}]}``; further names of the speakers are
read, and written as these."""


def _plain(messages: list[Message], roles: tuple[str, ...], format_: str) -> list[str]:
    """The texts of messages that have just these roles and nothing but text."""
    if tuple(message.get("role") for message in messages) != roles or not all(
        set(message) == {"role", "content"} and isinstance(message["content"], str) for message in messages
    ):
        raise Misfit(f"{format_} holds plain messages of {', '.join(roles)}; choose the openai format")
    return [message["content"] for message in messages]


def _alpaca_fields(messages: list[Message]) -> Row:
    if len(messages) == 2:
        instruction, output = _plain(messages, ("user", "assistant"), "alpaca")
        return {"instruction": instruction, "input": "", "output": output}
    instruction, text, output = _plain(messages, ("system", "user", "assistant"), "alpaca")
    return {"instruction": instruction, "input": text, "output": output}


def _alpaca_messages(fields: Row) -> list[Message]:
    instruction, text, output = (_text(fields, name) for name in ("instruction", "input", "output"))
    for name in ("system", "history"):
        if fields.get(name):
            raise Misfit(f'"{name}" is no field of Alpaca; use the openai format for such conversations')
    answer = {"role": "assistant", "content": output}
    if not text:
        return [{"role": "user", "content": instruction}, answer]
    return [{"role": "system", "content": instruction}, {"role": "user", "content": text}, answer]


def _text(fields: Row, name: str) -> str:
    value: Any = fields.get(name)
    if value is None and name == "input":  # many files leave it out
        return ""
    if not isinstance(value, str):
        raise Misfit(f'"{name}" is {"missing" if value is None else "not text"}; write text')
    return value


ALPACA = Shape(frozenset({"instruction", "input", "output"}), _alpaca_fields, _alpaca_messages)
"""``{"instruction", "input", "output"}``: instruction and input are a system message and the user's; without input,
the instruction is the user's. No template joins them: that is the tokenizer's business."""


def _completion_fields(messages: list[Message]) -> Row:
    return {"prompt": messages[:-1], "completion": messages[-1:]}


def _text_completion_fields(messages: list[Message]) -> Row:
    prompt, completion = _plain(messages, ("user", "assistant"), "prompt-completion-text")
    return {"prompt": prompt, "completion": completion}


def _completion_messages(fields: Row) -> list[Message]:
    prompt, completion = fields.get("prompt"), fields.get("completion")
    if isinstance(prompt, str) and isinstance(completion, str):
        return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    if not isinstance(prompt, list) or not isinstance(completion, list) or len(completion) != 1:
        raise Misfit('"prompt" and "completion" are not both text or both lists of messages; write one of these')
    return _openai_messages({"messages": [*prompt, *completion]})


COMPLETION = Shape(frozenset({"prompt", "completion"}), _completion_fields, _completion_messages)
"""``{"prompt": [messages], "completion": [message]}``, which TRL trains on; text is read as well."""
TEXT_COMPLETION = Shape(frozenset({"prompt", "completion"}), _text_completion_fields, _completion_messages)
"""``{"prompt": "...", "completion": "..."}``, for prompts of a single message."""
