"""``python -m benchmarks.laptop``, after ``make course PROFILE=laptop``: what that run took, and how good its model is.

The course itself asks the model a sample of the test. Here it answers every easy and medium question.
"""

import logging
from typing import Any

import typer

from benchmarks.smoke_seeds import summarise
from course_utils.artifacts import Course, open_course
from course_utils.evaluation import predict, score_predictions
from course_utils.files import DIFFICULTIES, read_json, read_jsonl, write_json
from course_utils.models import load_model, load_tokenizer
from course_utils.tasks import text_to_sql

from .__main__ import RESULTS


def measure(course: Course) -> dict[str, Any]:
    """The report of a finished run, and its adapter's accuracy on the whole easy and medium test.

    Raises:
        ArtifactError: The run is not finished.
    """
    report = read_json(course.root / "report.json")
    trained = {row["db_id"] for row in read_jsonl(course.output("data", "train.jsonl"))}
    rows = [
        row | {"seen": row["db_id"] in trained}
        for row in read_jsonl(course.data / "test.jsonl")
        if row["difficulty"] in (course.profile.difficulties or DIFFICULTIES)
    ]
    model = load_model(course.model, adapter=course.output("training", "adapter"))
    task = text_to_sql(read_json(course.output("data", "schemas.json")))
    replies = predict(model, load_tokenizer(course.model), rows, task, course.profile, progress="the whole test")
    whole_test = summarise(score_predictions(replies, course.folder("data")))
    return {name: report[name] for name in ("profile", "machine", "seconds", "results")} | {"whole_test": whole_test}


def main(artifacts: str = "artifacts") -> None:
    """Measure the finished run of the laptop profile in ``artifacts``, and write ``results/laptop.json``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    typer.echo(write_json(RESULTS / "laptop.json", measure(open_course("laptop", artifacts=artifacts))))


if __name__ == "__main__":
    typer.run(main)
