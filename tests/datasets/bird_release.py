"""BIRD's folders as its archives unpack: ``train/train.json`` beside ``dev_20240627/dev.json``, no row's ``query``."""

from pathlib import Path
from typing import Any

from course_utils.files import write_json
from tests.sqlite_files import write_database

LAKES = """
CREATE TABLE lakes (`Lake ID` INTEGER PRIMARY KEY, `Lake Name` TEXT, `Max Depth (m)` REAL, Country TEXT);
CREATE TABLE samples (sample_id INTEGER PRIMARY KEY, lake INTEGER REFERENCES lakes(`Lake ID`), Taken DATE, pH REAL);
INSERT INTO lakes VALUES (1, 'Alder', 34.5, 'CH'), (2, 'Birch', 12, 'AT'), (3, 'Cedar', 80, 'CH'), (4, 'Dog', 5, 'IT');
INSERT INTO samples VALUES (1, 1, '2021-05-01', 7.1), (2, 1, '2022-06-11', 6.8), (3, 3, '2022-07-02', 8.0),
    (4, 4, '2020-01-30', 6.2);
"""
TRAMS = """
CREATE TABLE `line` (line_no TEXT PRIMARY KEY, depot TEXT, `Low Floor` INTEGER);
CREATE TABLE trip (trip_id INTEGER PRIMARY KEY, line_no TEXT REFERENCES `line`, riders INTEGER, delay_min REAL);
INSERT INTO `line` VALUES ('1A', 'West', 1), ('2', 'West', 0), ('7', 'Quay', 1);
INSERT INTO trip VALUES (1, '1A', 120, 0.5), (2, '1A', 80, 4), (3, '2', 45, 11), (4, '7', 200, 0), (5, '7', 150, 2.5);
"""
COUNTRY = "country refers to Country; {} is '{}'"


def train_rows() -> list[dict[str, Any]]:
    rows = [
        ("How many lakes are recorded?", "", "SELECT COUNT(*) FROM lakes"),
        (
            "Name the deepest lake.",
            "deepest: MAX(`Max Depth (m)`)",
            "SELECT `Lake Name` FROM lakes ORDER BY `Max Depth (m)` DESC LIMIT 1",
        ),
        ("What was the lowest pH measured?", "", "SELECT MIN(pH) FROM samples"),
        ("How many samples are acid?", "acid: pH < 7", "SELECT COUNT(*) FROM samples WHERE pH < 7"),
        ("List all countries.", "", "SELECT DISTINCT Country FROM lakes"),
    ]
    for name, code in (("Switzerland", "CH"), ("Austria", "AT"), ("Italy", "IT")):
        evidence, where = COUNTRY.format(name, code), f"WHERE Country = '{code}'"
        rows += [
            (f"Which lakes lie in {name}?", evidence, f"SELECT `Lake Name` FROM lakes {where}"),
            (
                f"How deep, on average, are lakes of {name}?",
                evidence,
                f"SELECT AVG(`Max Depth (m)`) FROM lakes {where}",
            ),
            (
                f"Count the water samples taken in {name}.",
                evidence,
                f"SELECT COUNT(*) FROM samples AS T1 INNER JOIN lakes AS T2 ON T1.lake = T2.`Lake ID` {where}",
            ),
        ]
    for year in (2020, 2021, 2022):
        query = f"SELECT COUNT(*) FROM samples WHERE STRFTIME('%Y', Taken) = '{year}'"
        rows.append((f"How many samples date from {year}?", f"from {year}: STRFTIME('%Y', Taken) = '{year}'", query))
    return [{"db_id": "lakes", "question": asked, "evidence": hint, "SQL": query} for asked, hint, query in rows]


def dev_rows() -> list[dict[str, Any]]:
    rows = [
        (
            "How many trips had no delay?",
            "no delay: delay_min = 0",
            "SELECT COUNT(*) FROM trip WHERE delay_min = 0",
            "simple",
        ),
        (
            "Which lines run low-floor trams?",
            "`Low Floor` = 1",
            "SELECT line_no FROM `line` WHERE `Low Floor` = 1",
            "simple",
        ),
        ("How many riders did line 7 carry?", "", "SELECT SUM(riders) FROM trip WHERE line_no = '7'", "simple"),
        (
            "What share of West's trips was more than 3 minutes late?",
            "share = trips with delay_min > 3 / all trips",
            "SELECT CAST(SUM(CASE WHEN T1.delay_min > 3 THEN 1 ELSE 0 END) AS REAL) / COUNT(*) FROM trip AS T1 "
            "INNER JOIN `line` AS T2 ON T1.line_no = T2.line_no WHERE T2.depot = 'West'",
            "challenging",
        ),
        (
            "Line with the most riders on one trip",
            "",
            "SELECT line_no FROM trip ORDER BY riders DESC LIMIT 1",
            "moderate",
        ),
        ("List depots by name.", "", "SELECT DISTINCT depot FROM `line` ORDER BY depot", "simple"),
    ]
    names = ("question", "evidence", "SQL", "difficulty")
    return [{"question_id": n, "db_id": "trams", **dict(zip(names, row, strict=True))} for n, row in enumerate(rows)]


def write(folder: Path) -> None:
    """Write the dataset with the files that lie beside the rows in BIRD's archives."""
    dev = folder / "dev_20240627"
    write_json(folder / "train" / "train.json", train_rows())
    write_json(dev / "dev.json", dev_rows())
    for part, name, db_id, script in ((folder / "train", "train", "lakes", LAKES), (dev, "dev", "trams", TRAMS)):
        database = write_database(part / f"{name}_databases" / db_id / f"{db_id}.sqlite", script)
        write_json(part / f"{name}_tables.json", [{"db_id": db_id}])
        (database.parent / "database_description").mkdir()
        (database.parent / "database_description" / "notes.csv").write_bytes(
            "column,meaning\nriders,£ and é\n".encode("latin-1")
        )
    (folder / "train" / "train_gold.sql").write_text("".join(f"{row['SQL']}\tlakes\n" for row in train_rows()), "utf-8")
    (folder / "__MACOSX" / "dev_databases").mkdir(parents=True)
