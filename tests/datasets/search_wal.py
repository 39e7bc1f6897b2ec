"""Full-text search, and rows that lie in the write-ahead log alone, as in a copy of a running program's database."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.datasets.dataset_files import Pair, about, write_splits

SCHEMA = """
CREATE TABLE author (author_id INTEGER PRIMARY KEY, name TEXT, tags TEXT);
CREATE TABLE note (note_id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES author(author_id), title TEXT,
    stars INTEGER);
CREATE VIRTUAL TABLE note_text USING fts5(body);
CREATE VIRTUAL TABLE place USING rtree(note_id, west, east, south, north);
"""
NOTES = {
    "Kiln": "fire the clay slowly and let the kiln cool",
    "Glaze": "ash glaze runs when the kiln is hot",
    "Wheel": "centre the clay before you open it",
    "Shelf": "a shelf of oak for pots and books",
    "Market": "sell pots on market day and books after",
    "Rain": "rain on clay roofs sounds like a market",
}
WORDS = ("clay", "kiln", "pots", "market", "books", "glaze", "oak")
FOUND = "note JOIN note_text ON note.note_id = note_text.rowid WHERE note_text MATCH"


def pairs() -> list[Pair]:
    return [
        ("How many notes are there?", "SELECT COUNT(*) FROM note"),
        ("Who wrote the best note?", "SELECT name FROM author JOIN note USING (author_id) ORDER BY stars DESC LIMIT 1"),
        ("How many notes has each author?", "SELECT author_id, COUNT(*) FROM note GROUP BY author_id"),
        ("Which notes lie west of 5 degrees?", "SELECT title FROM note JOIN place USING (note_id) WHERE west < 5"),
        ("List every tag.", "SELECT DISTINCT value FROM author, json_each(author.tags)"),
        ("Who has the tag 'potter'?", "SELECT name FROM author, json_each(author.tags) WHERE value = 'potter'"),
        *((f"Which notes mention {word}?", f"SELECT title FROM {FOUND} '{word}'") for word in WORDS),
        *((f"Count the notes with the word {word}.", f"SELECT COUNT(*) FROM {FOUND} '{word}'") for word in WORDS),
        *((f"How many notes have {n} stars?", f"SELECT COUNT(*) FROM note WHERE stars = {n}") for n in (3, 4, 5)),
    ]


def write(folder: Path) -> None:
    """Write the dataset; its database is copied, with its log, while the connection that wrote it is open."""
    target = folder / "databases" / "notes"
    target.mkdir(parents=True)
    source = folder / "open.sqlite"
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.executescript(SCHEMA)
        authors = [(1, "Sole", '["potter", "cook"]'), (2, "Ravi", '["potter"]'), (3, "Ida", "[]")]
        connection.executemany("INSERT INTO author VALUES (?, ?, ?)", authors)
        for number, (title, body) in enumerate(NOTES.items(), 1):
            connection.execute("INSERT INTO note VALUES (?, ?, ?, ?)", (number, number % 3 + 1, title, number % 3 + 3))
            connection.execute("INSERT INTO note_text(rowid, body) VALUES (?, ?)", (number, body))
            connection.execute("INSERT INTO place VALUES (?, ?, ?, 50, 51)", (number, number * 2, number * 2 + 1))
        for ending in ("", "-wal"):
            shutil.copyfile(f"{source}{ending}", f"{target / 'notes.sqlite'}{ending}")
    source.unlink()
    asked = about("notes", pairs())
    validation, test = asked[5::8], asked[3::4]
    train = [pair for pair in asked if pair not in (*validation, *test)]
    write_splits(folder, {"train": train, "validation": validation, "test": test})
