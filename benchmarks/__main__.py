"""``python -m benchmarks [NAME ...]``: run the benchmarks and write ``benchmarks/results/<name>.json``.

``python -m benchmarks.base_models``, ``.capacity``, ``.feedback_loop``, ``.field_tool`` and ``.gpu_check`` are commands
of their own, for they need more than this repository: models to compare, a finished run, the field's tool, a GPU.
"""

import logging
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import (
    after_sft,
    busy_machine,
    dirty_data,
    error_rates,
    gateway,
    lucky_matches,
    memory,
    random_split,
    smoke_seeds,
    sql_workers,
    sweeps,
    ticket_triage,
    training,
    validation_quality,
    validation_scale,
)
from course_utils.artifacts import write_json

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        smoke_seeds,
        after_sft,
        busy_machine,
        dirty_data,
        error_rates,
        gateway,
        lucky_matches,
        memory,
        random_split,
        sql_workers,
        sweeps,
        ticket_triage,
        training,
        validation_quality,
        validation_scale,
    )
}


def main(names: Annotated[list[str] | None, typer.Argument(help="Which to run; all by default.")] = None) -> None:
    """Measure and write the results, each with the machine it came from and a plot."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if unknown := {*(names or [])} - {*BENCHMARKS}:
        raise typer.BadParameter(f"{', '.join(unknown)} is unknown; choose from {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        result = BENCHMARKS[name].measure()
        typer.echo(write_json(RESULTS / f"{name}.json", result))
        BENCHMARKS[name].plot(result).figure.savefig(RESULTS / f"{name}.png", dpi=120)


if __name__ == "__main__":
    typer.run(main)
