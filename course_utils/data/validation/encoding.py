"""Characters that are not what they seem: text decoded with the wrong encoding, invisible and look-alike characters.

A tokenizer gives each of them other tokens than the letters that people see, so a model learns them as other words.
"""

import re

from course_utils.data.finding import Problem, quoted
from course_utils.data.look_alikes import LOOK_ALIKES

INVISIBLE = {
    "\u00ad": "soft hyphen",
    "\u200b": "zero-width space",
    "\u200e": "left-to-right mark",
    "\u200f": "right-to-left mark",
    "\u202a": "left-to-right embedding",
    "\u202c": "end of embedding",
    "\u202d": "left-to-right override",
    "\u202e": "right-to-left override",
    "\u2060": "word joiner",
    "\ufeff": "byte order mark",
}
"""Zero-width joiners are not among them: some scripts and emoji need them."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]{2,}")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")


def encoding_problems(text: str, name: str) -> list[Problem]:
    """Signs of a wrong encoding and characters that deceive the eye.

    Args:
        text: A question or a query.
        name: The field's name.
    """
    if text.isascii() and not _CONTROL.search(text):
        return []
    problems = []
    repaired = undo_mojibake(text)
    if repaired != text:
        reason = f'"{name}" was read with the wrong encoding: {quoted(_context(text, repaired))}'
        problems.append(_problem("error", reason, f"write {quoted(_context(repaired, text))}, and read files as UTF-8"))
    if "\ufffd" in text:
        reason = f'"{name}" has the replacement character U+FFFD, where a letter was lost: {quoted(text)}'
        problems.append(_problem("error", reason, "take the text from its source again, decoded as it was encoded"))
    if controls := sorted({f"U+{ord(found):04X}" for found in _CONTROL.findall(text) if repaired == text}):
        reason = f'"{name}" has control characters ({", ".join(controls)}): {quoted(_CONTROL.sub("?", text))}'
        problems.append(_problem("error", reason, "remove them"))
    if hidden := sorted({INVISIBLE[character] for character in text if character in INVISIBLE}):
        problems.append(_problem("warning", f'"{name}" has invisible characters ({", ".join(hidden)})', "remove them"))
    if words := _mixed_words(text):
        shown = ", ".join(f"{quoted(word)} has {', '.join(_names(word))}" for word in words[:3])
        problems.append(
            _problem(
                "warning", f'"{name}" mixes alphabets within a word: {shown}', "type the word again in one alphabet"
            )
        )
    return problems


def _problem(severity: str, reason: str, fix: str) -> Problem:
    return Problem("encoding", "error" if severity == "error" else "warning", reason, fix)


def undo_mojibake(text: str) -> str:
    """UTF-8 that was decoded as Windows-1252 or Latin-1, decoded rightly: ``cafÃ©`` becomes ``café``.

    Each run of characters outside ASCII is tried by itself; one that is no valid UTF-8 stays as it is. A run of
    ordinary accented letters never is: UTF-8's second bytes are signs and controls in those encodings.
    """
    return _NOT_ASCII.sub(lambda found: _decode_again(found[0]), text)


def _decode_again(run: str) -> str:
    for encoding in ("cp1252", "latin-1"):
        try:
            return _as_bytes(run, encoding).decode("utf-8")
        except UnicodeError:
            continue
    return run


def _as_bytes(run: str, encoding: str) -> bytes:
    """Python's cp1252 has five holes where browsers and databases put the control character of the same number."""
    return b"".join(
        bytes([ord(character)]) if 0x80 <= ord(character) <= 0x9F else character.encode(encoding) for character in run
    )


def _context(text: str, other: str) -> str:
    """The words of a text that the other has not."""
    known = set(other.split())
    return " ".join(word for word in text.split() if word not in known) or text


def _mixed_words(text: str) -> list[str]:
    """Words with letters of the Latin alphabet and letters of another that look the same."""
    return [
        word for word in _WORD.findall(text) if _LATIN.search(word) and any(letter in LOOK_ALIKES for letter in word)
    ]


def _names(word: str) -> list[str]:
    return [f"U+{ord(letter):04X} for {LOOK_ALIKES[letter]}" for letter in dict.fromkeys(word) if letter in LOOK_ALIKES]


def strip_invisible(text: str) -> str:
    """The text without the characters of ``INVISIBLE``, which changes nothing that people can see."""
    return "".join(character for character in text if character not in INVISIBLE)
