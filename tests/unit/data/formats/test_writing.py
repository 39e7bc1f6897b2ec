"""Rows come back as they were written, what others wrote is read in its meaning, and what would change is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils import prompts
from course_utils.data.formats import read_rows, write_rows
from course_utils.errors import ConfigurationError, FormatError
from course_utils.tasks import text_to_sql

Row = dict[str, Any]
LAYOUTS = ["openai", "sharegpt", "alpaca", "prompt-completion"]
FILES = [*((f"{layout}.jsonl", layout) for layout in LAYOUTS), ("a.json", "rows"), ("a.jsonl", "rows")]
FILES += [("a.csv", "rows"), ("a.parquet", "rows"), ("chats.parquet", "openai"), ("b.csv", "alpaca")]
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.sampled_from(["\n", "a\r\r\n", '"', '""', "'", ",", "null", "001", "7", "\ufeff", "\u2028", "😀", " x "]),
).filter(lambda text: "\0" not in text and text[:1] not in ("[", "{") and text not in ("true", "false"))
COURSE_ROWS = st.lists(
    st.fixed_dictionaries(
        {"db_id": TEXT, "question": TEXT, "query": TEXT},
        optional={
            "id": TEXT,
            "señal": TEXT,
            "Two words": st.none(),
            "answerable": st.booleans(),
            "tags": st.lists(TEXT),
        },
    ),
    min_size=1,
    max_size=5,
)


def fields_of(path: Path) -> list[Row]:
    records = read_rows(path)
    assert [record.fault for record in records if record.fault] == []
    return [record.fields for record in records]


def chat(who: tuple[str, ...], what: list[str], role: str = "role", content: str = "content") -> list[Row]:
    return [{role: speaker, content: text} for speaker, text in zip(who, what, strict=True)]


@pytest.mark.parametrize(("name", "layout"), FILES, ids=[f"{name} {layout}" for name, layout in FILES])
def test_any_course_rows_come_back_as_they_were(
    name: str, layout: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")

    @settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
    @given(rows=COURSE_ROWS)
    def check(rows: list[Row]) -> None:
        write_rows(rows, folder / name, layout)
        filled = [{key: value for key, value in row.items() if value is not None} for row in rows]
        read = [{key: value for key, value in row.items() if value is not None} for row in fields_of(folder / name)]
        assert json.dumps(read, sort_keys=True) == json.dumps(filled, sort_keys=True)  # True is not 1
        assert [found.name for found in folder.iterdir()] == [name]

    check()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_courses_rows_become_the_courses_prompt(layout: str, tmp_path: Path) -> None:
    row = {"id": "1", "db_id": "shop", "question": "How many?", "query": "SELECT 1", "answerable": True}
    path = tmp_path / "rows.jsonl"
    write_rows([row], path, layout, text_to_sql({"shop": "table shop"}))
    texts = [prompts.to_messages("table shop", "How many?")[0]["content"], "How many?", "SELECT 1"]
    expected = {
        "openai": {"messages": chat(("system", "user", "assistant"), texts)},
        "sharegpt": {"conversations": chat(("system", "human", "gpt"), texts, "from", "value")},
        "alpaca": dict(zip(("instruction", "input", "output"), texts, strict=True)),
        "prompt-completion": {
            "prompt": chat(("system", "user"), texts[:2]),
            "completion": chat(("assistant",), texts[2:]),
        },
    }[layout]
    metadata = {"id": "1", "db_id": "shop", "answerable": True}
    assert json.loads(path.read_text()) == {**expected, "metadata": metadata}
    path.write_text(path.read_text().replace("SELECT 1", "SELECT 2").replace("How many?", "How much?"))
    assert fields_of(path) == [{**row, "question": "How much?", "query": "SELECT 2"}]  # as others edited it


CALL = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
FOREIGN = {
    "openai": [
        {"messages": chat(("user", "assistant", "user", "assistant"), ["Hi", "Hello", "Bye", "See you"])},
        {"messages": chat(("system", "user", "assistant"), ["Be kind", "Hi", "Hello"]), "metadata": {"by": 1}},
        {"messages": [*chat(("user",), ["Hi"]), {"role": "assistant", "tool_calls": [CALL]}], "tools": [{"x": 1}]},
        {
            "messages": [
                *chat(("user",), ["Hi"]),
                {"role": "assistant", "content": None, "function_call": {"name": "f"}},
            ]
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
}


@pytest.mark.parametrize("layout", FOREIGN)
@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_what_others_wrote_is_recognised_and_written_as_it_was(layout: str, ending: str, tmp_path: Path) -> None:
    rows = FOREIGN[layout]
    path, copy = tmp_path / f"theirs{ending}", tmp_path / f"ours{ending}"
    path.write_text(json.dumps(rows) if ending == ".json" else "\n".join(map(json.dumps, rows)))
    write_rows(fields_of(path), copy, layout)
    text = copy.read_text()
    assert (json.loads(text) if ending == ".json" else [json.loads(line) for line in text.splitlines()]) == rows


def test_a_foreign_conversation_is_its_prompt_and_its_target(tmp_path: Path) -> None:
    texts = {"prompt": "The sky is", "completion": " blue."}
    called = {
        "conversations": chat(("human", "function_call", "observation", "gpt"), ["a", "{}", "5", "b"], "from", "value")
    }
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([*(rows[0] for rows in FOREIGN.values()), texts, called]))
    read = fields_of(path)
    assert [row["target"] for row in read] == ["See you", "d", "house", "b", " blue.", "b"]
    assert read[2]["messages"] == chat(("system", "user"), ["Translate", "Haus"])
    assert [message["role"] for message in read[-1]["messages"]] == ["user", "assistant", "tool"]


def test_chats_in_columns_are_the_chats_in_json(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        *FOREIGN["openai"][:1],
        {"messages": [*chat(("user",), ["Hi"]), {"role": "assistant", "tool_calls": [CALL]}]},
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert fields_of(tmp_path / "rows.parquet") == fields_of(tmp_path / "rows.json")
    write_rows(fields_of(tmp_path / "rows.parquet"), tmp_path / "sharegpt.jsonl", "sharegpt")


@pytest.mark.parametrize(
    "turns",
    [
        {"messages": [*chat(("user",), ["Hi"]), {"role": "assistant", "content": "a", "tool_calls": None}]},
        {"messages": [*chat(("user",), ["Hi"]), {"role": "assistant", "content": "a", "annotations": []}]},
        {"conversations": chat(("user", "assistant"), ["Hi", "a"])},
        {"conversations": [{"from": "human", "value": "Hi", "weight": None}, {"from": "gpt", "value": "a"}]},
    ],
)
def test_what_libraries_write_beside_a_text_leaves_it_the_target(turns: Row, tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps(turns), "utf-8")
    (row,) = fields_of(path)
    assert row["target"] == "a"
    for name in ("again.jsonl", "again.parquet"):
        assert write_rows([row], tmp_path / name, "sharegpt").is_file()


def test_an_absent_content_stays_absent_in_each_layout(tmp_path: Path) -> None:
    row = {"messages": [*chat(("user",), ["Hi"]), {"role": "assistant", "tool_calls": [CALL]}]}
    for layout in ("openai", "sharegpt", "prompt-completion"):
        assert fields_of(write_rows([row], tmp_path / "a.jsonl", layout)) == [row]


def test_a_row_of_no_chat_with_a_field_of_messages_is_written(tmp_path: Path) -> None:
    row = {"db_id": "shop", "question": "Hi", "query": "SELECT 1", "messages": "none"}
    assert fields_of(write_rows([row], tmp_path / "a.jsonl", "openai")) == [row]


def test_a_date_in_a_column_is_text_and_no_reason_to_refuse_the_row(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"question": ["Hi"], "query": ["SELECT 1"], "when": pandas.to_datetime(["2020-01-02"])})
    frame.to_parquet(tmp_path / "rows.parquet")
    assert fields_of(tmp_path / "rows.parquet") == [
        {"question": "Hi", "query": "SELECT 1", "when": "2020-01-02 00:00:00"}
    ]


def test_a_conversation_changes_its_layout_and_back(tmp_path: Path) -> None:
    rows = [{"messages": chat(("system", "user"), ["s", "u"]), "target": "t", "id": "7"}]
    for name, layout in FILES:
        write_rows(rows, tmp_path / name, layout)
        assert fields_of(tmp_path / name) == rows


def test_other_readers_read_ours_and_we_read_theirs(tmp_path: Path) -> None:
    import pandas

    rows = [
        {"id": "001", "question": 'Say "hi",\nthen\r\nleave', "query": "SELECT 1", "tags": ["a", "b"]},
        {"id": "2", "question": "a, b", "query": "SELECT 'ä'", "tags": []},
    ]
    write_rows(rows, tmp_path / "rows.csv")
    write_rows(rows, tmp_path / "rows.parquet")
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        assert [{**row, "tags": json.loads(row["tags"])} for row in csv.DictReader(file)] == rows
    frame = pandas.read_parquet(tmp_path / "rows.parquet")
    assert list(frame["question"]) == [row["question"] for row in rows]
    frame.index = pandas.Index(["x", "y"])
    frame.to_parquet(tmp_path / "theirs.parquet")
    assert fields_of(tmp_path / "theirs.parquet") == rows  # without the index
    frame.drop(columns="tags").to_csv(tmp_path / "theirs.csv", encoding="utf-8-sig")
    assert fields_of(tmp_path / "theirs.csv") == [{k: v for k, v in row.items() if k != "tags"} for row in rows]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"x": float("nan")}, "'x': not JSON (Out of range float values are not JSON compliant"),
        ({"x": [float("inf")]}, "'x': not JSON (Out of range"),
        ({"x": {1: 2}}, "x would come back changed"),
        ({"SQL": "SELECT 1"}, "SQL, query would come back changed"),
    ],
)
def test_rows_that_would_not_come_back_are_all_named_and_nothing_is_written(
    tmp_path: Path, row: Any, reason: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("before")
    with pytest.raises(FormatError) as caught:
        write_rows([{"x": 1}, row, {"x": 2}, row], path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 2 rows do not fit:"
    assert [line.split(":")[0] for line in lines[1:]] == ["row 2", "row 4"]
    assert reason in lines[1]
    assert {found.name: found.read_text() for found in tmp_path.iterdir()} == {"rows.jsonl": "before"}


@pytest.mark.parametrize(
    ("name", "layout", "row", "reason"),
    [
        ("a.json", "openai", {"query": "SELECT 1"}, "'question' is missing; give the task"),
        ("a.json", "openai", {"db_id": "a", "question": 5, "query": "x"}, '"content" is missing or not text'),
        ("a.json", "openai", {"question": "x", "query": "y"}, "would come back changed"),
        ("a.json", "alpaca", {"messages": chat(("user", "tool"), ["a", "c"]), "target": "d"}, "choose the openai"),
        ("a.json", "openai", {"messages": chat(("user",), ["a"])}, "the last message is not the assistant's"),
        ("a.csv", "rows", {"n": 1}, "n would come back changed; choose .jsonl"),
        ("a.csv", "rows", {"a": "", "b": "x"}, "a would come back changed"),
        ("a.csv", "rows", {"a;b": "x"}, "a.csv:1: no comma, but other delimiters"),
        ("a.parquet", "rows", {"x": [1, "a"]}, "this format cannot hold the rows (Could not convert 'a'"),
        ("a.parquet", "rows", {"x": {}}, "this format cannot hold the rows (Cannot write struct type"),
        ("a.parquet", "rows", {"x": 2**70}, "this format cannot hold the rows ("),
        ("a.csv", "rows", {"x": "\ud800"}, "('utf-8' codec can't encode character"),
        ("a.json", "rows", {"x": b"bytes"}, "this format cannot hold the rows (Object of type bytes is not JSON"),
    ],
)
def test_a_row_that_the_file_cannot_hold_is_refused(
    name: str, layout: str, row: Row, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError) as caught:
        write_rows([row], tmp_path / name, layout)
    assert str(caught.value).startswith(f"{tmp_path / name}:")
    assert reason in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_at_all_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"rows\.csv: the file has no rows; add rows"):
        write_rows([], tmp_path / "rows.csv")
    with pytest.raises(FormatError, match=r"its ending is unknown; choose \.jsonl"):
        write_rows([{"x": 1}], tmp_path / "rows.xml")
    with pytest.raises(ConfigurationError, match="'xml' is no layout"):
        write_rows([{"x": 1}], tmp_path / "rows.json", "xml")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(FormatError, match=r"folder\.csv: cannot be written \(Is a directory\)"):
        write_rows([{"x": "a"}], tmp_path / "folder.csv")
    with pytest.raises(FormatError, match="cannot be written"):
        write_rows([{"x": 1}], tmp_path / "file" / "rows.csv")
