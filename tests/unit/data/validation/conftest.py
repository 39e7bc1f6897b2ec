import random
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.formats import Record
from tests.sqlite_files import write_database

Row = dict[str, Any]
CITIES = ("Lyon", "Turin", "Bergen", "Porto", "Ghent", "Graz", "Basel", "Leeds")


def record(
    number: int = 1,
    question: str = "How many?",
    query: str = "SELECT COUNT(*) FROM shop",
    split: str = "train",
    db_id: str = "shop",
    **more: object,
) -> Record:
    """A row of a dataset as it was read; ``more`` are further fields."""
    fields = {"db_id": db_id, "question": question, "query": query, **more}
    return Record(Path(f"{split}.jsonl"), number, fields, split=split, number=number)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two databases of one table with 40 rows each, called as the database."""
    folder, paths = tmp_path_factory.mktemp("databases"), {}
    for name in ("shop", "bank"):
        rows = [(i, f"{name} {i}", CITIES[i % len(CITIES)], i * 1.5) for i in range(40)]
        script = f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name TEXT, city TEXT, sales REAL);"
        script += f"INSERT INTO {name} VALUES {', '.join(map(str, rows))}"
        paths[name] = write_database(folder / f"{name}.sqlite", script)
    return paths


@pytest.fixture(scope="session")
def splits() -> dict[str, list[Row]]:
    """Rows of three splits, with what the checks of rows, duplicates and leaks find."""
    rng = random.Random(5)
    rows: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for i in range(300):
        db_id, city, limit = rng.choice(("shop", "bank")), rng.choice(CITIES), rng.randrange(20)
        question = rng.choice(("Which {}s in {} have sales over {}?", "Which {}s in {} have slaes over {}?"))
        query = f"SELECT name FROM {db_id} WHERE city = '{city}' AND sales > {limit}"
        row = {"id": str(i), "db_id": db_id, "question": question.format(db_id, city, limit), "query": query}
        rows[rng.choice(("train", "train", "validation", "test"))].append(row)
    bad = {
        "Who wrote to jane.roe@posteo.de?": "SELECT name FROM shop LIMIT 1",
        "What?": "SELEC name FROM shop",
        "Which?": "SELECT depth FROM shop",
        "": "SELECT name FROM shop",
        "None?": "SELECT name FROM shop WHERE id < 0",
        "Pairs?": "SELECT a.name FROM shop a, shop b, shop c",
    }
    rows["validation"] += [{"db_id": "shop", "question": question, "query": query} for question, query in bad.items()]
    return rows
