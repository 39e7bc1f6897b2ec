import re
import sqlite3
import unicodedata
from contextlib import closing
from datetime import date, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.privacy.anonymise import Pseudonyms, anonymise_rows, map_values, recheck
from course_utils.data.privacy.patterns import find_by_patterns
from course_utils.errors import ConfigurationError, DataError
from course_utils.files import Row
from course_utils.sql import run_query

from .labelled import POSITIVE

SECRET = "correct horse battery staple"
NAMES = ("Anders Berg", "May Olsen", "Sean O'Neil", "José Muñoz", "Grant")
PAIRS = (
    ("Who has the mail a.berg@corp.com?", "SELECT id FROM pilot WHERE mail = 'a.berg@corp.com'"),
    ("id of anders  berg", 'SELECT id FROM pilot WHERE name = "Anders Berg"'),
    ("How many flights may Grant have?", "SELECT COUNT(*) FROM flight WHERE pilot LIKE '%Grant%'"),
    ("What is Sean O'Neil's id?", "SELECT id FROM pilot WHERE name IN (\"x\", 'Sean O''Neil')"),
    ("Whose phone is (415) 555-2672?", "SELECT id FROM pilot WHERE phone = 4155552672"),
    ("MAY OLSEN flights", "SELECT id FROM flight WHERE UPPER(pilot) = 'MAY OLSEN'"),
    ("Flights of May Olsen", "SELECT id FROM flight WHERE pilot = 'May Olsen'"),
    (unicodedata.normalize("NFD", "id of Jo\u00adsé Muñoz"), "SELECT id FROM pilot WHERE name = 'José Muñoz'"),
    ("What is the total Grant?", 'SELECT SUM("Grant") FROM pilot'),
    ("How many use gmail?", "SELECT COUNT(*) FROM pilot WHERE mail LIKE '%@gmail.com'"),
)
ROWS: list[Row] = [{"db_id": "air", "question": question, "query": query} for question, query in PAIRS]


def knowing(*names: str, secret: str = SECRET) -> Pseudonyms:
    pseudonyms = Pseudonyms(secret)
    for name in names:
        pseudonyms.add("name", name)
    return pseudonyms


def build(database: Path, rows: list[list[str | int]]) -> Path:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute('CREATE TABLE pilot (id, name, phone, mail, "Grant")')
        connection.execute("CREATE TABLE flight (id, pilot)")
        connection.executemany("INSERT INTO pilot VALUES (?, ?, ?, ?, 5)", rows)
        connection.executemany("INSERT INTO flight VALUES (?, ?)", [(row[0], row[1]) for row in rows])
        connection.commit()
    return database


def test_queries_give_the_same_answers_on_a_database_with_the_pseudonyms(tmp_path: Path) -> None:
    pilots: list[list[str | int]] = [
        [1, "Anders Berg", 4155552671, "a.berg@corp.com"],
        [2, "May Olsen", 4155552672, "x@gmail.com"],
        [3, "Sean O'Neil", 4155552673, "y@gmail.com"],
        [4, "José Muñoz", 4155552674, ""],
    ]
    pseudonyms = knowing(*NAMES)
    rows = anonymise_rows(ROWS, pseudonyms)
    recheck(rows, pseudonyms)
    renamed = [
        [n, pseudonyms.replace("name", str(name)), int(pseudonyms.replace("phone", str(phone))),
         pseudonyms.replace("email", str(mail)) if "corp" in str(mail) else mail]
        for n, name, phone, mail in pilots
    ]  # fmt: skip
    before, after = build(tmp_path / "before.sqlite", pilots), build(tmp_path / "after.sqlite", renamed)
    for old, new in zip(ROWS, rows, strict=True):
        assert run_query(before, old["query"]).rows == run_query(after, new["query"]).rows != [], new["query"]
    assert rows[2]["question"].split()[3] == "may"  # the verb, not the pilot
    assert [row["query"] for row in rows[8:]] == [query for _, query in PAIRS[8:]]  # no person, nobody's mailbox


