"""Build the course's own dataset: ``python -m course_utils.data.generate.build [FOLDER]``.

From every ``databases/<db_id>/domain.toml`` it writes ``schema.sql`` and ``rows.sql`` beside it, and from all of them
``train.jsonl``, ``validation.jsonl`` and ``test.jsonl``. The same seed gives the same files, and each database has its
own random stream, so that a new one leaves the questions of the others alone.

A query lies in one split only. A question is kept if its answer tells right from wrong: it is not empty, the
filter and the order matter, and no tie makes two answers right.
"""

import argparse
import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from course_utils.artifacts import resolve, write_jsonl
from course_utils.data.generate.domains import Domain, read_domains
from course_utils.data.generate.populate import populate, write_database
from course_utils.data.generate.questions import Question, Rows, ask
from course_utils.data.generate.shapes import SHAPES, Shape
from course_utils.data.hardness import hardness, parse
from course_utils.errors import DataError
from course_utils.sql import QueryResult, find_database, run_query

Row = dict[str, Any]
PROFILE_SHAPES = tuple(shape for shape in SHAPES if not shape.asks_hard)
HARD_SHAPES = tuple(shape for shape in SHAPES if shape.asks_hard)
MAX_WORDINGS = 2
"""Rows of one split that may share a query, worded differently."""
MAX_RESULT_ROWS = 300
MAX_ATTEMPTS = 60
"""Draws from one shape before another is tried."""
MAX_SHAPES = 100
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sizes:
    """Rows per database: easy and medium ones, then hard and extra ones."""

    train: tuple[int, int] = (200, 25)
    validation: tuple[int, int] = (14, 1)
    test: tuple[int, int] = (15, 0)
    test_held_out: tuple[int, int] = (30, 0)


def build_dataset(folder: Path, seed: int = 0, sizes: Sizes = Sizes()) -> dict[str, int]:
    """Write the databases and the three splits; the number of rows of each split.

    Raises:
        DataError: A declaration is wrong, or a database is too small for so many different questions.
    """
    splits: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for domain in read_domains(folder / "databases"):
        write_database(domain, folder / "databases" / domain.db_id, seed)
        for split, rows in _questions_of(domain, folder, seed, sizes).items():
            splits[split] += rows
        _LOG.info("built %s", domain.db_id)
    for split, rows in splits.items():
        Random(f"{seed}/{split}").shuffle(rows)
        write_jsonl(folder / f"{split}.jsonl", rows)
    return {split: len(rows) for split, rows in splits.items()}


def _questions_of(domain: Domain, folder: Path, seed: int, sizes: Sizes) -> dict[str, list[Row]]:
    quotas = {"test": sizes.test_held_out if domain.held_out else sizes.test}
    if not domain.held_out:
        quotas |= {"validation": sizes.validation, "train": sizes.train}
    rows, rng = populate(domain, seed), Random(f"{seed}/{domain.db_id}")
    found: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        judge = _Judge(find_database(folder, domain.db_id, Path(scratch)))
        for split, quota in quotas.items():
            judge.start(split)
            made = [
                _draw(domain, rows, rng, shapes, judge)
                for shapes, n in zip((PROFILE_SHAPES, HARD_SHAPES), quota, strict=True)
                for _ in range(n)
            ]
            found[split] = [_row(domain.db_id, split, number, question) for number, question in enumerate(made, 1)]
    return found


def _draw(domain: Domain, rows: Rows, rng: Random, shapes: Sequence[Shape], judge: "_Judge") -> Question:
    """One good question; a shape is drawn first, so that its share is its weight until it has no more to ask."""
    for _ in range(MAX_SHAPES):
        shape = rng.choices(shapes, [shape.weight for shape in shapes])[0]
        for _ in range(MAX_ATTEMPTS):
            if (question := ask(domain, rows, rng, shape)) and judge.accepts(question):
                return question
    raise DataError(f"{domain.db_id}/domain.toml: too few different questions; add columns, values or rows")


def _row(db_id: str, split: str, number: int, question: Question) -> Row:
    return {
        "id": f"{split}-{db_id}-{number:03d}",
        "db_id": db_id,
        "question": question.question,
        "query": question.query,
        "difficulty": hardness(question.query),
        "source": f"grammar:{question.shape}",
    }


@dataclass
class _Judge:
    """Remembers what one database has been asked, and accepts what is new and has one right answer."""

    database: Path
    split: str = ""
    home: dict[str, str] = field(default_factory=dict)
    """The split that a query belongs to."""
    wordings: Counter[str] = field(default_factory=Counter)
    questions: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)

    def start(self, split: str) -> None:
        self.split, self.answers = split, set()

    def accepts(self, question: Question) -> bool:
        query, text = question.query, question.question.lower().strip("?. ")
        if self.home.get(query, self.split) != self.split or text in self.questions:
            return False
        if self.wordings[query] >= (MAX_WORDINGS if self.split == "train" else 1):
            return False
        result = run_query(self.database, query)
        if not _has_answer(result) or not _is_telling(self.database, query, result):
            return False
        if self.split != "train":
            if repr(result.rows) in self.answers:
                return False
            self.answers.add(repr(result.rows))
        self.home[query] = self.split
        self.wordings[query] += 1
        self.questions.add(text)
        return True


def _has_answer(result: QueryResult) -> bool:
    """Some rows, not too many, and something in them."""
    cells = [cell for row in result.rows for cell in row]
    return 0 < len(result.rows) <= MAX_RESULT_ROWS and any(cell not in (None, 0) for cell in cells)


def _is_telling(database: Path, query: str, result: QueryResult) -> bool:
    """Whether leaving out the filter or the order would give another answer, and no tie makes two answers right."""
    from sqlglot import exp

    tree = parse(query)
    for part in ("where", "order", "having"):
        if tree.args.get(part):
            without = tree.copy()
            without.set(part, None)
            if run_query(database, without.sql("sqlite")).rows == result.rows:
                return False
    if not tree.args.get("order"):
        return True
    keys = tree.copy()
    keys.set("expressions", [ordered.this.copy() for ordered in tree.args["order"].expressions])
    if limit := tree.args.get("limit"):
        keys.set("limit", exp.Limit(expression=exp.Literal.number(int(limit.expression.name) + 1)))
    rows = run_query(database, keys.sql("sqlite")).rows
    return len(set(rows)) == len(rows) and (None,) not in rows


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.data.generate.build", description="Build the course's dataset."
    )
    parser.add_argument("folder", nargs="?", default="data", help="holds databases/*/domain.toml (default: data)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _LOG.info("%s", build_dataset(resolve(options.folder), options.seed))


if __name__ == "__main__":
    main()
