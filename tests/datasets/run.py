"""``python -m tests.datasets.run [NAME ...] [--until STAGE]``: the whole course on small datasets of other kinds.

Each dataset is written, validated, and run through the six notebooks on smoke by the ``course`` command, as a person
would. A run takes minutes, so this is a command and no test; ``test_datasets`` holds the parts that are quick.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from course_utils.artifacts import STAGES
from course_utils.files import PROJECT
from tests.datasets import (
    bird_release,
    chinese,
    gallery_aliases,
    hub_cache,
    search_wal,
    spider_release,
    twelve_rows,
    upper_case,
    workshop_talk,
)

DATASETS = {
    "chinese": chinese.write,
    "upper_case": upper_case.write,
    "bird_release": bird_release.write,
    "twelve_rows": twelve_rows.write,
    "search_wal": search_wal.write,
    "gallery_aliases": gallery_aliases.write,
    "hub_cache": hub_cache.write,
    "spider_release": spider_release.write,
    "workshop_talk": workshop_talk.write,
}
SHOWN = ("n_train", "n_test", "base_execution_accuracy", "tuned_execution_accuracy", "gguf_parity")


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which to run; all by default.")] = None,
    until: Annotated[str, typer.Option(metavar="STAGE", help="The last notebook to run.")] = STAGES[-1],
    keep: Annotated[Path | None, typer.Option(help="Folder for datasets and results, which stay there.")] = None,
) -> None:
    """Run the course on each dataset; status 1 if one of them stops."""
    if unknown := {*(names or ())} - DATASETS.keys():
        raise typer.BadParameter(f"{', '.join(unknown)} unknown; choose from {', '.join(DATASETS)}")
    with tempfile.TemporaryDirectory() as folder:
        # A list, so that every dataset runs whatever becomes of the one before.
        went_well = [try_dataset(name, (keep or Path(folder)).absolute() / name, until) for name in names or DATASETS]
    raise typer.Exit(not all(went_well))


def try_dataset(name: str, folder: Path, until: str) -> bool:
    """Write a dataset, validate it and run the notebooks up to ``until``, saying what each did."""
    dataset, artifacts = folder / "dataset", folder / "artifacts"
    DATASETS[name](dataset)
    is_sound = say(name, "validate", course("validate", str(dataset)))
    results: dict[str, object] = {}
    for stage in STAGES[: STAGES.index(until) + 1]:
        done = course("run", "--data", str(dataset), "--artifacts", str(artifacts), "--from", stage, "--until", stage)
        if not say(name, stage, done):
            return False
        results |= json.loads((artifacts / "smoke" / stage / "manifest.json").read_text("utf-8"))["results"]
    typer.echo(f"{name}: {json.dumps({key: results[key] for key in SHOWN if key in results})}")
    return is_sound


def say(name: str, step: str, done: subprocess.CompletedProcess[str]) -> bool:
    """Say how a step ended, with its whole output where it went wrong; whether it went well."""
    typer.echo(f"{name}: {step} ends with {done.returncode}")
    if done.returncode:
        typer.echo(done.stdout + done.stderr)
    return not done.returncode


def course(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The ``course`` command of this checkout."""
    command = [sys.executable, "-m", "course_utils.cli", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    typer.run(main)
