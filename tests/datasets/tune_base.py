"""``python -m tests.datasets.tune_base [MODEL]``: what a base model learns from a few dozen rows of other people.

A profile tunes its model, or another one, on each of three datasets that no grammar wrote, and the share of right
answers is printed. ``--record NAME`` writes them to a file, which ``test_tune_base`` holds to its goals.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.__main__ import RESULTS
from benchmarks.smoke_seeds import tune
from course_utils.artifacts import open_course
from course_utils.data import prepare_dataset
from course_utils.files import read_json, write_json
from course_utils.setup import probe_machine
from tests.datasets.run import DATASETS

OTHER_HANDS = ("gallery_aliases", "spider_release", "workshop_talk")
SEEDS = (0, 1, 2)
RECORD = RESULTS / "foreign_sets.json"


def main(
    model: Annotated[str, typer.Argument(help="Folder of the base model; the profile's own by default.")] = "",
    names: Annotated[list[str] | None, typer.Option("--only", help="Which datasets; three by default.")] = None,
    profile: Annotated[str, typer.Option(help="Sizes and settings of training.")] = "smoke",
    seeds: Annotated[list[int] | None, typer.Option("--seed", help="Which seeds; three by default.")] = None,
    record: Annotated[str, typer.Option(metavar="NAME", help=f"Write the result to {RECORD.name} as this.")] = "",
) -> None:
    """Tune the model on each dataset with each seed, and say how many questions it then answers right."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for name in names or OTHER_HANDS:
        runs[name] = [tune_on(name, profile, model, seed) for seed in seeds or SEEDS]
        typer.echo(f"{name}: {pooled_share(runs[name]):.0%} right: {json.dumps(runs[name])}")
    if record:
        before = read_json(RECORD) if RECORD.is_file() else {}
        typer.echo(write_json(RECORD, before | {record: {"machine": asdict(probe_machine()), "sets": runs}}))


def tune_on(name: str, profile: str, model: str = "", seed: int = 0) -> dict[str, Any]:
    """Tune a profile's base model, or ``model``, on one dataset, and let it answer that dataset's test questions.

    Returns:
        ``seed``; ``right`` answers of ``n`` questions; ``n_steps`` of training; ``problems``, wrong answers by kind.
    """
    with tempfile.TemporaryDirectory() as folder:
        DATASETS[name](Path(folder) / "dataset")
        course = open_course(profile, f"{folder}/dataset", model, f"{folder}/artifacts")
        prepared = prepare_dataset(course, course.folder("data"))
        run = tune(course, prepared, course.folder("data"), seed)
    share = run["groups"]["all rows"]
    right = round(share["accuracy"] * share["n"])
    return {"seed": seed, "right": right, "n": share["n"], "n_steps": run["n_steps"], "problems": run["problems"]}


def pooled_share(runs: list[dict[str, Any]]) -> float:
    """The share of right answers over all runs of one dataset, because single seeds scatter by four questions of 20."""
    return float(sum(run["right"] for run in runs) / sum(run["n"] for run in runs))


if __name__ == "__main__":
    typer.run(main)
