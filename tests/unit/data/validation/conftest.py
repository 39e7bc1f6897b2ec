import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

Row = dict[str, Any]
CITIES = ("Lyon", "Turin", "Bergen", "Porto", "Ghent", "Graz", "Basel", "Leeds")


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
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
    """Rows of three splits, with every fault that the checks of rows, duplicates and leaks know."""
    rng = random.Random(5)
    rows: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for i in range(900):
        db_id, city, limit = rng.choice(("shop", "bank")), rng.choice(CITIES), rng.randrange(60)
        question = f"Which {db_id}s in {city} have sales over {limit}?"
        query = f"SELECT name FROM {db_id} WHERE city = '{city}' AND sales > {limit}"
        change = rng.choice(("", "", "", " please", " thanks", "typo", "words"))
        question = question.replace("sales", "slaes") if change == "typo" else question + change.replace("typo", "")
        if change == "words":
            question = f"Name {city}'s {db_id}s above {limit}"
        rows[rng.choice(("train", "train", "validation", "test"))].append(
            {"id": str(i), "db_id": db_id, "question": question, "query": query}
        )
    alike = [
        {
            "db_id": "shop",
            "question": f"How many of all the shops are there in the city, asked {i}?",
            "query": "SELECT COUNT(*) FROM shop",
        }
        for i in range(80)
    ]
    rows["train"] += alike[:60]
    rows["test"] += alike[60:]
    nothing = {"db_id": "bank", "query": "SELECT 'unanswerable'", "answerable": False}
    for split, question in (
        ("train", "What is the weather?"),
        ("test", "Who is king?"),
        ("test", "What is the weather"),
    ):
        rows[split].append({**nothing, "question": question})
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


@pytest.fixture(scope="session")
def placed(splits: dict[str, list[Row]]) -> list[Row]:
    """The rows with their splits, numbers and places, in no order."""
    rows = [
        {**row, "split": split, "number": number, "place": f"{split}.jsonl:{number}"}
        for split, of_split in splits.items()
        for number, row in enumerate(of_split, 1)
    ]
    return random.Random(6).sample(rows, len(rows))
