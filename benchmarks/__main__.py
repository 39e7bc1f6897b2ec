"""``python -m benchmarks [NAME ...]``: run the benchmarks and write ``benchmarks/results/<name>.json``.

``python -m benchmarks.api_fuzz``, ``.base_models``, ``.capacity``, ``.feedback_loop``, ``.field_tool``, ``.gpu_check``
and ``.laptop`` are separate commands, because they need more than this repository: a fuzzer from PyPI, models to
compare, a finished run, the field's tool, a GPU.
"""

import logging
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from course_utils.files import write_json

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = (
    "smoke_seeds",
    "after_sft",
    "busy_machine",
    "dirty_data",
    "error_rates",
    "gateway",
    "lucky_matches",
    "memory",
    "random_split",
    "sql_workers",
    "sweeps",
    "ticket_triage",
    "training",
    "validation_quality",
    "validation_scale",
)
"""Modules of this folder, each with ``measure`` and ``plot``."""


def write_result(name: str, result: dict[str, Any]) -> None:
    """Write what the benchmark ``name`` measured, and its plot, into ``RESULTS``."""
    typer.echo(write_json(RESULTS / f"{name}.json", result))
    import_module(f"benchmarks.{name}").plot(result).figure.savefig(RESULTS / f"{name}.png", dpi=120)


def main(names: Annotated[list[str] | None, typer.Argument(help="Which to run; all by default.")] = None) -> None:
    """Measure and write the results, each with the machine it came from and a plot."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if unknown := {*(names or [])} - {*BENCHMARKS}:
        raise typer.BadParameter(f"{', '.join(unknown)} is unknown; choose from {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        write_result(name, import_module(f"benchmarks.{name}").measure())


if __name__ == "__main__":
    typer.run(main)
