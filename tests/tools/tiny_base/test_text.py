"""The pretraining text: deterministic, valid SQL, and never in the layout of the task itself."""

import sqlite3
from itertools import islice
from random import Random

import pytest

from course_utils.prompts import INSTRUCTION
from tools.tiny_base.documents import documents
from tools.tiny_base.questions import ask
from tools.tiny_base.schemas import invent_schema
from tools.tiny_base.shapes import SHAPES
from tools.tiny_base.words import english_words, invented_word, plural


def test_same_seed_same_text() -> None:
    assert list(islice(documents(5), 50)) == list(islice(documents(5), 50))
    assert list(islice(documents(5), 50)) != list(islice(documents(6), 50))


def test_every_query_executes_on_its_schema() -> None:
    rng = Random(0)
    for _ in range(300):
        tables = invent_schema(rng)
        connection = sqlite3.connect(":memory:")
        for table in tables:
            columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in table.columns)
            connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
        problem = _problem(connection, ask(rng, tables).sql)
        # An invented name may be a keyword of SQL; then only quoting is missing, not a table or a column.
        assert problem is None or "syntax error" in problem
        connection.close()


def _problem(connection: sqlite3.Connection, sql: str) -> str | None:
    try:
        connection.execute(sql)
    except sqlite3.OperationalError as error:
        return f"{error}: {sql}"
    return None


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.sql)
def test_every_shape_can_be_drawn(shape: object) -> None:
    rng = Random(1)
    tables = [table for _ in range(20) for table in invent_schema(rng)]
    question = ask(rng, tables, (shape,))
    assert "{" not in question.text + question.sql + question.plan


def test_chat_replies_are_never_sql() -> None:
    replies = [
        message["content"]
        for document in islice(documents(2), 2000)
        if not isinstance(document, str)
        for message in document
        if message["role"] == "assistant"
    ]
    assert len(replies) > 200
    assert not any("SELECT" in reply.upper().split() for reply in replies)


def test_the_instruction_of_the_task_never_occurs() -> None:
    assert not any(INSTRUCTION in str(document) for document in islice(documents(3), 2000))


def test_invented_words_rarely_repeat() -> None:
    rng = Random(0)
    words = [invented_word(rng) for _ in range(5000)]
    assert len(set(words)) > 0.75 * len(words)
    assert not set(words) & set(english_words()[:50])


@pytest.mark.parametrize(
    ("noun", "expected"), [("city", "cities"), ("day", "days"), ("box", "boxes"), ("song", "songs"), ("y", "ys")]
)
def test_plural(noun: str, expected: str) -> None:
    assert plural(noun) in (expected, "ies" if noun == "y" else expected)
