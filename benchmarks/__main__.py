"""``python -m benchmarks [NAME ...]``: run the benchmarks and write ``benchmarks/results/<name>.json``.

``python -m benchmarks.base_models`` and ``benchmarks.field_tool`` are commands of their own, for they take the models
to compare, and the folder of the field's tool.
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
    "smoke_seeds": lambda: smoke_seeds.measure("smoke"),
    "after_sft": after_sft.measure,
    "busy_machine": busy_machine.measure,
    "dirty_data": dirty_data.measure,
    "error_rates": error_rates.measure,
    "gateway": gateway.measure,
    "lucky_matches": lucky_matches.measure,
    "memory": memory.measure,
    "random_split": random_split.measure,
    "sql_workers": sql_workers.measure,
    "sweeps": sweeps.measure,
    "ticket_triage": ticket_triage.measure,
    "training": training.measure,
    "validation_quality": validation_quality.measure,
    "validation_scale": validation_scale.measure,
}
PLOTS = {
    "smoke_seeds": smoke_seeds.plot,
    "after_sft": after_sft.plot,
    "busy_machine": busy_machine.plot,
    "dirty_data": dirty_data.plot,
    "error_rates": error_rates.plot,
    "gateway": gateway.plot,
    "lucky_matches": lucky_matches.plot,
    "memory": memory.plot,
    "random_split": random_split.plot,
    "sql_workers": sql_workers.plot,
    "sweeps": sweeps.plot,
    "ticket_triage": ticket_triage.plot,
    "training": training.plot,
    "validation_quality": validation_quality.plot,
    "validation_scale": validation_scale.plot,
}


def main(names: Annotated[list[str] | None, typer.Argument(help="Which to run; all by default.")] = None) -> None:
    """Measure and write the results, each with the machine it came from and a plot."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for name in names or BENCHMARKS:
        if name not in BENCHMARKS:
            raise typer.BadParameter(f"{name} is unknown; choose from {', '.join(BENCHMARKS)}")
        result = BENCHMARKS[name]()
        typer.echo(write_json(RESULTS / f"{name}.json", result))
        PLOTS[name](result).figure.savefig(RESULTS / f"{name}.png", dpi=120)


if __name__ == "__main__":
    typer.run(main)
