"""As small as a dataset gets: twelve rows in all, eight of them to train on."""

from pathlib import Path

from tests.datasets.dataset_files import Pair, about, write_splits

SCHEMA = """
CREATE TABLE bee (hive TEXT, year INTEGER, honey_kg REAL);
INSERT INTO bee VALUES ('Oak', 2024, 18.5), ('Oak', 2025, 21), ('Elm', 2024, 9), ('Elm', 2025, 14.5), ('Fir', 2025, 7);
"""
PAIRS: list[Pair] = [
    ("How many hives do we keep?", "SELECT COUNT(DISTINCT hive) FROM bee"),
    ("How much honey was there in 2024?", "SELECT SUM(honey_kg) FROM bee WHERE year = 2024"),
    ("Which hive gave most in one year?", "SELECT hive FROM bee ORDER BY honey_kg DESC LIMIT 1"),
    ("List the years.", "SELECT DISTINCT year FROM bee"),
    ("What is the mean harvest?", "SELECT AVG(honey_kg) FROM bee"),
    ("Harvests of Elm", "SELECT year, honey_kg FROM bee WHERE hive = 'Elm'"),
    ("Which hives are new in 2025?", "SELECT hive FROM bee GROUP BY hive HAVING MIN(year) = 2025"),
    ("Show everything about Fir.", "SELECT * FROM bee WHERE hive = 'Fir'"),
    ("Total honey of each hive", "SELECT hive, SUM(honey_kg) FROM bee GROUP BY hive"),
    ("What was the worst harvest?", "SELECT MIN(honey_kg) FROM bee"),
    ("Which harvests were above 10 kg?", "SELECT hive, year FROM bee WHERE honey_kg > 10"),
    ("In how many years did Oak give honey?", "SELECT COUNT(*) FROM bee WHERE hive = 'Oak'"),
]


def write(folder: Path) -> None:
    """Write the dataset."""
    schema = folder / "databases" / "bees" / "schema.sql"
    schema.parent.mkdir(parents=True)
    schema.write_text(SCHEMA, "utf-8")
    pairs = about("bees", PAIRS)
    write_splits(folder, {"train": pairs[:8], "validation": pairs[8:10], "test": pairs[10:]})
