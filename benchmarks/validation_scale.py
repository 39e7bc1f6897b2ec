"""How long does validation take, and how much memory, for ten thousand to a million rows?

Every size runs in its own process, whose memory is measured. The rows are generated: half as many queries as rows, as
in Spider, with frequencies as in real use (a few queries very often, most once or twice), and one question in twenty
is a near-duplicate.
"""

import json
import logging
import math
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from course_utils.artifacts import open_course
from course_utils.data.formats import Record
from course_utils.data.validation.repeats import find_repeats
from course_utils.data.validation.validate import ValidationOptions, validate_rows
from course_utils.figures import course_style, new_axes
from course_utils.files import Row
from course_utils.setup import probe_machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
SIZES = (10_000, 100_000, 1_000_000)
NEAR_SHARE = 0.05
LINES = {
    "seconds": "whole validation",
    "cpu_seconds": "the same in processor seconds",
    "repeat_cpu_seconds": "duplicates and leaks alone, in processor seconds",
}
"""What the plot shows. Where other work shares the cores, the processor's seconds say what is the validation's own."""
_TIMEOUT_S = 3 * 3600
_TABLES = "shop player film bank hotel flight ticket song route clinic museum farm recipe garage school parcel".split()
_COLUMNS = "price weight rating visits capacity income distance age".split()
_CITIES = "Lyon Turin Bergen Porto Ghent Graz Basel Leeds Malmo Aarhus Krakow Brno Split Cork Vigo Lille".split()
_SHAPES = (
    ("Which {t}s in {c} have a {a} over {n}?", "SELECT name FROM {t} WHERE city = '{c}' AND {a} > {n}"),
    ("How many {t}s of {c} have a {a} of at most {n}?", "SELECT COUNT(*) FROM {t} WHERE city = '{c}' AND {a} <= {n}"),
    ("What is the mean {a} of the {t}s whose {b} is under {n}?", "SELECT AVG({a}) FROM {t} WHERE {b} < {n}"),
    ("List the {t}s with {a} above {n} by {b}", "SELECT name FROM {t} WHERE {a} > {n} ORDER BY {b}"),
    (
        "For each city, give the highest {a} of the {t}s with {b} below {n}.",
        "SELECT city, MAX({a}) FROM {t} WHERE {b} < {n} GROUP BY city",
    ),
    (
        "Show the {t} with the lowest {a} among those in {c} with a {b} of {n} or more",
        "SELECT name FROM {t} WHERE city = '{c}' AND {b} >= {n} ORDER BY {a} LIMIT 1",
    ),
)
_WORDS = (
    "annual board budget client coastal district early export final growth harbour inland joint key launch local "
    "market merger north office outlet partner pilot press price quarter region renewal review safety season south "
    "spring staff storage summer supply survey target tender trade transit trial union urban value visitor winter yield"
).split()
_REASONS = ("For the {} {} {} {} {} {}: ", "Our {} {} asks for its {} {} {} {}. ", "We plan a {} {} {} with {} {} {}; ")


