"""Every format gives back what was written, whatever the rows hold, and what others wrote, in their meaning."""

import csv
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils import prompts
from course_utils.data.formats import FORMATS, detect_format, iter_rows, read_rows, write_rows
from course_utils.errors import ConfigurationError, DataError, FormatError
from course_utils.tasks.ticket_triage import ticket_triage

Row = dict[str, Any]
ENDING = {"csv": ".csv", "parquet": ".parquet", "spider": ".json", "datasets": ""}
WRITABLE = [name for name, format_ in FORMATS.items() if format_.write]
CONVERSATIONS = ["openai", "sharegpt", "alpaca", "prompt-completion", "prompt-completion-text"]
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        ["", "\n", "a\r\r\n", '"', '""', "'", ",", "null", "1", "true", "\0", "\ufeff", "\u2028", "😀", " x "]
    ),
)
SCALARS = st.one_of(TEXT, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none())
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.lists(TEXT, max_size=3))
NAMES = st.sampled_from(["id", "answerable", "tags", "x:json", "x:optional", "x", "y:plain", "señal", "Two words"])
ROWS = st.lists(
    st.builds(
        lambda question, query, more: {"question": question, "query": query} | more,
        TEXT,
        TEXT,
        st.dictionaries(NAMES, VALUES, max_size=5),
    ),
    min_size=1,
    max_size=5,
)


def same(read: list[Row], written: list[Row]) -> bool:
    """Equal with the types: True is not 1, and 1 not 1.0."""
    return json.dumps(read, sort_keys=True) == json.dumps(written, sort_keys=True)


def fields_of(path: Path | str, name: str | None = None) -> list[Row]:
    records = read_rows(path, name)
    assert [record.fault for record in records if record.fault] == []
    return [record.fields for record in records]


