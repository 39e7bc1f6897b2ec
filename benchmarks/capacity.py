"""Does the capacity model hold? Notebook 6's own cells predict and measure the p95 latency ten times.

This is done with two model servers: llama.cpp, whose times depend on everything else that the machine does, and a
server that sleeps for known times, so that the remaining error is the capacity model's or the gateway's.

``python -m benchmarks.capacity`` needs a finished smoke run in ``artifacts/smoke``, fifteen minutes, and a machine on
which nothing else runs, because it measures latencies. It writes ``benchmarks/results/capacity.json``.
"""

import logging
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from types import CodeType
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.gateway import synthetic_model
from course_utils.deployment import start_gateway
from course_utils.files import PROJECT, SPLITS, read_json, write_json
from course_utils.setup import probe_machine

logger = logging.getLogger(__name__)
N_REPETITIONS = 10
LIMIT = 0.2
KNOWN_MS, N_SLOTS = 30, 4
"""The sleeping server's mean time for a request, in milliseconds, and the requests that it answers at once."""
START = ("begin", "show-readiness")
REPEATED = ("measure-alone", "send-loads", "check-capacity")


def measure(artifacts: Path) -> dict[str, Any]:
    """Check the model ten times before each model server: how far off its p95 is, by load, and how often too far."""
    notebook = read_json(PROJECT / "notebooks" / "06_monitoring.ipynb")
    cells = {cell["id"]: compile("".join(cell["source"]), cell["id"], "exec") for cell in code_cells(notebook)}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(artifacts / "smoke", Path(folder) / "smoke")
        names: dict[str, Any] = {"PROFILE": "smoke", "DATA": "data", "MODEL": "", "ARTIFACTS": folder, "n_asked": 40}
        for each in START:
            exec(cells[each], names)
        splits = [names["read_jsonl"](names["course"].output("data", f"{split}.jsonl")) for split in SPLITS]
        names["windows"] = names["monitoring"].choose_windows(*splits)
        repeated = [cells[each] for each in REPEATED]
        found = {"llama.cpp": _check(repeated, names)}
        names["service"].stop()
        databases = names["course"].folder("data") / "databases"
        with synthetic_model(KNOWN_MS, N_SLOTS) as model, start_gateway(model.url, databases) as names["service"]:
            found["known times"] = _check(repeated, names)
    return {
        "machine": asdict(probe_machine()),
        "model_servers": found,
    }


def _check(repeated: list[CodeType], names: dict[str, Any]) -> dict[str, Any]:
    found = []
    for _ in range(N_REPETITIONS):
        for each in repeated:
            exec(each, names)
        found.append({share: round(float(row[-1]), 3) for share, row in names["checked"].items()})
        logger.info("off by %s", found[-1])
    shares = {share: [row[share] for row in found] for share in found[0]}
    return {
        "off_by": shares,
        "n_within": {share: sum(abs(off) <= LIMIT for off in each) for share, each in shares.items()},
        "median": {share: round(float(np.median(each)), 3) for share, each in shares.items()},
    }


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that run, but for Colab's."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and cell["id"] != "setup"]


def main(artifacts: Annotated[Path, typer.Argument(help="Of a finished smoke run.")] = PROJECT / "artifacts") -> None:
    """Measure and write the results."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    logger.setLevel(logging.INFO)  # of this module only: other loggers write a line for each request
    typer.echo(write_json(Path(__file__).parent / "results" / "capacity.json", measure(artifacts)))


if __name__ == "__main__":
    typer.run(main)
