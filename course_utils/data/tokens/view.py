"""One row as the model meets it: its tokens in colours, each shown as the bytes that it stands for."""

import html
import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from course_utils.prompts import EncodedExample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COLOURS = {"prompt": "#e8e8e8", "special": "#d9c7f0", "completion": "#b9e3c0"}
"""Light backgrounds under dark letters, set together: readable in a light and in a dark theme."""
_FALLBACK_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
"""How SentencePiece vocabularies spell a byte of a character that they lack."""
_WORD_START = "\u2581"  # how SentencePiece spells the space before a word
_SIGNS = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍"}


class TokenView(str):
    """A page that a notebook shows."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return self


def coloured(kind: str, page: str, style: str = "") -> str:
    """A piece of a page in the colour of one of ``COLOURS``."""
    return f'<span style="background:{COLOURS[kind]};color:#111{style}">{page}</span>'


def token_view(tokenizer: "PreTrainedTokenizerBase", encoded: EncodedExample) -> TokenView:
    """The tokens of one row in colours: what is prompt, what is completion, and what is learned (underlined)."""
    special = {*tokenizer.all_special_ids, *(i for i, t in tokenizer.added_tokens_decoder.items() if t.special)}
    tokens = zip(encoded.input_ids, token_bytes(tokenizer, encoded.input_ids), encoded.completion_mask, strict=True)
    body = ""
    # One coloured span for neighbours of a kind: with a style for each token, a page would be three times as long.
    for (is_special, has_label), run in groupby(tokens, key=lambda token: (token[0] in special, token[2])):
        kind = "special" if is_special else "completion" if has_label else "prompt"
        shown = "".join(_show(token_id, raw) for token_id, raw, _ in run)
        body += coloured(kind, shown, ";border-bottom:3px solid #1b7f3b" if has_label else "")
    counts = f"{len(encoded.input_ids)} tokens, {sum(encoded.completion_mask)} of them with a label (underlined)"
    legend = " ".join(coloured(kind, kind) for kind in COLOURS)
    style = "font-family:monospace;line-height:1.9;overflow-wrap:anywhere;max-height:50em;overflow-y:auto"
    return TokenView(f'<p>{legend} &nbsp; {counts}; point at one for its id</p><div style="{style}">{body}</div>')


def _show(token_id: int, raw: bytes) -> str:
    shown = html.escape(visible(raw)) or "&#8203;"
    broken = "<br>" if raw.endswith(b"\n") else "<wbr>"
    return f'<span title="{token_id}" style="border-left:1px solid">{shown}</span>{broken}'


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
