import pytest

from course_utils.errors import DataError
from course_utils.prompts import to_messages
from course_utils.tasks import normalise, text_to_sql

SCHEMAS = {"shop": "table item: name text, price real"}
ROW = {"id": "q1", "db_id": "shop", "question": "Which items?", "query": "SELECT name FROM item"}


def test_it_asks_with_the_one_prompt() -> None:
    task = text_to_sql(SCHEMAS)
    assert task.to_messages(ROW) == to_messages(SCHEMAS["shop"], "Which items?")
    assert task.to_target(ROW) == ROW["query"]
    assert task.read_reply("```sql\nSELECT 1;\n```") == "SELECT 1"


def test_a_database_without_a_schema_is_named() -> None:
    with pytest.raises(DataError, match="no schema of zoo"):
        text_to_sql(SCHEMAS).to_messages({**ROW, "db_id": "zoo"})


# When two questions are the same


@pytest.mark.parametrize(
    ("question", "normal"),
    [
        ("How many  shops\tare there?", "how many shops are there"),
        ('Which cost "3.5%" or less...', "which cost 3.5% or less"),
        ("Who's in  CAF\u00c9 \u2018Noir\u2019 ?", "who's in caf\u00e9 noir"),
        ("\uff33hops below -5", "shops below -5"),
        ("\u200eHow ma\u00adny\u200b\u061f", "how many"),
        ("\u00bfcu\u00e1ntos?", "cu\u00e1ntos"),
        ("...", ""),
    ],
)
def test_marks_and_case_do_not_matter(question: str, normal: str) -> None:
    assert normalise(question) == normal


def test_values_matter() -> None:
    assert len({normalise(f"over {value}") for value in ("5", "-5", "3.5", "35", "C#", "C++")}) == 6
