"""Build the course's own dataset: ``python -m tools.dataset.build [FOLDER]``.

From every ``databases/<db_id>/domain.toml`` it writes ``schema.sql`` and ``rows.sql`` beside it, and from all of them
``train.jsonl``, ``validation.jsonl``, ``test.jsonl``, ``preferences.jsonl`` and ``samples/*.json``. Questions that
people wrote, in ``written/``, are checked and added. The same seed gives the same files, and each database has
its own random stream, so that a new one leaves the questions of the others alone.

A query lies in one split only. ``judge.py`` keeps questions whose answer tells right from wrong.
"""

import argparse
import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from course_utils.errors import DataError
from course_utils.files import SPLITS, Row, resolve, write_json, write_jsonl
from course_utils.sql import find_database, run_query
from course_utils.sql.query_forms import hardness
from tools.dataset.domains import Domain, read_domains
from tools.dataset.judge import Judge, canonical, mirror
from tools.dataset.leaks import find_leaks
from tools.dataset.populate import populate, write_database
from tools.dataset.preferences import make_preferences
from tools.dataset.questions import Question, ask
from tools.dataset.quotas import level, quotas
from tools.dataset.sample import choose_sample
from tools.dataset.shapes import SHAPES, Shape
from tools.dataset.world import World, make_world
from tools.dataset.written import read_written

MAX_TABLES_OF_SMALL = 4
FAVOUR_PLAIN = {True: 1.6, False: 0.6}
"""The plain shapes' weights are multiplied by this in small and in large databases."""
MAX_PROBES = 100
"""Draws after which a shape counts as one that a database cannot fill."""
MAX_ATTEMPTS = 40
"""Draws from one shape before another is tried."""
MAX_SHAPES = 60
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sizes:
    """Rows per database. Small ones get more rows and more plain ones, because small models learn from them."""

    small: tuple[int, int, int] = (540, 28, 42)
    """A training database of at most ``MAX_TABLES_OF_SMALL`` tables: rows of train, validation and test."""
    large: tuple[int, int, int] = (380, 10, 9)
    validation_only: int = 60
    test_only: int = 72
    preferences: int = 800
    sample: tuple[int, int, int] = (1500, 112, 240)
    """Rows of ``samples/smoke.json``, by split."""

    def of(self, domain: Domain) -> dict[str, int]:
        """The rows of one database by split, in the order in which they are drawn: the largest split last."""
        if domain.role == "test":
            return {"test": self.test_only}
        if domain.role == "validation":
            return {"validation": self.validation_only}
        if domain.role == "written":
            return {}
        return dict(reversed([*zip(SPLITS, self.small if is_small(domain) else self.large, strict=True)]))


def is_small(domain: Domain) -> bool:
    """Whether the smallest model can read the database's schema."""
    return len(domain.tables) <= MAX_TABLES_OF_SMALL


def build_dataset(folder: Path, seed: int = 0, sizes: Sizes = Sizes()) -> dict[str, int]:
    """Write the databases, the three splits, the preference pairs and the sample; the number of rows of each split.

    Raises:
        DataError: A declaration or a written question is wrong, or a database is too small for so many questions.
    """
    domains = read_domains(folder / "databases")
    with tempfile.TemporaryDirectory() as scratch:
        for domain in domains:
            write_database(domain, folder / "databases" / domain.db_id, seed)
        databases = {domain.db_id: find_database(folder, domain.db_id, Path(scratch)) for domain in domains}
        written = read_written(folder / "written", databases, {domain.db_id: domain.role for domain in domains})
        splits = _grammar_rows(domains, databases, written, seed, sizes)
        preferences = make_preferences(splits["train"], databases, sizes.preferences, seed)
        for_training = written.pop("train")
        for split, rows in written.items():
            splits[split] += rows
        whole = splits | {"train": [*splits["train"], *for_training]}
        if leaks := find_leaks(whole):
            raise DataError("\n".join([f"{len(leaks)} leaks between splits; change these rows:", *leaks]))
    small = {domain.db_id: domain.role for domain in domains if is_small(domain)}
    sample = choose_sample(splits, small, dict(zip(SPLITS, sizes.sample, strict=True)), seed)
    for split, rows in splits.items():
        Random(f"{seed}/{split}").shuffle(rows)
        # Written rows come last in training, so that a new one changes neither the others' order nor the tiny model.
        write_jsonl(folder / f"{split}.jsonl", [*rows, *for_training] if split == "train" else rows)
    write_jsonl(folder / "preferences.jsonl", preferences)
    (folder / "samples").mkdir(exist_ok=True)
    write_json(folder / "samples" / "smoke.json", sample)
    n_rows = {split: len(rows) for split, rows in splits.items()}
    return n_rows | {"train": n_rows["train"] + len(for_training), "preferences": len(preferences)}


