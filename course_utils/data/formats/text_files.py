"""Open a file that a stranger made: one clear error for what is no text file, one fault for a line that is no text."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from course_utils.data.formats.record import file_error

BOM = b"\xef\xbb\xbf"
_ARCHIVES = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_KINDS = {
    **dict.fromkeys(_ARCHIVES, "an archive; unpack it first"),
    b"PAR1": "a Parquet file; name it .parquet",
    b"SQLite format 3\x00": "a SQLite database; give the file with the rows",
}


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, and nothing that would block, such as a pipe.

    Raises:
        FormatError: It is missing, a folder, a device or not readable.
    """
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise file_error(path, f"cannot be opened ({reason}); check the path and its permissions") from error
    raise file_error(path, "not a regular file; name the file that holds the rows")


def read_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Lines one by one: the number from 1, the text with its end, and why it is none; a byte order mark is accepted.

    Raises:
        FormatError: The file cannot be opened, is no text, or is empty.
    """
    is_empty = True
    with open_file(path) as file:
        _refuse_other_kinds(path, file)
        for number, raw in enumerate(file, 1):
            raw = raw.removeprefix(BOM) if number == 1 else raw
            is_empty = is_empty and not raw.strip()
            if (at := raw.find(0)) >= 0:
                yield number, "", f"a NUL byte at byte {at + 1}; remove it"
                continue
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                at = error.start
                yield number, "", f"not UTF-8 (0x{raw[at]:02x} at byte {at + 1}); save the file as UTF-8"
            else:
                yield number, text, ""
    if is_empty:
        raise file_error(path, "the file is empty; add rows or remove it")


def read_text(path: Path) -> str:
    """A whole file as text, without its byte order mark.

    Raises:
        FormatError: The file cannot be opened, is no text or is empty; names the line that is not UTF-8.
    """
    texts = []
    for number, text, fault in read_lines(path):
        if fault:
            raise file_error(path, fault, number)
        texts.append(text)
    return "".join(texts)


def _refuse_other_kinds(path: Path, file: BinaryIO) -> None:
    head = file.read(4096)
    file.seek(0)
    for magic, reason in _KINDS.items():
        if head.startswith(magic):
            raise file_error(path, reason)
    if head.count(0) > len(head) // 10:
        raise file_error(path, "binary data or UTF-16, not UTF-8 text; save the rows as UTF-8")
