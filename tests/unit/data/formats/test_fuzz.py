"""Whatever bytes a file holds, reading it gives rows, faults or the one error, and nothing else."""

import functools
import json
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from course_utils.data.formats import read_rows, write_rows
from course_utils.errors import DataError
from course_utils.sql import find_database, read_schema

LAYOUTS = {
    "lines.jsonl": "rows",
    "openai.jsonl": "openai",
    "sharegpt.jsonl": "sharegpt",
    "alpaca.json": "alpaca",
    "completion.json": "prompt-completion",
    "rows.csv": "rows",
    "rows.parquet": "rows",
}
ROWS = [{"db_id": "a", "question": "Où?" * i, "query": "SELECT 1", "tags": ["a"]} for i in range(1, 9)]
CHANGES = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 4), st.binary(min_size=1, max_size=8)), min_size=1, max_size=5
)
WORDS = r"""
{ } [ ] : , " \ \u \ud83d 1 -1e999 NaN null true "a" "messages" "role"
"content" "from" "value" "prompt" "completion" "conversations" id,x
"""
PIECES = st.lists(
    st.sampled_from([*WORDS.split(), '{"a": 1}', "\n", "\r", "\0", "\ufeff", "é", '"metadata"', '{"db_id": 1}']),
    max_size=30,
).map(lambda pieces: "".join(pieces).encode())


@functools.cache
def sound(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_rows(ROWS, Path(folder) / name, LAYOUTS[name]).read_bytes()


def damaged(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Bytes overwritten, put in, cut out or cut off at some places."""
    for place, kind, piece in changes:
        at = place % (len(content) + 1)
        keep = (at + len(piece), at, at + len(piece), at + 100, len(content))[kind]
        content = content[:at] + (piece if kind < 2 else b"") + content[keep:]
    return content


def read_or_refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        records = read_rows(path)
    except DataError as error:
        refusal = str(error)
        records = []
    else:
        refusal = str(path)
    assert refusal.startswith(str(path))
    for record in records:
        assert not (record.fault and record.fields)
        json.dumps(record.fields, ensure_ascii=False, allow_nan=False).encode("utf-8")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / name

    @settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
    @given(changes=CHANGES)
    def check(changes: list[tuple[int, int, bytes]]) -> None:
        read_or_refuse(path, damaged(sound(name), changes))

    check()


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".csv"])
def test_pieces_of_the_formats_in_any_order_are_read_or_refused(
    ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rows") / f"rows{ending}"

    @settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
    @given(content=PIECES)
    @example(content=b'{"messages":[{"role":"assistant","x":1,"y":2}],"metadata":{"db_id":1}}')
    def check(content: bytes) -> None:
        read_or_refuse(path, content)

    check()


def test_a_damaged_database_is_found_or_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript("CREATE TABLE pet (name TEXT, more TEXT); CREATE INDEX i ON pet (name);")
    connection.executemany("INSERT INTO pet VALUES (?, ?)", [(f"{i:09}", "x" * 200) for i in range(200)])
    connection.commit()
    whole = connection.serialize()
    folder = tmp_path_factory.mktemp("dataset")
    path = folder / "databases" / "pets" / "pets.sqlite"
    path.parent.mkdir(parents=True)

    @settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
    @given(changes=CHANGES)
    def check(changes: list[tuple[int, int, bytes]]) -> None:
        path.write_bytes(damaged(whole, changes))
        try:
            read_schema(find_database(folder, "pets", folder / "built"))
        except DataError as error:
            refusal = str(error)
        else:
            refusal = str(path)
        assert refusal.startswith(str(path))
        assert [found.name for found in folder.rglob("*") if found.is_file()] == ["pets.sqlite"]

    check()