@pytest.mark.parametrize(
    "left",
    ["ANDERS BERG", "a.berg@corp.com", "(415) 555-2672", "new.person@corp.com", "sean o'neil", "Jose\u0301 Munoz"],
)
def test_recheck_finds_each_value_that_was_left(left: str) -> None:
    pseudonyms = knowing(*NAMES)
    rows = anonymise_rows(ROWS, pseudonyms)
    said = f"about {left} only"
    chat = [{"role": "user", "content": said.replace(" ", "\n")}]
    for field in ({"question": said}, {"note": said}, {"messages": chat}, {"note": [f"\t{left}", b"?"]}):
        row = {"db_id": "air", "question": "?", "query": "SELECT 1"} | field
        with pytest.raises(DataError, match=f"row {len(ROWS) + 1}") as error:
            recheck([*rows, row], pseudonyms)
        assert left not in str(error.value)
    with pytest.raises(DataError, match="query"):
        recheck([{"question": "?", "query": "SELECT '{}'".format(left.replace("'", "''"))}], pseudonyms)


def test_the_same_value_has_the_same_pseudonym_everywhere_and_another_key_gives_another() -> None:
    rows = [{"question": "mail x@corp.com to Eva Lind", "query": f"SELECT {n}"} for n in range(3)]
    first = anonymise_rows(rows[:2], knowing("Eva Lind"))
    second = anonymise_rows(rows[2:], knowing("Eva Lind"))  # another split, another process
    assert len({row["question"] for row in [*first, *second]}) == 1
    other = anonymise_rows(rows, knowing("Eva Lind", secret="another horse battery"))
    assert other[0]["question"] != first[0]["question"]


def test_every_labelled_value_is_replaced_alike_in_question_and_query() -> None:
    rows = [
        {"question": text, "query": "SELECT x FROM t WHERE v = '" + it.replace("'", "''") + "'"}
        for _, it, text in POSITIVE
    ]
    pseudonyms = Pseudonyms(SECRET)
    anonymised = anonymise_rows(rows, pseudonyms)
    recheck(anonymised, pseudonyms)
    for (_, it, _), row in zip(POSITIVE, anonymised, strict=True):
        value = row["query"].split("v = ")[1][1:-1].replace("''", "'")
        assert value != it
        assert value in row["question"]


