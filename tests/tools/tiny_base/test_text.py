"""The pretraining text: deterministic, valid SQL, and never in the layout of the task itself."""

import json
import sqlite3
from itertools import islice
from random import Random

import pytest

from course_utils.files import PROJECT
from course_utils.prompts import INSTRUCTION
from tools.tiny_base.concepts import concepts
from tools.tiny_base.documents import Document, documents
from tools.tiny_base.questions import ask
from tools.tiny_base.schemas import NUMERIC_KINDS, invent_schema
from tools.tiny_base.shapes import SHAPES
from tools.tiny_base.styles import ALIASES, NAME_CASES, Style, draw_style
from tools.tiny_base.words import english_words, invented_word


@pytest.fixture(scope="module")
def many() -> list[Document]:
    return list(islice(documents(2), 2000))


def test_same_seed_same_text() -> None:
    assert list(islice(documents(5), 50)) == list(islice(documents(5), 50))
    assert list(islice(documents(5), 50)) != list(islice(documents(6), 50))


def test_every_query_executes_on_its_schema() -> None:
    rng = Random(0)
    problems: list[str] = []
    for _ in range(300):
        tables = invent_schema(rng)
        connection = sqlite3.connect(":memory:")
        for table in tables:
            columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in table.columns)
            connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
        problems += [problem for _ in range(3) if (problem := _problem(connection, ask(rng, tables).sql))]
        connection.close()
    # An invented name may be a keyword of SQL; then only quoting is missing, not a table or a column.
    assert [problem for problem in problems if "syntax error" not in problem] == []
    assert len(problems) < 20


def _problem(connection: sqlite3.Connection, sql: str) -> str | None:
    try:
        connection.execute(sql)
    except sqlite3.OperationalError as error:
        return f"{error}: {sql}"
    return None


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.sql)
def test_every_shape_can_be_drawn(shape: object) -> None:
    rng = Random(1)
    for _ in range(20):
        question = ask(rng, [table for _ in range(20) for table in invent_schema(rng)], (shape,))
        assert "{" not in question.text + question.sql + question.plan


def test_schemas_have_one_to_ten_tables_and_every_hand() -> None:
    rng = Random(0)
    schemas = [invent_schema(rng) for _ in range(800)]
    assert {len(schema) for schema in schemas} == set(range(1, 11))
    styles = [schema[0].style for schema in schemas]
    assert {style.name_case for style in styles} == set(NAME_CASES)
    assert {style.alias for style in styles} == set(ALIASES)
    assert all(table.style == schema[0].style for schema in schemas for table in schema)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (Style(), "SELECT {n}, COUNT(*) FROM {t} WHERE {x} = {v}"),
        (Style(keywords="functions", wide=True), "SELECT {n} ,  count(*) FROM {t} WHERE {x}  =  {v}"),
        (Style(keywords="lower", spaced=True), "select {n}, count( * ) from {t} where {x} = {v}"),
    ],
)
def test_hands_of_sql(style: Style, expected: str) -> None:
    assert style.template("SELECT {n}, COUNT(*) FROM {t} WHERE {x} = {v}") == expected


def test_names_that_are_no_plain_word_are_quoted() -> None:
    style = Style(name_case="Spaces", quote="`")
    assert style.written(style.column_name(["frame", "size"])) == "`Frame Size`"
    assert style.written("Frame_Size") == "Frame_Size"
    assert Style(quote="[").written("2 b") == "[2 b]"


@pytest.mark.parametrize("alias", [alias for alias in ALIASES if alias])
def test_an_alias_says_which_table(alias: str) -> None:
    first, second = (ALIASES[alias][0](table, number) for number, table in enumerate(("SHIP", "PORT")))
    assert first != second


def test_a_quote_inside_a_text_is_doubled() -> None:
    assert Style().literal("O'Hara's") == "'O''Hara''s'"
    assert Style(text_quote='"').literal("O'Hara's") == "\"O'Hara's\""


def test_concepts_say_numbers_and_texts() -> None:
    assert len({concept.name for concept in concepts()}) == len(concepts()) > 50
    for concept in concepts():
        assert concept.kind in ("text", "date", *NUMERIC_KINDS), concept
        assert all("{O}" in asked for asked in concept.asks), concept
        assert all("{T}" in rows and "{V}" in rows for rows in concept.describes), concept


def test_same_seed_same_hand() -> None:
    assert draw_style(Random(3)) == draw_style(Random(3))


def test_chat_replies_are_never_sql(many: list[Document]) -> None:
    replies = [
        message["content"]
        for document in many
        if not isinstance(document.text, str)
        for message in document.text
        if message["role"] == "assistant"
    ]
    assert len(replies) > 200
    assert not any("SELECT" in reply.upper().split() for reply in replies)


def test_the_instruction_of_the_task_never_occurs(many: list[Document]) -> None:
    assert not any(INSTRUCTION in str(document.text) for document in many)


def test_no_question_or_query_of_the_course_occurs(many: list[Document]) -> None:
    text = " ".join(str(document.text) for document in many).lower()
    rows = [json.loads(line) for line in (PROJECT / "data" / "test.jsonl").read_text("utf-8").splitlines()]
    assert not [row["id"] for row in rows if row["question"].lower() in text or row["query"].lower() in text]


def test_what_is_learned_stands_in_the_text(many: list[Document]) -> None:
    for document in many[:300]:
        whole = document.text if isinstance(document.text, str) else " ".join(m["content"] for m in document.text)
        at = 0
        for part in document.learned:
            at = whole.index(part, at) + len(part)


def test_invented_words_rarely_repeat() -> None:
    rng = Random(0)
    words = [invented_word(rng) for _ in range(5000)]
    assert len(set(words)) > 0.75 * len(words)
    assert not set(words) & set(english_words()[:50])
