"""The one prompt: from schema and question to chat messages, and from messages to token ids.

Training, evaluation and serving all use this module, so that a model in production gets exactly the prompts that it
was trained on. The chat template is the tokenizer's own; no special token is written here.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_utils.errors import ModelError
from course_utils.files import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]
Prompt = list[Message] | str
"""A chat, which the model's template renders, or a text that the model continues."""

_THOUGHT = re.compile(r"\A.*(?:</think(?:ing)?>|\[/THINK\])|(?:<think(?:ing)?>|\[THINK\]).*", re.DOTALL)
_FENCE = re.compile(
    r"""(?:^(?P<indent>[ \t]*)|(?<=[\s:])(?=[`~]{3}\S*[ \t\r]*$))  # begins a line (CommonMark), or ends a lead-in
    (?P<fence>(?P<mark>[`~])(?P=mark){2,}+)(?=[^`\n]*(?:\n|\Z))
    (?P<info>[^`\n]*?)(?:\n|\Z|(?=\b(?:SELECT|select|WITH)\s))  # or a query begins on the same line
    (?P<query>.*?)
    (?:^[ \t]*(?P=fence)(?P=mark)*+(?!\w)  # closed by as many marks or more,
    |(?=^[ \t]*(?P=fence)\w)  # or by the next block,
    |(?P=fence)(?!(?P=mark))[ \t\r]*$  # or, unlike CommonMark, at the end of the query's last line,
    |\Z)  # or cut off""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_SPAN = re.compile(r"(?<!`)(?P<ticks>`{3,}+)\s*+(?:\w{,20}(?i:sql)\w{,20}\s)?(?P<query>.+?)(?P=ticks)(?!`)", re.DOTALL)
_NAME = re.compile(r"\s*+[\w.]*\s*")
BLOCK_END = "```"
"""The stop string for a document: it closes the SQL block that ``to_document`` leaves open."""
_BATCH = 1_000  # texts tokenized in one call, because the returned encodings take some kilobytes each
INSTRUCTION = "Write one SQLite query that answers the question."
TEMPLATE_OPTIONS = {"enable_thinking": False, "date_string": "26 Jul 2024"}
"""Variables for every chat template, in training and in every server; a template ignores those that it does not know.
``enable_thinking`` makes hybrid models such as Qwen3 answer at once, because training shows them no chain of thought.
``date_string`` fixes the date in Llama 3's system message, which would else change daily, to its template's default."""


@dataclass(frozen=True)
class EncodedExample:
    """One training row: ``input_ids``, and as long a ``completion_mask``: 1 where the loss counts, 0 on the prompt."""

    input_ids: list[int]
    completion_mask: list[int]
    shared_prefix: str = ""
    """The content of the first message; rows that share it begin with the same tokens."""


def to_messages(schema: str, question: str) -> list[Message]:
    """The chat that asks for a query; ``schema`` is the text that ``sql.schema.Schema.render`` returns."""
    system = f"{INSTRUCTION}\n\n{schema}"
    return [{"role": "system", "content": system}, {"role": "user", "content": question.strip()}]


def add_examples(messages: list[Message], examples: Iterable[tuple[str, str]]) -> list[Message]:
    """Insert (question, answer) pairs before a chat's last message: few-shot prompting (Brown et al., 2005.14165)."""
    turns = [[("user", question), ("assistant", answer)] for question, answer in examples]
    shown = [{"role": role, "content": content} for pair in turns for role, content in pair]
    return [*messages[:-1], *shown, messages[-1]]


def to_document(messages: list[Message]) -> str:
    """Render a chat without a template, as Markdown that ends in an open SQL block, which the answer is to fill.

    For base models, which continue texts and do not chat, and to see what a model knows that its chats do not show.
    """
    shown = {"user": "{}\n```sql\n", "assistant": f"{{}}\n{BLOCK_END}\n\n"}
    return "".join(shown.get(message["role"], "{}\n\n").format(message["content"]) for message in messages)


def encode_prompt(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt) -> list[int]:
    """Token ids of a prompt: of a chat with the marker that begins the reply, of a document with its special tokens.

    Raises:
        ModelError: The tokenizer has no chat template or one that refuses or leaves out a message, or it doubles
            its beginning-of-text token.
    """
    if isinstance(prompt, str):
        return list(tokenizer(prompt)["input_ids"])
    text = render_chat(tokenizer, prompt, add_generation_prompt=True)
    if left_out := [message["role"] for message in prompt if message["content"].strip() not in text]:
        raise _refused(tokenizer, f"its chat template leaves out the {left_out[0]} message")
    ids = encode_text(tokenizer, text)
    bos = tokenizer.bos_token_id
    if bos is not None and ids[:2] == [bos, bos]:
        raise _refused(tokenizer, f"the prompt begins with two {tokenizer.bos_token!r} tokens")
    return ids


def encode_example(tokenizer: "PreTrainedTokenizerBase", messages: list[Message], completion: str) -> EncodedExample:
    """Token ids of the prompt, the completion and the end token, and the mask of the tokens to learn.

    Raises:
        ModelError: ``encode_prompt`` raises it, the template changes the prompt once a reply follows, or it writes
            no end token after the reply, so that the model would not learn to stop.
    """
    prompt = encode_prompt(tokenizer, messages)
    reply = {"role": "assistant", "content": completion.strip()}
    whole = encode_text(tokenizer, render_chat(tokenizer, [*messages, reply], add_generation_prompt=False))
    if whole[: len(prompt)] != prompt:
        raise _refused(tokenizer, "the chat template changes the prompt once a reply follows it")
    if tokenizer.eos_token_id not in whole[len(prompt) :]:
        reason = f"no {tokenizer.eos_token!r} after the reply; it would never stop"
        raise _refused(tokenizer, f"{reason}; name the token that ends a turn as its eos_token")
    end = len(whole) - whole[::-1].index(tokenizer.eos_token_id)
    mask = [0] * len(prompt) + [1] * (end - len(prompt))
    return EncodedExample(whole[:end], mask, messages[0]["content"])


def count_tokens(tokenizer: "PreTrainedTokenizerBase", rows: Iterable[Row], schemas: Mapping[str, str]) -> list[int]:
    """Number of tokens of each row, prompt and completion together, equal to the length that ``encode_example`` gives.

    Raises:
        ModelError: ``encode_example`` refuses the chat template.
    """
    encode_example(tokenizer, to_messages("", "a"), "a")  # raises if the template is unfit
    # No token spans a special token, so the texts between special tokens are tokenized separately and equal texts only
    # once: whole rows would tokenize a schema again for each of its questions.
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    boundary = re.compile(f"(?={'|'.join(map(re.escape, special))})")
    numbers: dict[str, int] = {}
    parts = []
    for row in rows:
        reply = {"role": "assistant", "content": row["query"].strip()}
        messages = [*to_messages(schemas[row["db_id"]], row["question"]), reply]
        text = render_chat(tokenizer, messages, add_generation_prompt=False)
        # Training leaves out everything after the last end token.
        text = text[: text.rindex(tokenizer.eos_token) + len(tokenizer.eos_token)]
        parts.append([numbers.setdefault(part, len(numbers)) for part in boundary.split(text)])
    texts, lengths = [*numbers], list[int]()
    for start in range(0, len(texts), _BATCH):
        # verbose=False suppresses the warning of texts longer than the model takes: here they are only counted.
        encoded = tokenizer(texts[start : start + _BATCH], add_special_tokens=False, verbose=False)
        lengths += map(len, encoded["input_ids"])
    return [sum(lengths[number] for number in of_row) for of_row in parts]


def render_chat(
    tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], *, add_generation_prompt: bool
) -> str:
    """Render a chat by the tokenizer's own template; no other function applies a template.

    ``add_generation_prompt`` appends the marker that begins the model's reply.

    Raises:
        ModelError: There is no chat template, or it refuses the messages.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise ModelError(f"{tokenizer.name_or_path}: the tokenizer has no chat template; choose an instruct model")
    try:
        text = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt, **TEMPLATE_OPTIONS
        )
    except TemplateError as error:
        raise _refused(tokenizer, f"its chat template refuses the messages: {error}") from error
    return str(text)


def _refused(tokenizer: "PreTrainedTokenizerBase", what: str) -> ModelError:
    return ModelError(f"{tokenizer.name_or_path}: {what}; mend its chat_template, or choose another MODEL")


def encode_text(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Token ids of a text that already contains its special tokens; none are added."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def read_query(reply: str) -> str:
    """Extract the SQL from a model's reply.

    It is the last fenced block marked as SQL, else the last block (or inline code) that holds more than a name, else
    the whole reply; reasoning such as ``<think>`` is skipped. Line breaks and spaces inside the query stay, because
    they are data in a string, and a line break ends a ``--`` comment.
    """
    text = _THOUGHT.sub("", reply)
    blocks = [found for found in _FENCE.finditer(text) if found["query"].strip()]
    marked = [found for found in blocks if "sql" in found["info"].lower()]
    longer = [found for found in (blocks or _SPAN.finditer(text)) if not _NAME.fullmatch(found["query"])]
    if marked or longer:
        chosen = (marked or longer)[-1]
        return _tidy(chosen["query"], chosen.groupdict().get("indent") or "")
    text = _FENCE.sub("", text).strip()
    return _tidy(text[1:-1] if text[:1] == text[-1:] == "`" else text)


def _tidy(query: str, indent: str = "") -> str:
    return re.sub(f"^{indent}", "", query, flags=re.MULTILINE).strip().rstrip("; \r\n\t")