@pytest.mark.parametrize(
    "written",
    [
        unicodedata.normalize("NFD", "José Muñoz"),
        unicodedata.normalize("NFD", "JOSÉ MUÑOZ"),
        "Jo\u00adsé Muñ\u200boz",
        "Jo\u200dsé Muñ\u200coz",  # joiners
        "Jo\u0332sé\ufe0f Muñ\u034foz",  # further marks
        "\u2068José Muñoz\u2069",
        "Ｊｏｓｅ　Ｍｕｎｏｚ",
        "José\u00a0Muñoz",
        "José‐Muñoz",
    ],
)
def test_a_name_is_known_however_it_is_encoded_and_the_rest_stays(written: str) -> None:
    pseudonyms = knowing("José Muñoz")
    rows = [
        {"question": f"Ａge of {written}, ½ of 👩‍👩‍👧 می‌خواهم?", "query": f"SELECT age FROM t WHERE name = '{written}'"}
    ]
    (row,) = anonymise_rows(rows, pseudonyms)
    pseudonym = pseudonyms.replace("name", "José Muñoz").casefold()
    assert pseudonym in re.sub(r"\W+", " ", row["question"].casefold())
    assert pseudonym in re.sub(r"\W+", " ", row["query"].casefold())
    assert row["question"].startswith("Ａge of ")
    assert row["question"].endswith(", ½ of 👩‍👩‍👧 می‌خواهم?")
    recheck([row], pseudonyms)
    with pytest.raises(DataError, match='"question" still has name'):
        recheck(rows, pseudonyms)


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("张伟", "张伟的订单有多少？"),
        ("山田太郎", "顧客の山田太郎さんはどこですか"),
        ("김철수", "김철수의 주문은?"),
        ("クリスティアーノ・ロナウド", "クリスティアーノ・ロナウドの得点は？"),
        ("황보석현우", "황보석현우의 주소"),
        ("สมชาย ใจดี", "ที่อยู่ของสมชายใจดีคืออะไร"),
        ("Ayşe Yılmaz", "AYŞE YILMAZ kim?"),
        ("Ayşe Yılmaz", "Ayşe Yılmaz'ın siparişleri?"),
        ("Jörg Groß", "Wo wohnt JÖRG GROSS?"),
        ("Γιώργος Παππάς", "ΓΙΩΡΓΟΣ ΠΑΠΠΑΣ;"),
        ("Seán O'Neil", "orders of sean o’neil"),
    ],
)
def test_a_name_of_any_script_is_replaced_in_whichever_case(name: str, question: str) -> None:
    pseudonyms = knowing(name)
    rows = [{"question": question, "query": "SELECT id FROM p WHERE name = '{}'".format(name.replace("'", "''"))}]
    with pytest.raises(DataError, match="2 pieces"):
        recheck(rows, pseudonyms)
    (row,) = anonymise_rows(rows, pseudonyms)
    pseudonym = row["query"].split("'")[1]
    assert pseudonym not in name
    assert pseudonym.casefold() in row["question"].casefold()


@pytest.mark.parametrize(
    ("question", "born"),
    [
        ("my date of birth is 3 March 1979", "1979-03-03"),
        ("Peter Novak, born May 5, 1971, asks for his file", "1971-05-05 00:00:00"),
        ("geb. am 7.4.1990", "1990-04-07"),
        ("geb. am 31.12.69", "1969-12-31"),
        ("DOB: 7/4/1990", "1990-07-04"),
        ("DOB: 31/12/1990", "1990-12-31"),
        ("DOB: 31/13/1990", "31/13/1990"),
    ],
)
def test_a_date_of_birth_is_the_same_in_the_words_of_a_question_and_the_digits_of_a_query(
    question: str, born: str
) -> None:
    (row,) = anonymise_rows([{"question": question, "query": f"SELECT '{born}'"}], Pseudonyms(SECRET))
    made = row["query"].split("'")[1].removesuffix(" 00:00:00")
    assert made not in born
    assert made in row["question"]


def test_a_korean_name_that_is_a_part_of_another_ones_syllable_is_none() -> None:
    assert [*knowing("김철수").find("김철숙의 주문은?")] == []


@pytest.mark.parametrize(
    ("query", "is_person"),
    [
        ('SELECT SUM("Grant") FROM p', False),
        ('SELECT "Grant" AS "Grant" FROM p GROUP BY "Grant" ORDER BY "Grant"', False),
        ("SELECT `Grant`, [Grant] FROM p", False),
        ('SELECT 1 FROM p JOIN q ON p.x = q."Grant" WHERE "Grant" > 5', False),
        ('SELECT 1 FROM p WHERE x = "Grant".x', False),
        ('SELECT 1 FROM p WHERE x IN (SELECT "Grant" FROM q)', False),
        ('SELECT 1 FROM p WHERE x = (SELECT MAX("Grant") FROM q)', False),
        ('SELECT 1 FROM p WHERE last = "Grant"', True),
        ('SELECT 1 FROM p WHERE last IS NOT "Grant"', True),
        ('SELECT 1 FROM p WHERE UPPER(last) = UPPER("Grant")', True),
        ('SELECT 1 FROM p WHERE last NOT IN ("X", "Grant")', True),
        ('SELECT 1 FROM p WHERE last BETWEEN "A" AND "Grant"', True),
        ("SELECT `it's` FROM p WHERE last = 'Grant'", True),
        ("SELECT [it's] FROM p WHERE last = 'Grant'", True),
        ("SELECT 1 /* it's */ FROM p WHERE last = 'Grant'", True),
        ("SELECT 1 FROM p -- it's Grant", True),
    ],
)
def test_a_column_of_a_person_s_name_stays_and_a_text_does_not(query: str, is_person: bool) -> None:
    pseudonyms = knowing("Grant")
    (row,) = anonymise_rows([{"question": "What of it?", "query": query}], pseudonyms)
    wanted = query.replace("Grant", pseudonyms.replace("name", "Grant")) if is_person else query
    assert row["query"] == wanted


