"""``python -m tests.datasets.tune_base [MODEL]``: what a base model learns from a few dozen rows of other people.

A profile tunes its model, or another one, on each of three datasets that no grammar wrote, and the share of right
answers is printed. A run takes minutes, so this is a command and no test.
"""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.smoke_seeds import tune
from course_utils.artifacts import open_course
from course_utils.data import prepare_dataset
from tests.datasets.run import DATASETS

OTHER_HANDS = ("gallery_aliases", "spider_release", "workshop_talk")


def main(
    model: Annotated[str, typer.Argument(help="Folder of the base model; the profile's own by default.")] = "",
    names: Annotated[list[str] | None, typer.Option("--only", help="Which datasets; three by default.")] = None,
    profile: Annotated[str, typer.Option(help="Sizes and settings of training.")] = "smoke",
    seed: Annotated[int, typer.Option(help="Seed of the adapter's start and of the order of rows.")] = 0,
) -> None:
    """Tune the model on each dataset, one after another, and say how many questions it then answers right."""
    for name in names or OTHER_HANDS:
        with tempfile.TemporaryDirectory() as folder:
            DATASETS[name](Path(folder) / "dataset")
            course = open_course(profile, f"{folder}/dataset", model, f"{folder}/artifacts")
            prepared = prepare_dataset(course, course.folder("data"))
            run = tune(course, prepared, course.folder("data"), seed)
        share = run["groups"]["all rows"]
        right = f"{share['accuracy']:.0%} of {share['n']} right"
        typer.echo(f"{name}: {right} after {run['n_steps']} steps; wrong: {json.dumps(run['problems'])}")


if __name__ == "__main__":
    typer.run(main)
