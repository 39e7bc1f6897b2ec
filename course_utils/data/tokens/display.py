"""Show in colours what a model reads: one row as tokens, and one chat in the templates of six model families."""

import html
import re
import tomllib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import ModelError
from course_utils.prompts import EncodedExample, Message, render_chat

if TYPE_CHECKING:
    from IPython.display import HTML
    from transformers import PreTrainedTokenizerBase

COLOURS = {"prompt": "#e8e8e8", "special": "#d9c7f0", "completion": "#b9e3c0"}
"""Light backgrounds. The dark text colour is set with them, so that both are readable in light and dark themes."""
_FALLBACK_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
"""SentencePiece's name for one byte of a character that is not in the vocabulary."""
_WORD_START = "\u2581"  # SentencePiece's character for the space before a word
_SIGNS = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍"}


def coloured(kind: str, page: str, style: str = "") -> str:
    """A piece of HTML in the colour ``COLOURS[kind]``, with further CSS in ``style`` (";property:value")."""
    return f'<span style="background:{COLOURS[kind]};color:#111{style}">{page}</span>'


def token_view(tokenizer: "PreTrainedTokenizerBase", encoded: EncodedExample) -> "HTML":
    """The tokens of one row, coloured as prompt, completion or special token; those with a label are underlined."""
    from IPython.display import HTML

    special = {*tokenizer.all_special_ids, *(i for i, t in tokenizer.added_tokens_decoder.items() if t.special)}
    tokens = zip(encoded.input_ids, token_bytes(tokenizer, encoded.input_ids), encoded.completion_mask, strict=True)
    body = ""
    # One coloured span per run of tokens of a kind: a style for every token would make the page three times as long.
    for (is_special, has_label), run in groupby(tokens, key=lambda token: (token[0] in special, token[2])):
        kind = "special" if is_special else "completion" if has_label else "prompt"
        shown = "".join(_show(token_id, raw) for token_id, raw, _ in run)
        body += coloured(kind, shown, ";border-bottom:3px solid #1b7f3b" if has_label else "")
    counts = f"{len(encoded.input_ids)} tokens, {sum(encoded.completion_mask)} of them with a label (underlined)"
    legend = " ".join(coloured(kind, kind) for kind in COLOURS)
    style = "font-family:monospace;line-height:1.9;overflow-wrap:anywhere;max-height:50em;overflow-y:auto"
    page = f'<p>{legend} &nbsp; {counts}; point at one for its id</p><div style="{style}">{body}</div>'
    return HTML(page)  # type: ignore[no-untyped-call]


def _show(token_id: int, raw: bytes) -> str:
    shown = html.escape(visible(raw)) or "&#8203;"
    broken = "<br>" if raw.endswith(b"\n") else "<wbr>"
    return f'<span title="{token_id}" style="border-left:1px solid">{shown}</span>{broken}'


def token_bytes(tokenizer: "PreTrainedTokenizerBase", token_ids: Sequence[int]) -> list[bytes]:
    """The bytes that each token adds to the text; joined, they are the text in UTF-8. Unknown ids add no bytes."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    # Not tokenizer.decode([token]): it shows a part of an emoji as a replacement character, and drops the space at the
    # beginning of a SentencePiece token.
    added = {index: token.content for index, token in tokenizer.added_tokens_decoder.items()}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    is_byte_level = backend is not None and "ByteLevel" in str(backend.decoder)
    byte_of = {letter: byte for byte, letter in bytes_to_unicode().items()}

    def bytes_of(index: int, name: str) -> bytes:
        if index in added:
            return str(added[index]).encode()
        if is_byte_level and all(letter in byte_of for letter in name):
            return bytes(byte_of[letter] for letter in name)
        fallback = _FALLBACK_BYTE.fullmatch(name)
        return bytes.fromhex(fallback[1]) if fallback else name.replace(_WORD_START, " ").encode()

    names = tokenizer.convert_ids_to_tokens(list(token_ids))
    return [bytes_of(index, name or "") for index, name in zip(token_ids, names, strict=True)]


def visible(raw: bytes) -> str:
    r"""A token's bytes as readable text: signs for spaces and line breaks, escapes for other unprintable bytes."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(_SIGNS.get(letter) or (letter if letter.isprintable() else ascii(letter)[1:-1]) for letter in text)


# One chat in the templates of six model families

FOLDER = Path(__file__).parent / "chat_templates"
"""Holds ``<family>.jinja`` for each family, ``families.toml``, and a README that names the sources."""
CONTROL_TOKEN = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|</?s>|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>|</?think>|\[/?[A-Z]{3,}(?:_[A-Z]+)*\]"
)
"""The control tokens of all families: those that mark turns, and those that begin, end or pad a text."""
FAMILIES: dict[str, dict[str, str]] = tomllib.loads((FOLDER / "families.toml").read_text("utf-8"))
"""For each family, the special tokens that its template writes, and where it puts a system message."""


class RenderedTemplates(dict[str, tuple[str, str]]):
    """For each family, prompt and reply of one chat as its template writes them, or why it refuses the chat and ""."""

    def _repr_html_(self) -> str:
        cards = "".join(
            '<div style="border:1px solid #999;border-radius:4px;padding:8px;text-align:left">'
            f"<b>{family}</b> <small>system message: {FAMILIES[family]['system']}</small>"
            '<div style="font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere">'
            f"{_highlight(prompt)}{coloured('completion', _highlight(reply))}</div></div>"
            for family, (prompt, reply) in self.items()
        )
        legend = f"{coloured('special', 'control token')} {coloured('completion', 'what the model writes')}"
        grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(270px,1fr));gap:12px"
        return f'<p>{legend}</p><div style="{grid}">{cards}</div>'


def _highlight(text: str) -> str:
    """Text as HTML with control tokens in colour, and a sign at each line break, so that an empty line shows."""
    parts = enumerate(re.split(f"({CONTROL_TOKEN.pattern})", text))  # every second one is a control token
    shown = (coloured("special", html.escape(part)) if i % 2 else html.escape(part) for i, part in parts)
    return "".join(shown).replace("\n", "&crarr;\n")


def read_template(family: str) -> str:
    """The Jinja chat template of one of ``FAMILIES``."""
    return (FOLDER / f"{family}.jinja").read_text("utf-8")


def render_templates(messages: Sequence[Message]) -> RenderedTemplates:
    """Render one chat with the templates of all ``FAMILIES``, by Transformers as in training and generation.

    If the last message is the assistant's, it is the reply, and the messages before it are the prompt.
    """
    has_reply, rendered = messages[-1]["role"] == "assistant", RenderedTemplates()
    for family in FAMILIES:
        tokenizer = _empty_tokenizer(family)
        try:
            prompt = render_chat(tokenizer, messages[:-1] if has_reply else messages, add_generation_prompt=True)
            whole = render_chat(tokenizer, messages, add_generation_prompt=False) if has_reply else prompt
            rendered[family] = prompt, whole.removeprefix(prompt)
        except ModelError as error:
            rendered[family] = str(error), ""
    return rendered


def _empty_tokenizer(family: str) -> "PreTrainedTokenizerBase":
    """A tokenizer without vocabulary: only the family's template and the special tokens that the template writes."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokens = {"bos_token": FAMILIES[family]["bos"] or None, "eos_token": FAMILIES[family]["eos"]}
    options = {"chat_template": read_template(family), "name_or_path": family, **tokens}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **options)
