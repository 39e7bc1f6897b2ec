"""The one prompt: from schema and question to chat messages, and from messages to token ids.

Training, evaluation and serving all come through here, so that a model is asked in production
exactly as it was taught. The template is the tokenizer's own; no special token is written here.
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
"""What a model is asked: a chat, which its template renders, or a document, which it goes on with."""

_THOUGHT = re.compile(r"\A.*(?:</think(?:ing)?>|\[/THINK\])|(?:<think(?:ing)?>|\[THINK\]).*", re.DOTALL)
_FENCE = re.compile(
    r"""(?:^(?P<indent>[ \t]*)|(?<=[\s:])(?=[`~]{3}\S*[ \t\r]*$))  # begins a line (CommonMark), or ends a lead-in
    (?P<fence>(?P<mark>[`~])(?P=mark){2,}+)(?=[^`\n]*(?:\n|\Z))
    (?P<info>[^`\n]*?)(?:\n|\Z|(?=\b(?:SELECT|select|WITH)\s))  # where a query may begin, too
    (?P<query>.*?)
    (?:^[ \t]*(?P=fence)(?P=mark)*+(?!\w)  # closed by as many marks or more,
    |(?=^[ \t]*(?P=fence)\w)  # or by the next block,
    |(?P=fence)(?!(?P=mark))[ \t\r]*$  # or, not as CommonMark has it, at the end of the query's own line,
    |\Z)  # or cut off""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_SPAN = re.compile(r"(?<!`)(?P<ticks>`{3,}+)\s*+(?:\w{,20}(?i:sql)\w{,20}\s)?(?P<query>.+?)(?P=ticks)(?!`)", re.DOTALL)
_NAME = re.compile(r"\s*+[\w.]*\s*")
BLOCK_END = "```"
"""Where the answer to a document ends: the mark that closes the block of SQL in which ``to_document`` leaves off."""
_BATCH = 1_000  # texts that are tokenized at once; what a tokenizer returns takes some kilobytes a text
INSTRUCTION = "Write one SQLite query that answers the question."
TEMPLATE_OPTIONS = {"enable_thinking": False, "date_string": "26 Jul 2024"}
"""What every chat template is rendered with, in training and by every server, and ignores if it does not know it.
Hybrid models such as Qwen3 then answer at once, instead of in a chain of thought that training never shows; and Llama
3's system message does not change with the day: it names the date that its template has where there is no clock."""


@dataclass(frozen=True)
class EncodedExample:
    """One training row: ``input_ids``, and ``completion_mask`` with 1 where a label counts."""

    input_ids: list[int]
    completion_mask: list[int]
    shared_prefix: str = ""
    """The first message. Rows that have it in common begin with the same tokens."""


def to_messages(schema: str, question: str) -> list[Message]:
    """The chat that asks for a query; ``schema`` is the database as ``sql.schema.Schema.render`` shows it."""
    system = f"{INSTRUCTION}\n\n{schema}"
    return [{"role": "system", "content": system}, {"role": "user", "content": question.strip()}]


def add_examples(messages: list[Message], examples: Iterable[tuple[str, str]]) -> list[Message]:
    """A chat with answered questions before its last one: few-shot prompting (Brown et al. 2020, arXiv 2005.14165)."""
    turns = [[("user", question), ("assistant", answer)] for question, answer in examples]
    shown = [{"role": role, "content": content} for pair in turns for role, content in pair]
    return [*messages[:-1], *shown, messages[-1]]


def to_document(messages: list[Message]) -> str:
    """A chat as plain text with no template, as SQL is written about: it breaks off in a block that the answer fills.

    For models that go on with texts and do not chat, and to see what a model knows that its chat does not show.
    """
    shown = {"user": "{}\n```sql\n", "assistant": f"{{}}\n{BLOCK_END}\n\n"}
    return "".join(shown.get(message["role"], "{}\n\n").format(message["content"]) for message in messages)


def encode_prompt(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt) -> list[int]:
    """Token ids up to and including the marker after which the model replies; of a document, all of it.

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
    """Token ids of prompt, completion and the end-of-turn token, with the mask of what is learned.

    Raises:
        ModelError: The template does not keep the prompt as a prefix, or never ends the turn with
            the end token, so that a model trained on it would not learn to stop.
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
    """Tokens of each row, prompt and completion together, as many as ``encode_example`` makes.

    Raises:
        ModelError: The tokenizer's chat template does not fit.
    """
    encode_example(tokenizer, to_messages("", "a"), "a")  # raises where the template does not fit
    # Nothing merges across a special token. So the text from each one to the next is counted by itself, and equal
    # ones once: to encode whole rows would be to read a schema again for each question about it.
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    boundary = re.compile(f"(?={'|'.join(map(re.escape, special))})")
    numbers: dict[str, int] = {}
    parts = []
    for row in rows:
        reply = {"role": "assistant", "content": row["query"].strip()}
        messages = [*to_messages(schemas[row["db_id"]], row["question"]), reply]
        text = render_chat(tokenizer, messages, add_generation_prompt=False)
        # What stands behind the last end token is not trained on.
        text = text[: text.rindex(tokenizer.eos_token) + len(tokenizer.eos_token)]
        parts.append([numbers.setdefault(part, len(numbers)) for part in boundary.split(text)])
    texts, lengths = [*numbers], list[int]()
    for start in range(0, len(texts), _BATCH):
        # Without verbose=False it warns of the very lengths that we are here to report.
        encoded = tokenizer(texts[start : start + _BATCH], add_special_tokens=False, verbose=False)
        lengths += map(len, encoded["input_ids"])
    return [sum(lengths[number] for number in of_row) for of_row in parts]


def render_chat(
    tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], *, add_generation_prompt: bool
) -> str:
    """A chat as text, as the tokenizer's own template writes it: the one place that applies a template.

    ``add_generation_prompt`` ends it with the marker after which the model replies.

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
    """Token ids of a text that already has all the control tokens it needs."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def read_query(reply: str) -> str:
    """The SQL in a model's reply: its last fenced block, one marked as SQL if there is any, else the whole.

    What the model thinks first is not part of its answer, nor is a block that holds but a name. Line breaks and spaces
    of a query stay as they are: inside a string they are data, and a ``--`` comment ends at one.
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