def _grammar_rows(
    domains: Sequence[Domain], databases: dict[str, Path], written: dict[str, list[Row]], seed: int, sizes: Sizes
) -> dict[str, list[Row]]:
    splits: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for domain in domains:
        database = databases[domain.db_id]
        judge = Judge(database, mirror(database, database.with_suffix(".mirror")))
        judge.reserved = {
            canonical(row["query"]): split
            for split, rows in written.items()
            for row in rows
            if row["db_id"] == domain.db_id
        }
        for split, rows in _questions_of(domain, judge, seed, sizes).items():
            splits[split] += rows
        _LOG.info("built %s", domain.db_id)
    return splits


def _questions_of(domain: Domain, judge: Judge, seed: int, sizes: Sizes) -> dict[str, list[Row]]:
    world, rng = make_world(domain, populate(domain, seed)), Random(f"{seed}/{domain.db_id}")
    shapes = [shape for shape in SHAPES if any(ask(world, rng, shape) for _ in range(MAX_PROBES))]
    found: dict[str, list[Row]] = {}
    for split, n in sizes.of(domain).items():
        judge.start(split, n)
        made = _draw_all(world, rng, quotas(shapes, n, rng, FAVOUR_PLAIN[is_small(domain)]), judge)
        found[split] = [to_row(judge.database, split, number, question) for number, question in enumerate(made, 1)]
    return found


def _draw_all(world: World, rng: Random, wanted: Counter[Shape], judge: Judge) -> list[Question]:
    """The questions wanted; where a shape has no more to ask, others of its difficulty, then any, take its place."""
    made, missing = [], []
    alive = {shape for shape, n in wanted.items() if n}
    for shape in (shape for shape, n in wanted.items() for _ in range(n)):
        question = draw_question(world, rng, shape, judge) if shape in alive else None
        if question:
            made.append(question)
        else:
            alive.discard(shape)
            missing.append(shape)
    for shape in missing:
        made.append(_draw_instead(world, rng, shape, [other for other in wanted if other in alive], judge))
    return made


def _draw_instead(world: World, rng: Random, shape: Shape, others: list[Shape], judge: Judge) -> Question:
    """One question of another shape, of the same difficulty if possible."""
    alike = [other for other in others if level(other) == level(shape)]
    for choice in (alike, others):
        for other in rng.choices(choice, [other.weight for other in choice], k=MAX_SHAPES) if choice else ():
            if question := draw_question(world, rng, other, judge):
                return question
    raise DataError(f"{world.domain.db_id}/domain.toml: too few different questions; add columns, values or rows")


def draw_question(world: World, rng: Random, shape: Shape, judge: Judge) -> Question | None:
    """One good question of a shape, if it can be found."""
    for _ in range(MAX_ATTEMPTS):
        if (question := ask(world, rng, shape)) and judge.accepts(question):
            return question
    return None


def to_row(database: Path, split: str, number: int, question: Question) -> Row:
    """A row of the dataset; ``empty`` where its query returns nothing."""
    row: Row = {
        "id": f"{split}-{database.stem}-{number:03d}",
        "db_id": database.stem,
        "question": question.question,
        "query": question.query,
        "difficulty": hardness(question.query),
        "source": f"grammar:{question.shape}",
    }
    return row if run_query(database, question.query).rows else {**row, "empty": True}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.dataset.build", description="Build the course's dataset.")
    parser.add_argument("folder", nargs="?", default="data", help="holds databases/*/domain.toml (default: data)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _LOG.info("%s", build_dataset(resolve(options.folder), options.seed))


if __name__ == "__main__":
    main()
