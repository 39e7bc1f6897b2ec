"""One row as the model meets it: its tokens in colours, each shown as the bytes that it stands for."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from course_utils.prompts import EncodedExample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COLOURS = {"prompt": "#e8e8e8", "special": "#d9c7f0", "completion": "#b9e3c0"}
"""Light backgrounds under dark letters, set together: readable in a light and in a dark theme."""
_FALLBACK_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
"""How SentencePiece vocabularies spell a byte of a character that they lack."""
_WORD_START = "\u2581"  # how SentencePiece spells the space before a word
_SIGNS = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍"}


class Token(NamedTuple):
    """One token: its id, the bytes it stands for, whether the template wrote it, and whether the loss counts it."""

    token_id: int
    raw: bytes
    is_special: bool
    has_label: bool


@dataclass(frozen=True)
class TokenView:
    """One row as tokens, in colours by kind; those with a label are underlined."""

    tokens: tuple[Token, ...] = field(repr=False)

    def _repr_html_(self) -> str:
        n_labels = sum(token.has_label for token in self.tokens)
        counts = f"{len(self.tokens)} tokens, {n_labels} of them with a label (underlined); point at one for its id"
        legend = " ".join(coloured(kind, kind) for kind in COLOURS)
        body = ""
        # One coloured span for neighbours of a kind: with a style for each token, a page would be three times as long.
        for (is_special, has_label), run in groupby(self.tokens, key=lambda token: (token.is_special, token.has_label)):
            kind = "special" if is_special else "completion" if has_label else "prompt"
            body += coloured(kind, "".join(map(_show, run)), ";border-bottom:3px solid #1b7f3b" if has_label else "")
        style = "font-family:monospace;line-height:1.9;overflow-wrap:anywhere;max-height:50em;overflow-y:auto"
        return f'<p>{legend} &nbsp; {counts}</p><div style="{style}">{body}</div>'


def coloured(kind: str, page: str, style: str = "") -> str:
    """A piece of a page in the colour of one of ``COLOURS``."""
    return f'<span style="background:{COLOURS[kind]};color:#111{style}">{page}</span>'


def _show(token: Token) -> str:
    shown = html.escape(visible(token.raw)) or "&#8203;"
    broken = "<br>" if token.raw.endswith(b"\n") else "<wbr>"
    return f'<span title="{token.token_id}" style="border-left:1px solid">{shown}</span>{broken}'


def token_view(tokenizer: "PreTrainedTokenizerBase", encoded: EncodedExample) -> TokenView:
    """The tokens of one row in colours: what is prompt, what is completion, and what is learned."""
    special = {*tokenizer.all_special_ids, *(i for i, t in tokenizer.added_tokens_decoder.items() if t.special)}
    tokens = zip(encoded.input_ids, token_bytes(tokenizer, encoded.input_ids), encoded.completion_mask, strict=True)
    return TokenView(tuple(Token(i, raw, i in special, bool(mask)) for i, raw, mask in tokens))


def token_bytes(tokenizer: "PreTrainedTokenizerBase", token_ids: Sequence[int]) -> list[bytes]:
    """The bytes that each token adds to the text, none for an unknown id; joined, they are the text in UTF-8."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    # Not tokenizer.decode([token]): that shows part of an emoji as a replacement character, and loses the space
    # that a token of a SentencePiece vocabulary begins with.
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
    r"""A token's bytes for people: signs for spaces and line breaks, escapes for what is unseen or no character."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(_SIGNS.get(letter) or (letter if letter.isprintable() else ascii(letter)[1:-1]) for letter in text)
