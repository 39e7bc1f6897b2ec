"""Files for services that fine-tune: nothing is lost, limits hold, the price is what the table says."""

import json
from datetime import date
from pathlib import Path

import pytest

from course_utils.data import services
from course_utils.data.services import TOKENS_OF_MESSAGE, estimate_tokens, export_rows, known_services
from course_utils.errors import ConfigurationError, DataError
from course_utils.files import read_jsonl
from course_utils.tables import Table
from tests.sqlite_files import write_database
from tests.unit.full_disk import full_disk

TARGET = "SELECT name FROM item WHERE price > {}"


def rows_of(written: Table) -> list[int]:
    """Rows read, written, rejected and kept to test with."""
    shown = dict(written.rows)
    names = ("rows read", "rows written", "rows rejected", "rows kept to test with")
    return [int(shown[name].replace(",", "")) for name in names]


def write_split(dataset: Path, split: str, queries: list[str]) -> None:
    rows = [
        {"db_id": "shop", "question": f"{split}: which items cost over {i}?", "query": query}
        for i, query in enumerate(queries)
    ]
    (dataset / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    script = "CREATE TABLE item (name TEXT, price INT); INSERT INTO item VALUES ('é', 3);"
    write_database(tmp_path / "data" / "databases" / "shop" / "shop.sqlite", script)
    write_split(tmp_path / "data", "train", [f"\n {TARGET.format(i)} ;" for i in range(12)])
    write_split(tmp_path / "data", "validation", [TARGET.format(i) for i in range(20, 23)])
    write_split(tmp_path / "data", "test", [TARGET.format(i) for i in range(30, 34)])
    return tmp_path / "data"


@pytest.mark.parametrize("service", ["openai", "together"])
def test_each_line_is_one_chat_and_nothing_else(dataset: Path, tmp_path: Path, service: str) -> None:
    written = export_rows(dataset, tmp_path / "out", service, tmp_path / "built")
    assert rows_of(written) == [19, 15, 0, 4]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train.jsonl", "validation.jsonl"]
    for row in read_jsonl(tmp_path / "out" / "train.jsonl"):
        assert row.keys() == {"messages"}
        assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
        assert all(message.keys() == {"role", "content"} and message["content"] for message in row["messages"])
        assert "table item: name text, price int" in row["messages"][0]["content"].lower()
    assert row["messages"][-1]["content"] == TARGET.format(11)


def test_rejected_rows_say_why_and_none_is_lost(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "SELECT name FROM item WHERE name IN ('" + "', '".join(map(str, range(300))) + "')"
    write_split(dataset, "train", [*(TARGET.format(i) for i in range(12)), "SELECT colour FROM item", long])
    with (dataset / "train.jsonl").open("a") as file:
        file.write('{"db_id": "shop"}\nnot JSON\n')
    limits = {**known_services()["openai"], "max_tokens": 400}
    monkeypatch.setattr(services, "known_services", lambda: {"openai": limits})
    written = export_rows(dataset, tmp_path / "out", "openai", tmp_path / "built")
    rejected = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    n_read, *n_others = rows_of(written)
    assert len(rejected) == n_others[1] == 4
    assert n_read == sum(n_others)
    reasons = " ".join(row["reason"] for row in rejected)
    assert "no such column" in reasons
    assert "tokens, but openai accepts at most 400" in reasons


def test_the_price_is_tokens_times_epochs_times_the_table(dataset: Path, tmp_path: Path) -> None:
    shown = dict(export_rows(dataset, tmp_path / "out", "together", tmp_path / "built", epochs=4).rows)
    chats = [row["messages"] for row in read_jsonl(tmp_path / "out" / "train.jsonl")]
    n_tokens = sum(map(estimate_tokens, chats))
    assert shown["tokens of the training rows"].startswith(f"about {n_tokens:,} ")
    assert shown["training, 4 epochs"] == "under 0.01 USD"
    more = dict(export_rows(dataset, tmp_path / "more", "together", tmp_path / "built", epochs=4000).rows)
    assert more["training, 4000 epochs"] == f"about {n_tokens * 4000 * 0.48 / 1e6:.2f} USD"
    assert "May 2026 (https://" in shown["price"]


def test_what_cannot_be_exported_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'azure' is no known service; choose one of openai, together"):
        export_rows(dataset, tmp_path / "out", "azure", tmp_path / "built")
    with pytest.raises(DataError, match="something already"):
        export_rows(dataset, dataset, "openai", tmp_path / "built")
    write_split(dataset, "train", [TARGET.format(i) for i in range(9)])
    with pytest.raises(DataError, match="9 good training rows, but openai needs at least 10"):
        export_rows(dataset, tmp_path / "out", "openai", tmp_path / "built")
    assert not (tmp_path / "out").exists()


def test_nothing_is_exported_where_the_disk_is_full(dataset: Path, tmp_path: Path) -> None:
    with (dataset / "train.jsonl").open("a") as rows:
        rows.write(json.dumps({"db_id": "shop", "question": "?", "query": "no SQL " * 20_000}) + "\n")
    with full_disk(dataset / "validation.jsonl", 50_000), pytest.raises(OSError, match=r"space|large"):
        export_rows(dataset, tmp_path / "out", "openai", tmp_path / "built")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
    assert rows_of(export_rows(dataset, tmp_path / "out", "openai", tmp_path / "built")) == [20, 15, 1, 4]


# What a service charges, and for how many tokens


@pytest.mark.parametrize(
    ("text", "n_tokens"),
    [
        ("SELECT COUNT(*) FROM singer", 5),
        ("Which items cost over 1234?", 9),
        ("flight_id -> airport", 5),
        ("internationalisation", 3),
        ("有多少歌手？", 6),
        ("", 0),
    ],
)
def test_tokens_are_counted_in_pieces(text: str, n_tokens: int) -> None:
    assert estimate_tokens([{"content": text}]) == n_tokens + TOKENS_OF_MESSAGE


@pytest.mark.parametrize("name", known_services())
def test_every_price_has_a_date_and_a_source(name: str) -> None:
    service = known_services()[name]
    assert date(2026, 1, 1) < service["as_of"] < date.today()
    assert service["source"].startswith("https://")
    assert service["rules"].startswith("https://")
    assert 0 < service["usd_per_million_tokens"] < 100
    for serving in service["serving"]:
        assert date(2026, 1, 1) < serving["as_of"] < date.today()
        assert serving["source"].startswith("https://")
        by_token = {"usd_per_million_prompt_tokens", "usd_per_million_reply_tokens"} <= serving.keys()
        assert by_token != ("usd_per_hour" in serving)
