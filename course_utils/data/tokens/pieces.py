"""What each token stands for, as bytes: a token need not be whole characters.

``tokenizer.decode([token])`` is no way to look at a token: it shows part of an emoji as a
replacement character, and models of the SentencePiece kind lose the space that a token begins with.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

_FALLBACK_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
"""How SentencePiece vocabularies spell a byte of a character that they lack."""
_WORD_START = "\u2581"
"""How SentencePiece spells the space before a word."""
_SIGNS = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍"}
_BROKEN = re.compile("[\udc80-\udcff]+")
"""Bytes that are no whole characters, as Python escapes them."""


def token_bytes(tokenizer: "PreTrainedTokenizerBase", token_ids: "Sequence[int]") -> list[bytes]:
    """The bytes that each token adds to the text; joined, they are the text in UTF-8.

    Args:
        tokenizer: The one that made the ids.
        token_ids: Shape (length,).

    Returns:
        One item a token; empty for an id that the vocabulary lacks.
    """
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    added = {index: token.content for index, token in tokenizer.added_tokens_decoder.items()}
    byte_of = {letter: byte for byte, letter in bytes_to_unicode().items()} if _is_byte_level(tokenizer) else {}
    names = tokenizer.convert_ids_to_tokens(list(token_ids))
    return [
        added[index].encode() if index in added else _bytes_of(name or "", byte_of)
        for index, name in zip(token_ids, names, strict=True)
    ]


def _is_byte_level(tokenizer: "PreTrainedTokenizerBase") -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is not None and "ByteLevel" in str(backend.decoder)


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
