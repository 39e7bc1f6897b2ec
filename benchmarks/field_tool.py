"""Do our verdicts equal those of the field's tool, and at what cost? ``python -m benchmarks.field_tool FOLDER``.

FOLDER is a checkout of https://github.com/taoyds/test-suite-sql-eval (Zhong, Yu, Klein 2020), which needs sqlparse.
Mutants and rewrites of the course's own test queries are judged on the real database alone and on ten instances. The
tool runs with ``--keep_distinct``; without that option it removes DISTINCT from both queries.
"""

import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from benchmarks.lucky_matches import N_MADE, mutants_of
from benchmarks.query_variants import Variant, rewrites
from benchmarks.sql_cost import cpu_seconds
from course_utils.errors import QueryError
from course_utils.evaluation.instances import find_instances
from course_utils.files import PROJECT, read_jsonl, write_json
from course_utils.setup import probe_machine
from course_utils.sql import QueryPair, find_database
from course_utils.sql.compare import compare_pairs

N_ROWS = 200
N_EACH = 4
"""Mutants of each gold, and rewrites, at most."""


class Gold(NamedTuple):
    """A gold query with its database, the instances made for it, and what it is compared with."""

    query: str
    database: Path
    images: tuple[bytes, ...]
    variants: list[Variant]


def measure(tool: Path, n_rows: int = N_ROWS) -> dict[str, Any]:
    """How often both say the same, every pair on which they do not, and CPU milliseconds a pair.

    Args:
        tool: Folder of the field's tool.
        n_rows: Of the course's test rows, drawn at random.
    """
    sys.path.insert(0, str(tool.resolve()))
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        golds = []
        for row in rng.sample(read_jsonl(PROJECT / "data" / "test.jsonl"), n_rows):
            database, query = find_database(PROJECT / "data", row["db_id"], Path(folder)), row["query"]
            kinds = mutants_of(database, [query])[query], rewrites(query)
            variants = [variant for some in kinds for variant in rng.sample(some, min(N_EACH, len(some)))]
            golds.append(Gold(query, database, find_instances(database, [query], N_MADE)[query], variants))
        return {
            "machine": asdict(probe_machine()),
            "instances": {str(1 + n): _compare(golds, n) for n in (0, N_MADE)},
        }


def _compare(golds: list[Gold], n_made: int) -> dict[str, Any]:
    n_pairs, n_right, ours_s, theirs_s, different = 0, 0, 0.0, 0.0, []
    for gold in golds:
        images = gold.images[:n_made]
        began = cpu_seconds()
        ours = list(compare_pairs(gold.database, [QueryPair(gold.query, text, images) for _, text in gold.variants]))
        ours_s += cpu_seconds() - began
        theirs, seconds = _ask_the_tool(gold, images)
        theirs_s += seconds
        for variant, verdict, is_right in zip(gold.variants, ours, theirs, strict=True):
            if isinstance(verdict, QueryError):
                raise verdict
            n_pairs, n_right = n_pairs + 1, n_right + is_right
            if verdict.correct_on_all is not is_right:
                different.append({"gold": gold.query, "variant": variant, "theirs": is_right})
    cost = {"ours": round(1000 * ours_s / n_pairs, 3), "theirs": round(1000 * theirs_s / n_pairs, 3)}
    return {"n_pairs": n_pairs, "n_right": n_right, "different": different, "cpu_ms_per_pair": cost}


def _ask_the_tool(gold: Gold, images: tuple[bytes, ...]) -> tuple[list[bool], float]:
    """Its verdicts on the variants, and the CPU seconds of all; it reads every SQLite file in a database's folder."""
    from exec_eval import eval_exec_match

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.sqlite" for number in range(1 + len(images))]
        for file, image in zip(files, (gold.database.read_bytes(), *images), strict=True):
            file.write_bytes(image)
        began = time.process_time()
        found = [eval_exec_match(str(files[0]), text, gold.query, False, True, False) for _, text in gold.variants]
        return list(map(bool, found)), time.process_time() - began


def main(folder: Annotated[Path, typer.Argument(help="Checkout of the tool.", exists=True, file_okay=False)]) -> None:
    """Compare and write the results."""
    typer.echo(write_json(Path(__file__).parent / "results" / "field_tool.json", measure(folder)))


if __name__ == "__main__":
    typer.run(main)
