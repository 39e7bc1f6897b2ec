import sqlite3
import stat
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.privacy import checksums
from course_utils.data.privacy.anonymise import anonymise_rows, map_literals, recheck
from course_utils.data.privacy.databases import anonymise_database
from course_utils.data.privacy.dates import shift_date
from course_utils.data.privacy.keys import PseudonymKey
from course_utils.data.privacy.mapping import PseudonymMapping, load_mapping, save_mapping
from course_utils.data.privacy.phones import country_of
from course_utils.errors import ConfigurationError, DataError
from course_utils.sql import run_query

KEY = PseudonymKey("correct horse battery staple")
SCHEMA = """
CREATE TABLE pilot (id INTEGER PRIMARY KEY, name TEXT UNIQUE, phone INTEGER, mail TEXT, born TEXT);
INSERT INTO pilot VALUES (1, 'Anders Berg', 4155552671, 'a.berg@corp.com', '1980-02-03'),
 (2, 'May Olsen', 4155552672, 'may@corp.com', '1990-12-01'), (3, 'Sean O''Neil', 4155552673, 'sean@corp.com', NULL);
CREATE TABLE flight (id INTEGER PRIMARY KEY, pilot TEXT, day TEXT);
INSERT INTO flight VALUES (1, 'Anders Berg', '2024-05-01'), (2, 'Anders Berg', '2024-05-09'),
 (3, 'May Olsen', '2024-06-01');
"""
COLUMNS: dict[str, Any] = {
    "pilot.name": "name",
    "flight.pilot": "name",
    "pilot.phone": "phone",
    "pilot.mail": "email",
    "pilot.born": "date",
    "flight.day": "date",
}
ROWS = [
    {"db_id": "air", "question": question, "query": query}
    for question, query in (
        ("Who has the mail a.berg@corp.com?", "SELECT id FROM pilot WHERE mail = 'a.berg@corp.com'"),
        ("id of anders  berg", 'SELECT id FROM pilot WHERE name = "Anders Berg"'),
        ("How many flights may Berg have?", "SELECT COUNT(*) FROM flight WHERE pilot LIKE '%Berg%'"),
        ("What is Sean O'Neil's id?", "SELECT id FROM pilot WHERE name = 'Sean O''Neil'"),
        ("Whose phone is 4155552672?", "SELECT id FROM pilot WHERE phone = 4155552672"),
        ("Pilots born on 1990-12-01", "SELECT id FROM pilot WHERE born = '1990-12-01'"),
        ("born before 3 March 1985", "SELECT id FROM pilot WHERE born < '1985-03-03'"),
        (
            "flights by pilot with mail",
            "SELECT f.id FROM flight f JOIN pilot p ON p.name = f.pilot WHERE p.mail LIKE '%@%'",
        ),
        ("MAY OLSEN flights", "SELECT id FROM flight WHERE UPPER(pilot) = 'MAY OLSEN'"),
        ("days between flights", "SELECT julianday(MAX(day)) - julianday(MIN(day)) FROM flight"),
    )
]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "air.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


