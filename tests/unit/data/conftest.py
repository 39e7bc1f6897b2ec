import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from course_utils.artifacts import Course, open_course
from course_utils.files import PROJECT
from tests.sqlite_files import write_database

SCHEMA = """
CREATE TABLE shop (shop_id INTEGER PRIMARY KEY, name TEXT, city TEXT);
INSERT INTO shop VALUES (1, 'Corner', 'Lyon'), (2, 'Depot', 'Turin'), (3, 'Arcade', 'Lyon');
"""
ROWS: dict[str, list[dict[str, Any]]] = {
    "train": [
        {"db_id": "shop", "question": "How many shops are there?", "query": "SELECT COUNT(*) FROM shop"},
        {"db_id": "shop", "question": "List the names.", "query": "SELECT name FROM shop"},
    ],
    "validation": [{"db_id": "shop", "question": "List the cities.", "query": "SELECT DISTINCT city FROM shop"}],
    "test": [{"db_id": "shop", "question": "Which are in Lyon?", "query": "SELECT name FROM shop WHERE city = 'Lyon'"}],
}


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny dataset; keyword arguments replace a split's rows (a str is written as it is)."""

    def make(**splits: list[dict[str, Any] | str]) -> Path:
        folder = tmp_path / "dataset"
        (folder / "databases" / "shop").mkdir(parents=True, exist_ok=True)
        (folder / "databases" / "shop" / "schema.sql").write_text(SCHEMA)
        for split, rows in {**ROWS, **splits}.items():
            lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
            (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
        return folder

    return make


@pytest.fixture
def tiny_course(tmp_path: Path) -> Callable[[Path], Course]:
    return lambda data: open_course("smoke", str(data), "", str(tmp_path / "artifacts"))


@pytest.fixture(scope="session")
def foreign() -> Path:
    return PROJECT / "tests" / "fixtures" / "foreign_dataset"


@pytest.fixture
def foreign_release(foreign: Path, tmp_path: Path) -> Path:
    """The foreign dataset with ready SQLite files, as Spider ships them."""
    copy = shutil.copytree(foreign, tmp_path / "spider")
    for schema in copy.glob("database/*/schema.sql"):
        write_database(schema.with_name(f"{schema.parent.name}.sqlite"), schema.read_text())
        schema.unlink()
    return copy
