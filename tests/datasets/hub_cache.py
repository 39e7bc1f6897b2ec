"""Links alone, as in the cache of a model hub, to a database whose maker shied away from nothing.

Its names need quotes, are reserved or Arabic, its text is Latin-1, a collation and a module are its maker's own, and
what rows say of themselves is markup elsewhere: to Matplotlib, to the terminal, in HTML.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.datasets.dataset_files import read_pairs

DB_ID = "läden no 1"
SCRIPT = """
CREATE TABLE "Order Details" ("Order ID" INTEGER PRIMARY KEY, "unit""price" REAL, "group" TEXT COLLATE LOCALIZED,
    "100 %" INTEGER, double REAL AS ("unit""price" * 2) STORED, before INTEGER REFERENCES "Order Details");
INSERT INTO "Order Details" VALUES (1, 1.5, 'a', 7, NULL), (2, 20, 'b', 8, 1), (3, 4, 'c', 9, 2);
CREATE INDEX by_group ON "Order Details" ("group");
CREATE TABLE "select" ("from" INTEGER, "where" TEXT, PRIMARY KEY ("from", "where")) WITHOUT ROWID;
INSERT INTO "select" VALUES (9223372036854775807, '[/red]'), (2, '$x_{$'), (3, CAST(x'436ce96f' AS TEXT));
CREATE TABLE "متجر" ("اسم" TEXT, "سعر" REAL) STRICT;
INSERT INTO "متجر" VALUES ('قلم', 1.5), ('كوب', 30);
CREATE VIRTUAL TABLE note USING fts5 (body);
INSERT INTO note VALUES ('Straße'), ('Gasse');
CREATE VIEW "v w" AS SELECT "Order ID" AS "o i" FROM "Order Details";
CREATE TABLE empty (content BLOB);
PRAGMA writable_schema = ON;
INSERT INTO sqlite_master VALUES ('table', 'near', 'near', 0, 'CREATE VIRTUAL TABLE near USING VirtualSpatialIndex()');
"""
PAIRS = read_pairs("""
Welche Bestellungen sind teurer als 3 € („riesig“)?
SELECT "Order ID" FROM "Order Details" WHERE "unit""price" > 3
ما هي المنتجات التي سعرها أكبر من 2؟
SELECT "اسم" FROM "متجر" WHERE "سعر" > 2;
Which <b>groups</b> have $100 %$ of 8 or [more]?
SELECT [group] FROM `Order Details` WHERE "100 %" >= 8
How many rows did somebody select from 3 on?
SELECT count(*) FROM "select" WHERE "from" >= 3
Show the notes about a street.
SELECT body FROM note WHERE note MATCH 'Straße'
Which orders does the view have, the last two but one?
SELECT "o i" FROM "v w" ORDER BY 1 DESC LIMIT 1, 2
What is the mean of the doubled prices?
SELECT avg(double) FROM "Order Details"; -- the mean
Name whatever comes from the largest number.
SELECT "where" FROM "select" WHERE "from" = 9223372036854775807
Which order came before the third?
SELECT b."Order ID" FROM "Order Details" a JOIN "Order Details" b ON a.before = b."Order ID" WHERE a."Order ID" = 3
""")
MARKUP = "[/red]", "$\\frac{$", "<b>", "$x_{$"


def write(folder: Path) -> None:
    """Write train and dev with a byte-order mark and Windows' ends of line; the files lie in blobs, beside links."""
    blobs = folder / "blobs"
    blobs.mkdir(parents=True)
    with closing(sqlite3.connect(blobs / "0")) as connection:
        connection.create_collation("LOCALIZED", lambda left, right: (left > right) - (left < right))
        connection.executescript(SCRIPT)
    linked = folder / "databases" / DB_ID / f"{DB_ID}.sqlite"
    linked.parent.mkdir(parents=True)
    linked.symlink_to("../../blobs/0")
    rows = [
        {"id": number, "db_id": DB_ID, "question": question, "query": query, "split": "all", "extra": {"a": [None]}}
        | {"difficulty": MARKUP[number % 2], "source": MARKUP[number % 4]}
        for number, (question, query) in enumerate(PAIRS)
    ]
    for number, (name, some) in enumerate({"train.jsonl": rows[:6], "dev.jsonl": rows[6:]}.items(), 1):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in some)
        (blobs / str(number)).write_text(text, "utf-8-sig", newline="")
        (folder / name).symlink_to(f"blobs/{number}")
