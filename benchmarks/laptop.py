"""``python -m benchmarks.laptop``, after ``make course PROFILE=laptop``: what that run took, and how good its model is.

The course itself asks the model a sample of the test. Here it answers every easy and medium question. ``--seed 1
--seed 2`` trains two models more, of which each takes about as long as the training of the course.
"""

import logging
import tempfile
from dataclasses import replace
from typing import Annotated, Any

import typer

from benchmarks.smoke_seeds import score_adapter, summarise, tune
from course_utils.artifacts import Course, open_course
from course_utils.data import prepare_dataset
from course_utils.data.prepare import Prepared
from course_utils.files import DIFFICULTIES, Row, read_json, read_jsonl, write_json

from .__main__ import RESULTS

RECORD = RESULTS / "laptop.json"


def measure(course: Course) -> dict[str, Any]:
    """The report of a finished run, and its adapter's accuracy on the whole easy and medium test.

    Raises:
        ArtifactError: The run is not finished.
    """
    report = read_json(course.root / "report.json")
    train = read_jsonl(course.output("data", "train.jsonl"))
    asked = Prepared(train, [], whole_test(course, train), read_json(course.output("data", "schemas.json")))
    scores = score_adapter(course, asked, course.folder("data"), course.output("training", "adapter"))
    wanted = ("profile", "machine", "seconds", "results")
    return {name: report[name] for name in wanted} | {"whole_test": summarise(scores)}


def measure_seeds(seeds: list[int]) -> list[dict[str, Any]]:
    """What models that are trained with these seeds answer to the whole easy and medium test."""
    with tempfile.TemporaryDirectory() as folder:
        course = open_course("laptop", artifacts=folder)
        data = course.folder("data")
        prepared = prepare_dataset(course, data)
        asked = replace(prepared, test=whole_test(course, prepared.train))
        runs = [tune(course, asked, data, seed) for seed in seeds]
    return [{name: run[name] for name in ("seed", "n_steps", "validity", "groups", "problems")} for run in runs]


def whole_test(course: Course, train: list[Row]) -> list[Row]:
    """Every test row of the profile's difficulties, with ``seen``: whether a training row is about its database."""
    trained, rows = {row["db_id"] for row in train}, read_jsonl(course.data / "test.jsonl")
    difficulties = course.profile.difficulties or DIFFICULTIES
    return [row | {"seen": row["db_id"] in trained} for row in rows if row["difficulty"] in difficulties]


def main(
    artifacts: str = "artifacts",
    seeds: Annotated[list[int] | None, typer.Option("--seed", help="Train with it and add that to the record.")] = None,
) -> None:
    """Measure the finished run of the laptop profile in ``artifacts``, and write ``results/laptop.json``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    measured = measure(open_course("laptop", artifacts=artifacts)) if not seeds else read_json(RECORD)
    typer.echo(write_json(RECORD, measured | ({"other_seeds": measure_seeds(seeds)} if seeds else {})))


if __name__ == "__main__":
    typer.run(main)
