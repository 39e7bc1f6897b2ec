"""Malformed files of every kind give one clear error, or one fault for each bad row, soon, and leave the rest alone.

What a row says must be found by line and reason; the reason ends with what to do.
"""

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.formats import read_dataset, read_rows
from course_utils.errors import DataError, FormatError
from course_utils.sql import find_database
from tests.bounded import bounded

ROW = {"db_id": "shop", "question": "Où?", "query": "SELECT 1"}
LINE = json.dumps(ROW, ensure_ascii=False)
GOOD = LINE.encode() + b"\n"
CSV = "db_id,question,query\nshop,Où?,SELECT 1\n".encode()


def parquet(*same: list[Any], **columns: list[Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    columns = columns or {"question": ["x" * 1000] * 100}
    pq.write_table(pa.table([*same], names=["a" for _ in same]) if same else pa.table(columns), file)
    return file.getvalue()


def broken_pages() -> bytes:
    whole = parquet()
    return whole[:20] + bytes(255 - byte for byte in whole[20:60]) + whole[60:]


def deep(n_levels: int) -> bytes:
    return b'{"a": ' + b"[" * n_levels + b"]" * n_levels + b"}\n"


# A file that cannot be read as a whole: name, content, and what the error says.
NO_TEXT = "not UTF-8 text but an archive, Parquet, a database or UTF-16; save the rows as UTF-8 text"
WHOLE: list[tuple[str, str, bytes | Callable[[], bytes], str]] = [
    ("utf-16", "rows.jsonl", LINE.encode("utf-16"), NO_TEXT),
    ("utf-16 big endian", "rows.json", f"[{LINE}]".encode("utf-16-be"), NO_TEXT),
    ("latin-1 array", "rows.json", f"[\n{LINE}]".encode("latin-1"), ":2: not UTF-8 (0xf9 at byte 33); save"),
    ("NUL in an array", "rows.json", b'[{"a":\n"\0"}]', ":2: not JSON (Invalid control character at, column 2)"),
    ("empty lines", "rows.jsonl", b"", "the file has no rows; add rows or remove it"),
    ("empty array file", "rows.json", b" ", "the file has no rows; add rows or remove it"),
    ("an array of nothing", "rows.json", b" [ ]\n", "the file has no rows; add rows or remove it"),
    ("csv with a header alone", "rows.csv", CSV[:21], "the file has no rows; add rows or remove it"),
    ("parquet without rows", "rows.parquet", lambda: parquet(question=[]), "the file has no rows; add rows or remove"),
    ("a truncated array", "rows.json", b"[" + GOOD + b"," + GOOD[:20], ":2: not JSON ("),
    ("an array without end", "rows.json", b"[" + GOOD, "not JSON (Expecting ',' delimiter"),
    ("text behind an array", "rows.json", b"[" + GOOD + b"]\n[]", "not JSON (Extra data"),
    ("a huge integer in an array", "rows.json", b'[{"a": ' + b"9" * 9999 + b"}," + GOOD + b"]", "does not read"),
    ("a key twice in an array", "rows.json", b'[{"a": 1, "a": 2},\n' + GOOD + b"]", "a key twice among a, a"),
    ("spaces without end", "rows.json", lambda: b"[" + b" " * 5_000_000, "not JSON ("),
    ("empty parquet", "rows.parquet", b"", "not a readable Parquet file"),
    ("only blank lines", "rows.jsonl", b"\n \r\n\t\n", "the file has no rows; add rows or remove it"),
    ("gzip as json", "rows.json", gzip.compress(GOOD), NO_TEXT),
    ("zip as jsonl", "rows.jsonl", b"PK\x03\x04" + bytes(99), NO_TEXT),
    ("parquet as jsonl", "rows.jsonl", parquet, NO_TEXT),
    ("sqlite as json", "rows.json", b"SQLite format 3\0" + bytes(99), NO_TEXT),
    ("binary as jsonl", "rows.jsonl", bytes(range(32)) * 9 + bytes(300), NO_TEXT),
    ("jsonl as parquet", "rows.parquet", GOOD, "not a readable Parquet file (ArrowInvalid: Parquet magic bytes not"),
    ("truncated parquet", "rows.parquet", lambda: parquet()[:-20], "not a readable Parquet file"),
    ("broken parquet pages", "rows.parquet", broken_pages, "not a readable Parquet file"),
    ("parquet with a name twice", "rows.parquet", lambda: parquet([1], [2]), "two columns are called 'a'"),
    ("csv with an unnamed column", "rows.csv", b"id,\n0,a\n", ":1: the header has repeated or empty names (''); give"),
    ("csv with a name twice", "rows.csv", b"id,query,id\n1,2,3\n", ":1: the header has repeated or empty names ('id')"),
    ("csv with semicolons", "rows.csv", CSV.replace(b",", b";"), ":1: no comma, but other delimiters"),
    (
        "csv with an open quote in the header",
        "rows.csv",
        b'id,"query\n1,2\n',
        ":1: not CSV (unexpected end of data); close every quote",
    ),
    ("csv in latin-1", "rows.csv", CSV + "shop,où,x\n".encode("latin-1"), ":3: not UTF-8 (0xf9 at byte 7)"),
    ("unknown ending", "rows.xlsx", b"PK", "its ending is unknown; choose .jsonl"),
]


@pytest.mark.parametrize(("name", "content", "reason"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_a_file_that_cannot_be_read_gives_one_error(
    tmp_path: Path, name: str, content: bytes | Callable[[], bytes], reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content())
    with bounded(tmp_path), pytest.raises(FormatError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(str(path))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


# Bad rows among good ones: name, content, the bad line, the reason, and how many rows are good.
ROWS: list[tuple[str, str, bytes | Callable[[], bytes], int, str, int]] = [
    ("truncated line", "rows.jsonl", GOOD + GOOD[:30], 2, "not JSON (Expecting value, column 30)", 1),
    ("trailing comma", "rows.jsonl", GOOD + b'{"a": 1,}\n', 2, "not JSON (", 1),
    ("comma behind the row", "rows.jsonl", GOOD + b'{"a": 1},\n' + GOOD, 2, "not JSON (Extra data, column 9", 2),
    ("an array over several lines", "rows.jsonl", b"[\n", 1, "in a .json file all rows as one array", 0),
    ("two objects on a line", "rows.jsonl", b'{"a": 1}{"a": 2}\n' + GOOD, 1, "on one line", 1),
    ("a key twice", "rows.jsonl", GOOD + b'{"id": 1, "id": 2}\n', 2, "(a key twice among id, id); write each key", 1),
    ("NaN", "rows.jsonl", GOOD + b'{"a": NaN}\n', 2, "'a': not JSON (Out of range float", 1),
    ("a number beyond floats", "rows.jsonl", GOOD + b'{"a": 1e999}\n', 2, "'a': not JSON (Out of range float", 1),
    (
        "a huge integer",
        "rows.jsonl",
        GOOD + b'{"a": ' + b"9" * 100_000 + b"}\n",
        2,
        "JSON that Python does not read",
        1,
    ),
    ("nested deeper than Python", "rows.jsonl", GOOD + deep(100_000) + GOOD, 2, "JSON that Python does not read", 2),
    ("a lone surrogate", "rows.jsonl", GOOD + b'{"a": "\\ud83d"}\n', 2, "surrogates not allowed", 1),
    ("latin-1", "rows.jsonl", GOOD + LINE.encode("latin-1") + b"\n" + GOOD, 2, "not UTF-8 (0xf9 at byte ", 2),
    ("an encoded surrogate", "rows.jsonl", GOOD + b'{"a": "\xed\xa0\x80"}\n', 2, "not UTF-8 (0xed", 1),
    (
        "a NUL byte",
        "rows.jsonl",
        GOOD + b'{"a": "\0"}\n' + GOOD,
        2,
        "not JSON (Invalid control character at, column 8)",
        2,
    ),
    ("lone CR", "rows.jsonl", GOOD.replace(b"\n", b"\r") * 3, 1, "on one line", 0),
    ("an array in lines", "rows.jsonl", b'[{"a": 1}]\n' + GOOD, 1, "not an object; every row", 1),
    ("bare values", "rows.jsonl", GOOD + b"5\n", 2, "not an object; every row", 1),
    ("NaN in an array", "rows.json", b"[" + GOOD + b', {"a": NaN},\n' + GOOD + b"]", 2, "Out of range", 2),
    ("too few cells", "rows.csv", CSV + b"shop,How?\n", 3, "2 cells where the header has 3; quote", 1),
    ("too many cells", "rows.csv", CSV + b"shop,How, why?,SELECT 1\n", 3, "4 cells where the header has 3; quote", 1),
    ("an open quote", "rows.csv", CSV + b'shop,"How?,SELECT 1\nshop,b,c\n', 3, "close every quote", 1),
    ("text behind a quote", "rows.csv", CSV + b'shop,"How"?,SELECT 1\n' + CSV[21:], 3, "double the quotes", 2),
    (
        "parquet of images",
        "rows.parquet",
        lambda: parquet(image=[b"x"]),
        1,
        "'image': not JSON (Object of type bytes",
        0,
    ),
    ("number for messages", "rows.jsonl", b'{"messages": 5}\n', 1, "the messages are no list or empty", 0),
    ("no role", "rows.jsonl", b'{"messages": [{"content": "a"}]}\n', 1, 'message 1 has no known "role"', 0),
    (
        "unknown role",
        "rows.jsonl",
        b'{"messages": [{"role": "bot", "content": "a"}]}',
        1,
        'known "role" or "from"; use',
        0,
    ),
    ("number in sharegpt", "rows.json", b'[{"conversations": [{"from": "gpt", "value": 5}]}]', 1, "not text", 0),
    ("turns without speaker", "rows.json", b'[{"conversations": [{"value": 5}]}]', 1, 'known "role" or "from"', 0),
    ("number in completions", "rows.json", b'[{"prompt": "a", "completion": 5}]', 1, "not both text", 0),
    ("no answer", "rows.jsonl", b'{"messages": [{"role": "user", "content": "a"}]}', 1, "end the row with the", 0),
    ("alpaca with a history", "rows.json", b'[{"instruction": "a", "output": "b", "history": [1]}]', 1, "no field", 0),
]


@pytest.mark.parametrize(
    ("name", "content", "line", "reason", "n_good"), [case[1:] for case in ROWS], ids=[case[0] for case in ROWS]
)
def test_a_bad_row_is_one_fault_and_the_others_are_read(
    tmp_path: Path, name: str, content: bytes | Callable[[], bytes], line: int, reason: str, n_good: int
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content())
    with bounded(tmp_path):
        records = read_rows(path)
    faults = [record for record in records if record.fault]
    assert [(record.path, record.line) for record in faults] == [(path, line)]
    assert reason in faults[0].fault
    assert "; " in faults[0].fault
    assert len(faults[0].fault) < 300
    assert faults[0].raw  # nothing is lost
    assert faults[0].check == ("encoding" if "UTF-8" in reason else "schema")
    assert len(records) - 1 == n_good
    assert all(record.fields for record in records if not record.fault)


ACCEPTED = {
    "a byte order mark": ("rows.jsonl", b"\xef\xbb\xbf" + GOOD),
    "CRLF": ("rows.jsonl", GOOD.replace(b"\n", b"\r\n")),
    "no line end": ("rows.jsonl", GOOD[:-1]),
    "blank lines": ("rows.jsonl", b"\n" + GOOD + b"\r\n\n"),
    "an array with a mark and CRLF": ("rows.json", b"\xef\xbb\xbf[\r\n" + GOOD[:-1] + b"\r\n]\r\n"),
    "escapes": ("rows.jsonl", json.dumps(ROW).encode()),
    "csv with a mark": ("rows.csv", b"\xef\xbb\xbf" + CSV),
    "csv with CRLF": ("rows.csv", CSV.replace(b"\n", b"\r\n") + b"\r\n"),
    "csv with a spreadsheet's empty rows": ("rows.csv", CSV + b",,\r\n,,\r\n"),
    "csv with quotes": ("rows.csv", b'"db_id","question","query"\n"shop","O\xc3\xb9?","SELECT 1"'),
    "lines in a file of an array": ("rows.json", GOOD),
    "csv with lone CR": ("rows.csv", CSV.replace(b"\n", b"\r")),
    "csv with the index of pandas": ("rows.csv", b",db_id,question,query\n0,shop,O\xc3\xb9?,SELECT 1\n"),
    "an ending in capitals": ("rows.JSONL", GOOD),
}


@pytest.mark.parametrize(("name", "content"), ACCEPTED.values(), ids=list(ACCEPTED))
def test_what_is_merely_unusual_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert [(record.fault, record.fields) for record in read_rows(tmp_path / name)] == [("", ROW)]


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a missing file": (lambda path: None, "cannot be opened (No such file or directory); check the path"),
    "a dangling link": (lambda path: path.symlink_to("gone"), "cannot be opened (No such file or directory)"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be opened ("),
    "a pipe": (lambda path: os.mkfifo(path), "not a regular file; name the file that holds the rows"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "a folder": (lambda path: path.mkdir(), "not a regular file"),
}


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize(("make", "reason"), PLACES.values(), ids=list(PLACES))
def test_what_is_no_file_is_named(tmp_path: Path, make: Callable[[Path], object], reason: str, ending: str) -> None:
    path = tmp_path / f"rows{ending}"
    make(path)
    with bounded(tmp_path), pytest.raises(FormatError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}: {reason}")


@contextmanager
def without_permission(path: Path) -> Iterator[None]:
    """Root may read anything, so it stops being root meanwhile."""
    mode, user = path.stat().st_mode, os.geteuid()
    path.chmod(0)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(0)
        path.chmod(mode)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.parquet"])
def test_a_file_without_permission_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(GOOD)
    with (
        without_permission(tmp_path / name),
        pytest.raises(FormatError, match=r"cannot be opened \(Permission denied\)"),
    ):
        read_rows(tmp_path / name)


def test_a_dataset_without_permission_is_named(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_dataset()
    with without_permission(folder), pytest.raises(DataError, match="Permission denied"):
        read_dataset(folder)
    with without_permission(folder), pytest.raises(DataError, match="permission"):
        find_database(folder, "shop", tmp_path / "built")
    with without_permission(folder / "databases"), pytest.raises(DataError, match="permission"):
        find_database(folder, "shop", tmp_path / "built")


def test_a_dataset_with_a_file_that_is_none_names_it(make_dataset: Callable[..., Path]) -> None:
    folder = make_dataset()
    (folder / "validation.jsonl").write_bytes(gzip.compress(GOOD))
    with pytest.raises(FormatError, match=r"validation\.jsonl: not UTF-8 text but an archive"):
        read_dataset(folder)


def test_a_dangling_training_file_is_not_passed_over(make_dataset: Callable[..., Path]) -> None:
    folder = make_dataset()
    (folder / "train.jsonl").unlink()
    (folder / "train.jsonl").symlink_to("gone")
    with pytest.raises(FormatError, match="cannot be opened"):
        read_dataset(folder)
