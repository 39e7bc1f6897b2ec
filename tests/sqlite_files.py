"""SQLite files of a few lines of SQL."""

import sqlite3
from contextlib import closing
from pathlib import Path


def write_database(path: Path, script: str) -> Path:
    """Make a SQLite file, and the folder it lies in, by a script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path
