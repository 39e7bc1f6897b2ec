"""Open a file that a stranger made: one clear error for what is no text file, one fault for a line that is no text."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from course_utils.data.formats.record import misfit

MAX_LINE_BYTES = 16 * 2**20
"""Longest row; a line without end would otherwise fill the memory."""
MAX_FILE_BYTES = 2 * 2**30
"""Largest file that is read whole, which only a JSON array needs."""
_BOM = b"\xef\xbb\xbf"
_KINDS = (
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"PK\x05\x06", "a zip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"PAR1", 'a Parquet file; name it .parquet or read it with format="parquet"'),
    (b"ARROW1", "an Arrow file; save it as Parquet"),
    (b"SQLite format 3\x00", "a SQLite database; give the file with the rows"),
    (b"%PDF", "a PDF; give the file with the rows"),
    (b"\xff\xfe", "not UTF-8 but UTF-16; save the file as UTF-8"),
    (b"\xfe\xff", "not UTF-8 but UTF-16; save the file as UTF-8"),
)


class Line(NamedTuple):
    """A line of a file, with its end as it is; ``fault`` says why it is no text."""

    number: int
    text: str
    fault: str = ""


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, and nothing that would block, such as a pipe.

    Raises:
        FormatError: It is missing, a folder, a device or not readable.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise misfit(path, "a folder where a file is due; name a file in it")
        if not stat.S_ISREG(mode):
            raise misfit(path, "not a regular file; copy its content to a file")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise misfit(path, _why_closed(path, error)) from error


def _why_closed(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "not readable (permission denied); change the file's permissions"
    if isinstance(error, FileNotFoundError):
        if path.is_symlink():
            return "a symbolic link to a file that is gone; restore its target"
        return "there is no such file; check the path"
    return f"cannot be opened ({getattr(error, 'strerror', None) or error}); check the path"


def is_folder(path: Path) -> bool:
    """Whether a path is a folder that can be looked at; what cannot is an error once it is opened."""
    try:
        return path.is_dir()
    except OSError:
        return False


def read_lines(path: Path) -> Iterator[Line]:
    """Lines one by one, each with its number from 1; CRLF and a byte order mark are accepted.

    Raises:
        FormatError: The file cannot be opened, is no text, or is empty.
    """
    n_filled = 0
    with open_file(path) as file:
        _refuse_other_kinds(path, file)
        number = 0
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            is_long = len(raw) > MAX_LINE_BYTES
            while len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE_BYTES + 1)
            n_filled += is_long or bool(raw.removeprefix(_BOM).strip())
            yield Line(number, "", _TOO_LONG) if is_long else _line(number, raw)
    if not n_filled:
        raise misfit(path, "the file is empty; add rows or remove it")


_TOO_LONG = f"the line is longer than {MAX_LINE_BYTES // 2**20} MiB; write one row per line"


def _line(number: int, raw: bytes) -> Line:
    if number == 1:
        raw = raw.removeprefix(_BOM)
    _, fault = _find_fault(raw)
    return Line(number, "" if fault else raw.decode("utf-8"), fault)


def _find_fault(raw: bytes) -> tuple[int, str]:
    """Where bytes stop being clean UTF-8, and why; no reason if they are clean."""
    if b"\0" in raw:
        at = raw.index(0)
        return at, f"a NUL byte at byte {at + 1}; remove it"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
        return at, f"not UTF-8 (0x{raw[at]:02x} at byte {at + 1}); save the file as UTF-8"
    return 0, ""


def read_text(path: Path) -> str:
    """A whole file as text, without its byte order mark.

    Raises:
        FormatError: The file cannot be opened, is no text, not UTF-8 or larger than ``MAX_FILE_BYTES``.
    """
    with open_file(path) as file:
        _refuse_other_kinds(path, file)
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise misfit(path, f"larger than {MAX_FILE_BYTES // 2**30} GiB; write one row per line to a .jsonl file")
    at, fault = _find_fault(raw)
    if fault:
        raise misfit(path, fault, raw.count(b"\n", 0, at) + 1)
    return raw.decode("utf-8-sig")


def _refuse_other_kinds(path: Path, file: BinaryIO) -> None:
    head = file.read(4096)
    file.seek(0)
    for magic, kind in _KINDS:
        if head.startswith(magic):
            raise misfit(path, kind)
    if _looks_like_utf16(head):
        raise misfit(path, "not UTF-8 but UTF-16; save the file as UTF-8")
    if head.count(0) > len(head) // 10:
        raise misfit(path, "binary data, not text; give the file with the rows")


def _looks_like_utf16(head: bytes) -> bool:
    """Every second byte of Western text in UTF-16 is zero, on one side only."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    return len(head) >= 4 and max(even, odd) > len(head) * 0.4 and min(even, odd) < len(head) * 0.05
