"""What a mistake is, and the row that is searched for mistakes: as text, as ids and as labels."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from course_utils.data.tokens.pieces import token_bytes, visible
from course_utils.errors import ModelError
from course_utils.prompts import EncodedExample, Message, encode_example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MISTAKES = (
    "no-template",
    "system-refused",
    "template-refuses",
    "message-dropped",
    "double-bos",
    "missing-eos",
    "pad-is-eos",
    "prompt-changed",
    "generation-prompt",
    "border-merged",
    "all-masked",
    "none-masked",
    "wrong-template",
    "split-control-token",
    "injected-control-token",
)
"""Every name that a ``Mistake`` can have."""


@dataclass(frozen=True)
class Mistake:
    """One mistake: ``error`` harms what is trained; ``warning`` only on some ways to the tokens."""

    name: str
    evidence: str
    fix: str
    severity: Literal["error", "warning"] = "error"


class MistakeList(list[Mistake]):
    """Mistakes that show themselves as a table in a notebook."""

    def _repr_html_(self) -> str:
        if not self:
            return "<p>No mistake found.</p>"
        lines = "".join(
            "<tr>" + "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in cells) + "</tr>"
            for cells in ((m.name, m.severity, m.evidence, m.fix) for m in self)
        )
        head = "".join(f'<th style="text-align:left">{name}</th>' for name in ("mistake", "", "evidence", "fix"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


@dataclass(frozen=True)
class Chat:
    """One row as text and as ids: the prompt alone, prompt and reply together, and what is trained.

    ``is_foreign`` says that another pipeline made ``trained``.
    """

    tokenizer: "PreTrainedTokenizerBase"
    messages: Sequence[Message]
    reply: str
    prompt_text: str
    whole_text: str
    prompt: list[int]
    whole: list[int]
    trained: EncodedExample
    is_foreign: bool

    @property
    def labelled(self) -> list[int]:
        """The ids with a label."""
        return [i for i, mask in zip(self.trained.input_ids, self.trained.completion_mask, strict=True) if mask]

    def show(self, token_ids: Sequence[int]) -> str:
        """Tokens for people, each in quotes."""
        return " ".join(f"{visible(raw)!r}" for raw in token_bytes(self.tokenizer, token_ids)) or "nothing"


def read_chat(
    tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], completion: str, encoded: EncodedExample | None
) -> Chat:
    """Render and encode one row; ``encoded`` is what another pipeline made of it.

    Raises:
        jinja2.TemplateError: The template refuses the messages.
    """
    reply = completion.strip()
    prompt_text = render(tokenizer, messages, add_generation_prompt=True)
    whole_text = render(tokenizer, [*messages, {"role": "assistant", "content": reply}], add_generation_prompt=False)
    prompt, whole = encode_text(tokenizer, prompt_text), encode_text(tokenizer, whole_text)
    trained = encoded
    if trained is None:
        try:
            trained = encode_example(tokenizer, list(messages), completion)
        except ModelError:  # each check says why
            n_prompt = min(len(prompt), len(whole))
            trained = EncodedExample(whole, [0] * n_prompt + [1] * (len(whole) - n_prompt))
    is_foreign = encoded is not None
    return Chat(tokenizer, messages, reply, prompt_text, whole_text, prompt, whole, trained, is_foreign)


def render(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    """The chat as the tokenizer's template writes it, with thinking off."""
    return str(
        tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt, enable_thinking=False
        )
    )


def encode_text(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Token ids of a text that already has all the control tokens it needs."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def n_same(one: Sequence[object], other: Sequence[object]) -> int:
    """How many items two texts or lists of ids have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
