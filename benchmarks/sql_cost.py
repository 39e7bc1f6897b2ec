"""What do honest queries cost in workers? Processor time of this process and the workers, against in-process runs."""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks import in_process_sql
from course_utils.files import PROJECT, Row, read_json, read_jsonl
from course_utils.sql import compare_answers, find_database, run_queries, run_query

N_ROUNDS = 5
N_REPEATS = 8
WORKLOADS = ("single", "batch", "judge the gold", "judge other queries")
ARMS = ("in process", "workers")
Job = tuple[Path, list[Row]]
"""A database and the rows that ask about it; each row's ``predicted`` is another row's query."""
Functions = tuple[
    Callable[[Path, str], object], Callable[[Path, list[str]], Iterable[object]], Callable[[Path, str, str], object]
]
"""What runs one query, many queries, and judges a query by the gold one."""


def measure_cost(folder: Path, predictions: Path | None = None) -> dict[str, Any]:
    """Milliseconds a query of each workload in each arm, and the ratio of their processor time.

    The arms take turns, each in a fresh process, so that they share the noise of the machine.

    Args:
        folder: For the databases.
        predictions: A model's predictions of the same rows; a row's neighbour stands in for them where there are none.
    """
    runs: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for _ in range(N_ROUNDS):
        for arm in ARMS:
            command = [sys.executable, "-m", "benchmarks.sql_cost", arm, str(folder), str(predictions or "")]
            done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
            runs[arm].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        workload: {
            "cpu_ms": (cpu := {arm: round(median(run[workload]["cpu_ms"] for run in runs[arm]), 4) for arm in ARMS}),
            "wall_ms": {arm: round(median(run[workload]["wall_ms"] for run in runs[arm]), 4) for arm in ARMS},
            "cpu_ratio": round(cpu["workers"] / cpu["in process"], 3),
        }
        for workload in WORKLOADS
    }


def run_arm(arm: str, folder: Path, predictions: str = "") -> dict[str, dict[str, float]]:
    """Each workload once to warm up, then ``N_REPEATS`` times with a look at the clocks."""
    jobs = make_jobs(folder, predictions)
    works = _works(arm)
    found = {}
    for name in WORKLOADS:
        work = works[name]
        for job in jobs:
            work(*job)
        cpu, wall = cpu_seconds(), time.perf_counter()
        for _ in range(N_REPEATS):
            for job in jobs:
                work(*job)
        n = N_REPEATS * sum(len(rows) for _, rows in jobs)
        cpu_ms, wall_ms = (
            1000 * (after - before) / n for after, before in ((cpu_seconds(), cpu), (time.perf_counter(), wall))
        )
        found[name] = {"cpu_ms": cpu_ms, "wall_ms": wall_ms}
    return found


def make_jobs(folder: Path, predictions: str = "") -> list[Job]:
    """The smoke profile's test rows, by database; a row's prediction is its neighbour's query, or of a file."""
    data = PROJECT / "data"
    smoke = set(read_json(data / "samples" / "smoke.json")["test"])
    by_database: dict[str, list[Row]] = defaultdict(list)
    for row in read_jsonl(data / "test.jsonl"):
        if row["id"] in smoke:
            by_database[row["db_id"]].append(row)
    written = {row["id"]: row["predicted"] for row in (read_jsonl(Path(predictions)) if predictions else [])}
    jobs = []
    for db_id, rows in by_database.items():
        others = [*rows[1:], rows[0]]
        asked = [
            {**row, "predicted": written.get(row["id"], other["query"])}
            for row, other in zip(rows, others, strict=True)
        ]
        jobs.append((find_database(data, db_id, folder), asked))
    return jobs


def _works(arm: str) -> dict[str, Callable[[Path, list[Row]], object]]:
    functions: dict[str, Functions] = {
        "in process": (in_process_sql.run_query, in_process_sql.run_queries, in_process_sql.judge),
        "workers": (run_query, run_queries, compare_answers),
    }
    one, many, verdict = functions[arm]
    return {
        "single": lambda database, rows: [one(database, row["query"]) for row in rows],
        "batch": lambda database, rows: [*many(database, [row["query"] for row in rows])],
        "judge the gold": lambda database, rows: [verdict(database, row["query"], row["query"]) for row in rows],
        "judge other queries": lambda database, rows: [
            verdict(database, row["query"], row["predicted"]) for row in rows
        ],
    }


def cpu_seconds() -> float:
    """Of this process and of its living children, user and system."""
    processes = [psutil.Process(), *psutil.Process().children()]
    return float(sum(times.user + times.system for times in (process.cpu_times() for process in processes)))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run_arm(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])) + "\n")
