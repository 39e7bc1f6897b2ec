"""Find characters that are not what they seem: wrongly decoded text, invisible characters and confusables.

A tokenizer splits such text differently from the text that people see, so a model learns it as other words.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from course_utils.finding import Finding, quoted

INVISIBLE = re.compile(
    "[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+|(?<=\U0001f3f4)[\U000e0000-\U000e007f]{7,}"
)
"""Invisible characters that no text needs: soft hyphen, zero-width space, direction marks, byte order mark and tags,
which can hide whole sentences. Flag emoji need their tags, and some scripts zero-width joiners, so these are left."""
_NOT_LATIN = "аеорсухіјѕԁһӏАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧο"  # but Cyrillic and Greek
CONFUSABLES = dict(zip(_NOT_LATIN, "aeopcyxijsdhlABEKMHOPCTYXIJSABEZHIKMNOPTYXo", strict=True))
"""The Latin letter that each Cyrillic or Greek letter looks like; a mix hides words from filters and from queries."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")
_QUOTED = re.compile(r"(?<![^\s([{])[“„‘‚«»‹›]([^“”„‘‚«»‹›]*)[”“’‘»«›‹]")


def encoding_findings(text: str, name: str) -> list[Finding]:
    """Findings on wrong encoding, control, invisible and confusable characters in the text of the field ``name``."""
    if text.isascii() and not _CONTROL.search(text):
        return []
    import ftfy

    # ftfy repairs UTF-8 that was decoded as Windows-1252 or Latin-1 (cafÃ© for café). A closing quotation mark may look
    # to it like the second half of a letter, as in “IRMÃ”, so paired marks become plain quotes first.
    text = _QUOTED.sub(r'"\1"', text)
    repaired = ftfy.fix_encoding(text)
    return [*_broken(text, repaired, name), *_deceptive(repaired, name)]


def _broken(text: str, repaired: str, name: str) -> Iterator[Finding]:
    if repaired != text:
        reason = f'"{name}" was read with the wrong encoding: {quoted(_other_words(text, repaired))}'
        fix = f"write {quoted(_other_words(repaired, text))}, and read files as UTF-8"
        yield Finding("encoding", "error", reason, fix)
    elif controls := sorted({f"U+{ord(found):04X}" for found in _CONTROL.findall(text)}):
        reason = f'"{name}" has control characters ({", ".join(controls)}): {quoted(_CONTROL.sub("?", text))}'
        yield Finding("encoding", "error", reason, "remove them")
    if "\ufffd" in text:
        reason = f'"{name}" has the replacement character U+FFFD, where a letter was lost: {quoted(text)}'
        fix = "read the text from its source again, with the encoding in which it was written"
        yield Finding("encoding", "error", reason, fix)


def _deceptive(text: str, name: str) -> Iterator[Finding]:
    if hidden := sorted({unicodedata.name(each, "unassigned").lower() for each in "".join(INVISIBLE.findall(text))}):
        reason = f'"{name}" has invisible characters ({", ".join(hidden)})'
        yield Finding("encoding", "warning", reason, "remove them")
    mixed = []
    for word in filter(_LATIN.search, _WORD.findall(text)):
        if letters := [letter for letter in dict.fromkeys(word) if letter in CONFUSABLES]:
            signs = ", ".join(f"U+{ord(letter):04X} for {CONFUSABLES[letter]}" for letter in letters)
            mixed.append(f"{quoted(word)} has {signs}")
    if mixed:
        reason = f'"{name}" mixes alphabets within a word: {", ".join(mixed[:3])}'
        yield Finding("encoding", "warning", reason, "type the word again, in one alphabet")


def plain_letters(text: str) -> tuple[str, Sequence[int]]:
    """The text in NFKD without accents and invisible characters, and each letter's index in ``text``, and the end's."""
    if text.isascii():
        return text, range(len(text) + 1)
    pairs = ((letter, place) for place, each in enumerate(text) for letter in unicodedata.normalize("NFKD", each))
    seen = [pair for pair in pairs if unicodedata.category(pair[0]) not in ("Cf", "Mc", "Me", "Mn")]
    plain = "".join(letter for letter, _ in seen).replace("’", "'").replace("ı", "i")  # Turkish, whose capital is I
    return plain, [*(place for _, place in seen), len(text)]


def _other_words(text: str, other: str) -> str:
    """The words of a text that the other text lacks; the whole text if it lacks none."""
    known = set(other.split())
    return " ".join(word for word in text.split() if word not in known) or text
