import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

Row = dict[str, Any]
CITIES = ("Lyon", "Turin", "Bergen", "Porto", "Ghent", "Graz", "Basel", "Leeds")


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two databases of one table with 40 rows each, called as the database."""
    paths = {}
    for name in ("shop", "bank"):
        paths[name] = tmp_path_factory.mktemp("databases") / f"{name}.sqlite"
        connection = sqlite3.connect(paths[name])
        connection.executescript(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name TEXT, city TEXT, sales REAL)")
        rows = [(i, f"{name} {i}", CITIES[i % len(CITIES)], i * 1.5) for i in range(40)]
        connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", rows)
        connection.commit()
        connection.close()
    return paths


@pytest.fixture(scope="session")
def splits() -> dict[str, list[Row]]:
    """Rows of three splits, with everything that the checks of rows, duplicates and leaks find."""
    rng = random.Random(5)
    rows: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for i in range(300):
        db_id, city, limit = rng.choice(("shop", "bank")), rng.choice(CITIES), rng.randrange(20)
        questions = (
            f"Which {db_id}s in {city} have sales over {limit}?",
            f"Which {db_id}s in {city} have slaes over {limit}?",
            f"Which {db_id}s in {city} have sales over {limit}, please?",
            f"Name {city}'s {db_id}s above {limit}",
        )
        query = f"SELECT name FROM {db_id} WHERE city = '{city}' AND sales > {limit}"
        row = {"id": str(i), "db_id": db_id, "question": rng.choice(questions), "query": query}
        rows[rng.choice(("train", "train", "validation", "test"))].append(row)
    nothing = {"db_id": "bank", "query": "SELECT 'unanswerable'", "answerable": False}
    rows["train"].append({**nothing, "question": "What is the weather?"})
    rows["test"] += [{**nothing, "question": question} for question in ("Who is king?", "What is the weather")]
    rows["validation"] += [
        {"db_id": "shop", "question": "Who wrote to jane.roe@posteo.de?", "query": "SELECT name FROM shop LIMIT 1"},
        {"db_id": "shop", "question": "What?", "query": "SELEC name FROM shop"},
        {"db_id": "shop", "question": "Which?", "query": "SELECT depth FROM shop"},
        {"db_id": "shop", "question": None, "query": "SELECT name FROM shop"},
        {"db_id": "hotel", "question": "Who?", "query": "SELECT name FROM hotel"},
        {"db_id": "shop", "question": "None?", "query": "SELECT name FROM shop WHERE id < 0"},
        {"db_id": "shop", "question": "Nothing?", "query": "SELECT name FROM shop WHERE id < 0", "empty": True},
        {"db_id": "shop", "question": "Pairs?", "query": "SELECT a.name FROM shop a, shop b, shop c"},
    ]
    return rows