def test_queries_give_the_same_answers_on_the_anonymised_database(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    mapping = anonymise_database(database, copy, COLUMNS, key=KEY)
    result = anonymise_rows(ROWS, key=KEY, dates=True, mapping=mapping)
    for before, after in zip(ROWS, result.rows, strict=True):
        wanted = run_query(database, before["query"]).rows
        assert wanted
        assert run_query(copy, after["query"]).rows == wanted, after["query"]
    recheck(result.rows, result.mapping)
    assert [row["question"].split()[3] for row in result.rows[2:3]] == ["may"]  # the verb, not the pilot
    content = copy.read_bytes().lower()
    for word in (b"anders", b"olsen", b"neil", b"corp.com", b"1980-02-03"):
        assert word not in content  # not even in free pages


def test_recheck_finds_each_value_that_was_left(database: Path, tmp_path: Path) -> None:
    mapping = anonymise_database(database, tmp_path / "copy.sqlite", COLUMNS, key=KEY)
    result = anonymise_rows(ROWS, key=KEY, dates=True, mapping=mapping)
    for left in ("ANDERS BERG", "a.berg@corp.com", "(415) 555-2671", "new.person@corp.com", "sean o'neil"):
        spoilt = [*result.rows, {"db_id": "air", "question": f"about {left} only", "query": "SELECT 1"}]
        with pytest.raises(DataError, match=f"row {len(spoilt)}") as error:
            recheck(spoilt, result.mapping)
        assert left not in str(error.value)
    with pytest.raises(DataError):
        recheck([{**result.rows[0], "note": "formerly Anders Berg"}], result.mapping)


def test_the_same_value_has_the_same_pseudonym_everywhere_and_another_key_gives_another() -> None:
    rows = [{"question": "mail x@corp.com to Eva Lind", "query": f"SELECT {n}"} for n in range(3)]
    first = anonymise_rows(rows[:2], key=KEY, names=["Eva Lind"])
    second = anonymise_rows(rows[2:], key=KEY, names=["Eva Lind"])  # another split, another process
    assert len({row["question"] for row in [*first.rows, *second.rows]}) == 1
    other = anonymise_rows(rows, key=PseudonymKey("another horse battery"), names=["Eva Lind"])
    assert other.rows[0]["question"] != first.rows[0]["question"]


def pseudonym(kind: Any, text: str) -> str:
    return PseudonymMapping().replace(KEY, kind, text)


def test_pseudonyms_keep_the_form() -> None:
    assert pseudonym("email", "A@b.de").endswith("@example.org")
    for number in ("+49 30 901820", "(415) 555-2671", "+33 6 12 34 56 78", "020 7946 0958"):
        assert country_of(pseudonym("phone", number)) == country_of(number)
        assert [c for c in pseudonym("phone", number) if not c.isdigit()] == [c for c in number if not c.isdigit()]
    card = pseudonym("card", "4012 8888 8888 1881")
    assert checksums.is_card(card)
    assert card.startswith("4000 00")
    assert checksums.is_iban(pseudonym("iban", "DE89 3704 0044 0532 0130 00"))
    assert pseudonym("iban", "DE89 3704 0044 0532 0130 00")[:2] == "DE"
    assert not checksums.is_ssn(pseudonym("ssn", "536-22-1234"))
    assert pseudonym("ip", "8.8.8.8").startswith("198.1")


@settings(max_examples=50)
@given(st.lists(st.from_regex(r"[A-Z][a-z]{3,8} [A-Z][a-z]{3,8}", fullmatch=True), unique_by=str.lower, max_size=30))
def test_different_names_stay_different_and_none_is_a_real_one(names: list[str]) -> None:
    rows = [{"question": f"Is {name} here?", "query": f"SELECT '{name}'"} for name in names]
    result = anonymise_rows(rows, key=KEY, names=names)
    assert len({row["query"] for row in result.rows}) == len(names)
    assert not {word for name in names for word in name.split()} & {
        word for row in result.rows for word in row["query"].split("'")[1].split()
    }
    recheck(result.rows, result.mapping)


@given(st.dates(min_value=date(1900, 1, 1)), st.integers(-700, 700))
def test_dates_move_by_the_days_and_back(day: Any, days: int) -> None:
    if 1903 < day.year < 9000:
        for form in ("%Y-%m-%d", "%d %B %Y", "%d.%m.%Y"):
            assert shift_date(shift_date(day.strftime(form), days), -days) == day.strftime(form)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=10), max_size=3))
def test_a_query_with_unchanged_literals_is_unchanged(texts: list[str]) -> None:
    query = "SELECT " + ", ".join("'" + text.replace("'", "''") + "'" for text in ["x", *texts])
    assert map_literals(query, lambda text: text) == query


def test_the_mapping_is_private_and_apart(tmp_path: Path) -> None:
    result = anonymise_rows([{"question": "mail x@corp.com", "query": "SELECT 1"}], key=KEY)
    path = save_mapping(result.mapping, tmp_path / "vault" / "mapping.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_mapping(path).originals == result.mapping.originals
    assert "corp" not in repr(result)
    (tmp_path / "set" / "databases").mkdir(parents=True)
    for wrong in ("artifacts/smoke/m.json", "set/m.json", "set/deep/m.json", "vault/mapping.json"):
        with pytest.raises(DataError):
            save_mapping(result.mapping, tmp_path / wrong)


def test_the_key_has_no_default_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_PSEUDONYM_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="COURSE_PSEUDONYM_KEY"):
        PseudonymKey.from_environment()
    monkeypatch.setenv("COURSE_PSEUDONYM_KEY", "correct horse battery staple")
    assert PseudonymKey.from_environment() == KEY
    assert "horse" not in repr(KEY)


def test_a_failed_anonymisation_leaves_no_file(database: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column"):
        anonymise_database(database, tmp_path / "copy.sqlite", {"pilot.nothing": "name"}, key=KEY)
    assert not (tmp_path / "copy.sqlite").exists()
