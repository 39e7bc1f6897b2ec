"""One row as the model meets it: its tokens in colours, each shown as the bytes that it stands for."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from course_utils.prompts import EncodedExample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Kind = Literal["prompt", "special", "completion"]
COLOURS: dict[Kind, str] = {"prompt": "#e8e8e8", "special": "#d9c7f0", "completion": "#b9e3c0"}
"""Light backgrounds under dark letters, set together: readable in a light and in a dark theme."""
SHOWN_TOKENS = 120
"""Of a longer stretch of one side, prompt or completion, only the head and the tail are shown."""
_TAIL = 40

_FALLBACK_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
"""How SentencePiece vocabularies spell a byte of a character that they lack."""
_WORD_START = "\u2581"
"""How SentencePiece spells the space before a word."""
_SIGNS = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍"}
_BROKEN = re.compile("[\udc80-\udcff]+")
"""Bytes that are no whole characters, as Python escapes them."""


@dataclass(frozen=True)
class Token:
    """One token: its id, the bytes it stands for, its kind, and whether the loss counts it."""

    token_id: int
    raw: bytes
    kind: Kind
    has_label: bool


@dataclass(frozen=True)
class TokenView:
    """One row as tokens, in colours by kind; those with a label are underlined."""

    tokens: tuple[Token, ...] = field(repr=False)

    @property
    def n_labels(self) -> int:
        """Tokens that the loss counts."""
        return sum(token.has_label for token in self.tokens)

    def _repr_html_(self) -> str:
        legend = " ".join(
            f'<span style="background:{colour};color:#111;padding:0 4px">{kind}</span>'
            for kind, colour in COLOURS.items()
        )
        counts = (
            f"{len(self.tokens)} tokens, {self.n_labels} of them with a label (underlined); point at one for its id"
        )
        sides = [list(side) for _, side in groupby(self.tokens, key=lambda token: token.has_label)]
        body = "".join(_side(side) for side in sides)
        style = "font-family:monospace;line-height:1.9;overflow-wrap:anywhere"
        return f'<p>{legend} &nbsp; {counts}</p><div style="{style}">{body}</div>'


def _side(tokens: list[Token]) -> str:
    """Tokens that all have a label or all have none; the middle of a long stretch is left out."""
    if len(tokens) <= SHOWN_TOKENS:
        return _runs(tokens)
    note = f"<div><i>&#8942; {len(tokens) - SHOWN_TOKENS} more tokens</i></div>"
    return _runs(tokens[: SHOWN_TOKENS - _TAIL]) + note + _runs(tokens[-_TAIL:])


def _runs(tokens: list[Token]) -> str:
    # One coloured span for neighbours of a kind: with a style for each token, a page would be three times as long.
    return "".join(_run(kind, list(run)) for kind, run in groupby(tokens, key=lambda token: token.kind))


def _run(kind: Kind, tokens: list[Token]) -> str:
    underline = ";border-bottom:3px solid #1b7f3b" if tokens[0].has_label else ""
    return f'<span style="background:{COLOURS[kind]};color:#111{underline}">{"".join(map(_show, tokens))}</span>'


def _show(token: Token) -> str:
    shown = html.escape(visible(token.raw)) or "&#8203;"
    broken = "<br>" if token.raw.endswith(b"\n") else "<wbr>"
    return f'<span title="{token.token_id}" style="border-left:1px solid #999">{shown}</span>{broken}'


def token_view(tokenizer: "PreTrainedTokenizerBase", encoded: EncodedExample) -> TokenView:
    """The tokens of one row in colours: what is prompt, what is completion, and what is learned.

    Args:
        tokenizer: The one that encoded the row.
        encoded: As ``prompts.encode_example`` returns it.
    """
    special = {*tokenizer.all_special_ids, *(i for i, t in tokenizer.added_tokens_decoder.items() if t.special)}
    tokens = zip(encoded.input_ids, token_bytes(tokenizer, encoded.input_ids), encoded.completion_mask, strict=True)
    return TokenView(tuple(Token(i, raw, _kind(i in special, mask), bool(mask)) for i, raw, mask in tokens))


def _kind(is_special: bool, mask: int) -> Kind:
    return "special" if is_special else "completion" if mask else "prompt"


def token_bytes(tokenizer: "PreTrainedTokenizerBase", token_ids: Sequence[int]) -> list[bytes]:
    """The bytes that each token adds to the text; joined, they are the text in UTF-8.

    Args:
        tokenizer: The one that made the ids.
        token_ids: Shape (length,).

    Returns:
        One item a token; empty for an id that the vocabulary lacks.
    """
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    # Not tokenizer.decode([token]): that shows part of an emoji as a replacement character, and loses the space
    # that a token of a SentencePiece vocabulary begins with.
    added = {index: token.content for index, token in tokenizer.added_tokens_decoder.items()}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    is_byte_level = backend is not None and "ByteLevel" in str(backend.decoder)
    byte_of = {letter: byte for byte, letter in bytes_to_unicode().items()} if is_byte_level else {}
    names = tokenizer.convert_ids_to_tokens(list(token_ids))
    return [
        added[index].encode() if index in added else _bytes_of(name or "", byte_of)
        for index, name in zip(token_ids, names, strict=True)
    ]


def _bytes_of(name: str, byte_of: dict[str, int]) -> bytes:
    if byte_of and all(letter in byte_of for letter in name):
        return bytes(byte_of[letter] for letter in name)
    if fallback := _FALLBACK_BYTE.fullmatch(name):
        return bytes.fromhex(fallback[1])
    return name.replace(_WORD_START, " ").encode()


def visible(raw: bytes) -> str:
    """A token's bytes for people: spaces, line breaks and other unseen characters get a sign of their own.

    Bytes that are no whole characters stand in angle brackets: ``⟨F0 9F⟩``.
    """
    text = raw.decode("utf-8", "surrogateescape")  # a byte that does not fit becomes U+DC00 and its value
    shown = "".join(_SIGNS.get(letter) or _sign(letter) for letter in text)
    return _BROKEN.sub(lambda found: f"⟨{found[0].encode('utf-8', 'surrogateescape').hex(' ').upper()}⟩", shown)


def _sign(letter: str) -> str:
    return letter if letter.isprintable() or _BROKEN.match(letter) else f"⟨U+{ord(letter):04X}⟩"