def test_a_number_without_its_signs_is_no_address() -> None:
    row = {"question": "logins of 192.168.10.77", "query": "SELECT n FROM log WHERE id = 1921681077"}
    (changed,) = anonymise_rows([row], Pseudonyms(SECRET))
    assert changed["query"] == row["query"]
    assert "192.168.10.77" not in changed["question"]


def pseudonym(type_: str, text: str) -> str:
    return Pseudonyms(SECRET).replace(type_, text)


def test_pseudonyms_keep_the_form() -> None:
    for type_, number in (
        ("phone", "+49 30 901820"),
        ("phone", "(415) 555-2671"),
        ("card", "4012 8888 8888 1881"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("mac", "00:1b:44:11:3a:b7"),
        ("ssn", "536-22-1234"),
    ):
        made = pseudonym(type_, number)
        assert made != number
        for old, new in zip(number, made, strict=True):
            assert (old.isdigit(), old.isalpha()) == (new.isdigit(), new.isalpha())
            assert old.isalnum() or old == new
    assert pseudonym("phone", "0033 6 12 34 56 78")[2:] == pseudonym("phone", "+33 6 12 34 56 78")[1:]
    assert find_by_patterns(pseudonym("email", "A@b.de")) == []
    assert ip_address(pseudonym("ip", "8.8.8.8")).is_private


@settings(max_examples=20, deadline=None)
@given(st.lists(st.from_regex(r"[A-Z][a-z]{3,8} [A-Z][a-z]{3,8}", fullmatch=True), unique_by=str.lower, max_size=30))
def test_different_names_stay_different_and_none_is_a_real_one(names: list[str]) -> None:
    rows = [{"question": f"Is {name} here?", "query": f"SELECT '{name}'"} for name in names]
    pseudonyms = knowing(*names)
    anonymised = anonymise_rows(rows, pseudonyms)
    changed = {row["query"].split("'")[1] for row in anonymised}
    assert len(changed) == len(names)
    assert not {word for name in names for word in name.split()} & {word for name in changed for word in name.split()}
    recheck(anonymised, pseudonyms)


def test_a_pseudonym_is_no_other_known_value() -> None:
    """Invented days of birth fall on real ones of other people, as 400 of 20,000 days do."""
    days = [date(1970, 1, 1) + timedelta(37 * number) for number in range(400)]
    pseudonyms = Pseudonyms(SECRET)
    rows = [{"question": f"She was born on {day}.", "query": "SELECT 1"} for day in days]
    recheck(anonymise_rows(rows, pseudonyms), pseudonyms)


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=10), max_size=3))
def test_a_query_with_unchanged_values_is_unchanged(texts: list[str]) -> None:
    query = "SELECT " + ", ".join("'" + text.replace("'", "''") + "'" for text in ["x", *texts])
    assert map_values(query, lambda text: text) == query


def test_the_secret_has_no_default_and_nothing_is_shown() -> None:
    with pytest.raises(ConfigurationError, match="token_hex"):
        Pseudonyms("")
    pseudonyms = knowing(*NAMES)
    anonymise_rows(ROWS, pseudonyms)
    assert not re.search("(?i)berg|horse", repr(pseudonyms))
