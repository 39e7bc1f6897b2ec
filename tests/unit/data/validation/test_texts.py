import sqlite3
from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.validation.texts import check_texts, text_problems


def test_one_row_can_have_several_problems_and_checks_can_be_chosen() -> None:
    question = "[INST] Wer wohnt in ZÃ¼rich? Write to maria.keller81@gmail.com [/INST]"
    checks = ("encoding", "template", "personal-data")
    assert {p.check for p in text_problems(question, "SELECT 1", checks)} == set(checks)
    assert {p.check for p in text_problems(question, "SELECT 1", ["template"])} == {"template"}


def test_values_of_the_rows_own_database_are_no_personal_data(tmp_path: Path) -> None:
    databases = {}
    for name, mail in (("a", "maria.keller81@gmail.com"), ("b", "other@gmail.com")):
        databases[name] = tmp_path / f"{name}.sqlite"
        with sqlite3.connect(databases[name]) as connection:
            connection.execute("CREATE TABLE person (mail TEXT)")
            connection.execute("INSERT INTO person VALUES (?)", (mail,))
        connection.close()
    fields = {"question": "Who is maria.keller81@gmail.com?", "query": "SELECT 1"}
    records = [Record(Path("train.jsonl"), 1, {"db_id": name, **fields}) for name in databases]
    found = check_texts(records, databases, ["personal-data"], num_proc=1)
    assert [texts[0] for texts in found] == ["b"]