@pytest.mark.parametrize("name", WRITABLE)
def test_any_rows_come_back_as_they_were(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rows")
    path = folder / f"rows{ENDING.get(name, '.jsonl')}"

    @settings(deadline=None, max_examples=40 if name == "datasets" else 150, suppress_health_check=list(HealthCheck))
    @given(rows=ROWS)
    def check(rows: list[Row]) -> None:
        write_rows(rows, path, name)
        assert same(fields_of(path, name), rows)
        assert [found.name for found in folder.iterdir()] == [path.name]

    check()


@pytest.mark.parametrize("name", [name for name in WRITABLE if name not in CONVERSATIONS])
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.dictionaries(NAMES, VALUES, min_size=1), min_size=1, max_size=5))
def test_rows_need_no_field_in_particular(name: str, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / f"rows{ENDING.get(name, '.jsonl')}"
    write_rows(rows, path, name)
    assert same(fields_of(path, name), rows)


@pytest.mark.parametrize("name", WRITABLE)
def test_very_long_text_comes_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{ENDING.get(name, '.jsonl')}"
    rows = [{"id": "a", "question": "ä\n" * 500_000, "query": "SELECT 1"}]
    write_rows(rows, path, name)
    assert fields_of(path, name) == rows


@pytest.mark.parametrize("name", ["openai", "sharegpt", "alpaca", "prompt-completion"])
def test_the_courses_rows_become_the_courses_prompt(name: str, tmp_path: Path) -> None:
    row = {
        "id": "1",
        "db_id": "shop",
        "question": "How many?",
        "query": "SELECT COUNT(*) FROM shop",
        "answerable": True,
    }
    path = tmp_path / "rows.jsonl"
    write_rows([row], path, name, to_messages=lambda row: prompts.to_messages("table shop: name text", row["question"]))
    written = json.loads(path.read_text())
    texts = [prompts.to_messages("table shop: name text", "How many?")[0]["content"], "How many?", row["query"]]
    expected = {
        "openai": {"messages": chat(("system", "user", "assistant"), texts)},
        "sharegpt": {"conversations": chat(("system", "human", "gpt"), texts, "from", "value")},
        "alpaca": dict(zip(("instruction", "input", "output"), texts, strict=True)),
        "prompt-completion": {
            "prompt": chat(("system", "user"), texts[:2]),
            "completion": chat(("assistant",), texts[2:]),
        },
    }[name]
    assert {key: value for key, value in written.items() if key != "metadata"} == expected
    assert detect_format(path) == name
    assert fields_of(path) == [row]


def chat(who: tuple[str, ...], what: list[str], role: str = "role", content: str = "content") -> list[Row]:
    return [{role: speaker, content: text} for speaker, text in zip(who, what, strict=True)]


def test_an_answer_that_others_edited_is_read_as_edited(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows([{"id": "1", "question": "How many?", "query": "SELECT 1"}], path, "openai")
    path.write_text(path.read_text().replace("SELECT 1", "SELECT 2").replace("How many?", "How much?"))
    assert fields_of(path) == [{"id": "1", "question": "How much?", "query": "SELECT 2"}]


def test_another_task_needs_no_change_of_the_formats(tmp_path: Path) -> None:
    task = ticket_triage()
    rows = [{"id": "1", "text": "It burns", "label": "bug", "priority": "high"}]
    for name in ("openai", "sharegpt", "alpaca", "prompt-completion"):
        write_rows(rows, tmp_path / name, name, to_messages=task.to_messages, to_target=task.to_target)
        assert fields_of(tmp_path / name, name) == rows


FOREIGN = {
    "openai": [
        {"messages": chat(("user", "assistant", "user", "assistant"), ["Hi", "Hello", "Bye", "See you"])},
        {"messages": chat(("system", "user", "assistant"), ["Be kind", "Hi", "Hello"]), "metadata": {"held": 1}},
        {
            "messages": [
                *chat(("user",), ["Weather?"]),
                {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function"}]},
            ],
            "tools": [{"type": "function"}],
        },
        {"messages": [*chat(("user",), ["Hi"]), {"role": "assistant", "content": "Hello", "weight": 0}]},
    ],
    "sharegpt": [
        {"id": "x", "conversations": chat(("human", "gpt", "human", "gpt"), ["a", "b", "c", "d"], "from", "value")},
        {"conversations": chat(("system", "human", "gpt"), ["s", "a", "b"], "from", "value")},
    ],
    "alpaca": [
        {"instruction": "Translate", "input": "Haus", "output": "house"},
        {"instruction": "Sing", "input": "", "output": "La", "source": "me"},
    ],
    "prompt-completion": [{"prompt": chat(("user",), ["a"]), "completion": chat(("assistant",), ["b"]), "n": 1}],
    "prompt-completion-text": [{"prompt": "The sky is", "completion": " blue.", "n": None}],
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_what_others_wrote_is_recognised_and_written_as_it_was(name: str, ending: str, tmp_path: Path) -> None:
    rows = FOREIGN[name]
    path, copy = tmp_path / f"theirs{ending}", tmp_path / f"ours{ending}"
    path.write_text(json.dumps(rows) if ending == ".json" else "\n".join(map(json.dumps, rows)))
    assert detect_format(path) == name
    write_rows(fields_of(path), copy, name)
    text = copy.read_text()
    assert (json.loads(text) if ending == ".json" else [json.loads(line) for line in text.splitlines()]) == rows


def test_a_foreign_conversation_is_its_prompt_and_its_target(tmp_path: Path) -> None:
    for name in ("openai", "sharegpt", "alpaca", "prompt-completion", "prompt-completion-text"):
        (tmp_path / f"{name}.json").write_text(json.dumps(FOREIGN[name][:1]))
    assert [read_rows(tmp_path / f"{name}.json")[0].fields["target"] for name in FOREIGN] == [
        "See you",
        "d",
        "house",
        "b",
        " blue.",
    ]
    assert read_rows(tmp_path / "alpaca.json")[0].fields["messages"] == chat(("system", "user"), ["Translate", "Haus"])


def test_a_conversation_changes_its_format_and_back(tmp_path: Path) -> None:
    rows = [{"messages": chat(("system", "user"), ["s", "u"]), "target": "t", "id": "7"}]
    for name in ("openai", "sharegpt", "alpaca", "prompt-completion", "parquet", "csv"):
        path = tmp_path / f"rows{ENDING.get(name, '.jsonl')}"
        write_rows(rows, path, name)
        assert fields_of(path, name) == rows


def test_other_readers_read_our_csv_and_parquet(tmp_path: Path) -> None:
    import pandas

    rows = [
        {"id": "001", "question": 'Say "hi",\nthen\r\nleave', "query": "SELECT 1", "n": 1, "tags": ["a", "b"]},
        {"id": "002", "question": "", "query": "SELECT 'ä'", "n": None, "tags": []},
    ]
    write_rows(rows, tmp_path / "rows.csv", "csv")
    write_rows(rows, tmp_path / "rows.parquet", "parquet")
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [{name: row[name] for name in ("id", "question", "query")} for row in read] == [
        {name: row[name] for name in ("id", "question", "query")} for row in rows
    ]
    assert list(read[0]) == ["id", "question", "query", "n:json", "tags:json"]
    frame = pandas.read_parquet(tmp_path / "rows.parquet")
    assert list(frame["question"]) == [row["question"] for row in rows]
    assert [list(tags) for tags in frame["tags"]] == [["a", "b"], []]


def test_we_read_csv_and_parquet_of_others(tmp_path: Path) -> None:
    import pandas

    rows = [{"id": "001", "question": "a, b", "query": "SELECT 1"}, {"id": "2", "question": 'x"y', "query": ""}]
    pandas.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False, encoding="utf-8-sig")
    pandas.DataFrame(rows).to_parquet(tmp_path / "rows.parquet")
    assert fields_of(tmp_path / "rows.csv") == fields_of(tmp_path / "rows.parquet") == rows


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"x": float("nan")}, "is nan; write None or a number"),
        ({"x": [float("inf")]}, "is inf"),
        ({"x": "\ud800"}, "half of a surrogate pair"),
        ({"x": b"bytes"}, "is of type bytes"),
        ({"x": {1: 2}}, "keys that are no text"),
        ({"x": Path("a")}, "is of type"),
        ({"": 1}, "is no plain text"),
        ({}, "not a dict with fields"),
        ("text", "not a dict with fields"),
        ({"x": 10**5000}, "too many digits"),
        ({"x": json.loads("[" * 200 + "]" * 200)}, "nested deeper"),
        ({"x": "a" * (17 * 2**20)}, "longer than 16 MiB"),
    ],
)
def test_rows_that_no_file_could_give_back_are_all_named_and_nothing_is_written(
    tmp_path: Path, row: Any, reason: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("before")
    with pytest.raises(FormatError) as caught:
        write_rows([{"x": 1}, row, {"x": 2}, row], path, "jsonl")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 2 rows do not fit:"
    assert [line.split(":")[0] for line in lines[1:]] == ["row 2", "row 4"]
    assert reason in lines[1]
    assert {found.name: found.read_text() for found in tmp_path.iterdir()} == {"rows.jsonl": "before"}


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("openai", {"query": "SELECT 1"}, '"question" is missing or not text; give to_messages'),
        ("openai", {"question": "x", "query": None}, '"query" is missing or not text; give to_target'),
        (
            "alpaca",
            {"messages": chat(("user", "assistant", "user"), ["a", "b", "c"]), "target": "d"},
            "choose the openai",
        ),
        ("sharegpt", {"messages": [{"role": "user", "from": "x", "content": "a"}], "target": "d"}, "choose the openai"),
        (
            "prompt-completion-text",
            {"messages": chat(("system", "user"), ["a", "b"]), "target": "d"},
            "choose the openai",
        ),
        ("openai", {"messages": chat(("user",), ["a"])}, "the last message is not the assistant's"),
        ("spider", {"SQL": "SELECT 1"}, "give rows as read_dataset does"),
    ],
)
def test_a_row_that_the_format_cannot_hold_is_named(name: str, row: Row, reason: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="1 rows do not fit") as caught:
        write_rows([row], tmp_path / "rows.json", name)
    assert reason in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_rows_are_no_file(tmp_path: Path) -> None:
    for name in WRITABLE:
        with pytest.raises(FormatError, match="no rows to write"):
            write_rows([], tmp_path / "rows", name)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.xyz").write_text("x")
    with pytest.raises(FormatError, match="its format is unknown; name one: datasets, folder"):
        detect_format(tmp_path / "rows.xyz")
    with pytest.raises(ConfigurationError, match="'xml' is no format"):
        read_rows(tmp_path / "rows.xyz", "xml")
    with pytest.raises(ConfigurationError, match="call write_spider"):
        write_rows([{"x": 1}], tmp_path / "rows", "folder")


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("jsonl", "csv", "parquet"):
        with pytest.raises(DataError, match="a folder is in the way"):
            write_rows([{"x": 1}], tmp_path / "folder", name)
        with pytest.raises(DataError, match="cannot be written"):
            write_rows([{"x": 1}], tmp_path / "file" / "rows", name)
    with pytest.raises(DataError, match="something else is in the way"):
        write_rows([{"x": 1}], tmp_path / "folder", "datasets")


def test_a_hundred_thousand_rows_stream(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {
        "id": "train-1",
        "db_id": "shop",
        "question": "How many shops are there?",
        "query": "SELECT COUNT(*) FROM shop",
    }
    write_rows((row for _ in range(100_000)), path, "jsonl")
    began = time.perf_counter()
    assert sum(record.fields == row for record in iter_rows(path)) == 100_000
    assert time.perf_counter() - began < 10  # about one on a quiet core
    tracemalloc.start()
    n_read = sum(1 for _, _ in zip(iter_rows(path), range(20_000), strict=False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_read == 20_000
    assert peak < 2_000_000