def measure(sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Time and peak memory of the whole validation for each size, and how the time grows.

    Args:
        sizes: Numbers of rows.

    Returns:
        The machine, one entry a size, and the exponent of a power of the rows fitted to the seconds: 1 is linear.
    """
    runs = []
    for n_rows in sizes:
        command = [sys.executable, "-m", "benchmarks.validation_scale", str(n_rows)]
        reply = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S)
        runs.append(json.loads(reply.stdout.splitlines()[-1]))
        logger.info("%s", runs[-1])
    return {
        "machine": asdict(probe_machine()),
        "runs": runs,
        "exponents": {name: fit_exponent(runs, name) for name in LINES},
    }


def fit_exponent(runs: list[dict[str, Any]], name: str) -> float:
    """The k of ``seconds = a * rows^k``, by least squares of the logarithms."""
    x, y = [math.log(run["n_rows"]) for run in runs], [math.log(max(run[name], 1e-9)) for run in runs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((value - mean_x) ** 2 for value in x)
    products = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return round(products / spread, 3) if spread else math.nan


def make_rows(n_rows: int, seed: int = 0) -> dict[str, list[Row]]:
    """Rows of three splits; ``NEAR_SHARE`` of them are nearly an earlier row of their split."""
    rng = random.Random(seed)
    pool = [_make_pair(rng) for _ in range(n_rows // 2)]
    splits: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    sizes = {"train": n_rows * 8 // 10, "validation": n_rows // 10}
    for split in splits:
        rows = splits[split]
        # Each database is in one split only, so that no query is in two splits, and only intended repeats are found.
        of_split = [pair for pair in pool if _split_of(pair[0]) == split]
        while len(rows) < sizes.get(split, n_rows - sum(sizes.values())):
            rows.append(_nearly(rng, rng.choice(rows)) if rows and rng.random() < NEAR_SHARE else _ask(rng, of_split))
    return splits


def _split_of(table: str) -> str:
    place = _TABLES.index(table)
    return "train" if place < 10 else "validation" if place < 12 else "test"


def _make_pair(rng: random.Random) -> tuple[str, str, str]:
    question, query = rng.choice(_SHAPES)
    (a, b), table = rng.sample(_COLUMNS, 2), rng.choice(_TABLES)
    words = {"t": table, "c": rng.choice(_CITIES), "a": a, "b": b, "n": rng.randrange(1, 10_000) / 10}
    return table, question.format(**words), query.format(**words)


def _ask(rng: random.Random, pool: list[tuple[str, str, str]]) -> Row:
    # The square of a uniform random number: a tenth of the queries gets a third of the questions.
    table, question, query = pool[int(len(pool) * rng.random() ** 2)]
    # Random words before the question, so that two rows with one query are not near-duplicates.
    reason = rng.choice(_REASONS).format(*rng.choices(_WORDS, k=6))
    return {"db_id": table, "question": reason + question, "query": query}


def _nearly(rng: random.Random, row: Row) -> Row:
    question = row["question"]
    place = rng.randrange(1, len(question) - 1)
    return {**row, "question": question[:place] + question[place + 1 :]}


def make_databases(folder: Path) -> dict[str, Path]:
    """A database of one table of 200 rows for each table name."""
    rng = random.Random(1)
    paths = {table: folder / f"{table}.sqlite" for table in _TABLES}
    for table, path in paths.items():
        connection = sqlite3.connect(path)
        columns = ", ".join(f"{name} REAL" for name in _COLUMNS)
        connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT, city TEXT, {columns})")
        marks = ", ".join("?" * (3 + len(_COLUMNS)))
        for i in range(200):
            values = [round(rng.uniform(1, 1000), 1) for _ in _COLUMNS]
            connection.execute(
                f"INSERT INTO {table} VALUES ({marks})", (i, f"{table} {i}", rng.choice(_CITIES), *values)
            )
        connection.commit()
        connection.close()
    return paths


@contextmanager
def watched_memory() -> Iterator[list[float]]:
    """The peak of resident memory of this process and its children in GiB, as the list's last item, ten times a second.

    Pages that processes share count for each of them, so this is an upper bound.
    """
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        process = psutil.Process()
        while not done.wait(0.1):
            total = 0
            for one in (process, *process.children(recursive=True)):
                try:
                    total += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total / 2**30)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def run_size(n_rows: int) -> dict[str, Any]:
    """Make rows of one size, validate them, and then time duplicates and leaks alone."""
    rows = make_rows(n_rows)
    with tempfile.TemporaryDirectory() as folder, watched_memory() as peak:
        databases = make_databases(Path(folder))
        began, used = time.perf_counter(), sum(os.times()[:4])
        report = validate_rows(rows, databases, ValidationOptions(course=open_course("smoke")))
        seconds, cpu_seconds, peak_gib = time.perf_counter() - began, sum(os.times()[:4]) - used, peak[-1]
        counts = report.counts
        del report
    records = [
        Record(Path(f"{split}.jsonl"), number, row, split=split, number=number)
        for split, of_split in rows.items()
        for number, row in enumerate(of_split, 1)
    ]
    began = time.process_time()  # find_repeats runs in this process alone and never waits
    repeats = find_repeats(records)
    repeat_seconds = time.process_time() - began
    return {
        "n_rows": n_rows,
        "load_average": round(os.getloadavg()[1], 1) if hasattr(os, "getloadavg") else None,
        "n_queries": len({row["query"] for of_split in rows.values() for row in of_split}),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "peak_gib": round(peak_gib, 2),
        "repeat_cpu_seconds": round(repeat_seconds, 2),
        "n_repeats": len(repeats),
        "counts": counts,
    }


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Seconds over rows, both logarithmic, with the fitted power, and the target."""
    largest = result["runs"][-1]
    axes = new_axes(
        f"{largest['n_rows']:,} rows take {largest['seconds']:.0f} s and {largest['peak_gib']:.1f} GiB", height=4.6
    )
    rows = [run["n_rows"] for run in result["runs"]]
    measured = [(name, label) for name, label in LINES.items() if name in result["exponents"]]  # old results lack some
    for (name, label), mark in zip(measured, ("o-", "s--", "^:"), strict=False):
        power = f"{label}: rows^{result['exponents'][name]:.2f}"
        axes.plot(rows, [run[name] for run in result["runs"]], mark, label=power)
    for run in result["runs"]:
        note = f"{run['seconds']:.0f} s, {run['peak_gib']:.1f} GiB"
        axes.annotate(note, (run["n_rows"], run["seconds"]), xytext=(-6, 8), textcoords="offset points", ha="right")
    axes.plot(100_000, 40, "v", color="0.4", label="target: 100,000 rows under 40 s")
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds", xlim=(2_000, 2_000_000))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set(major_formatter="{x:,.9g}", minor_formatter="")
    axes.margins(y=0.15)
    axes.legend()
    return axes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run_size(int(sys.argv[1]))) + "\n")
