"""What does a second busy program cost? Training on a quiet machine, and beside a process that never sleeps.

PyTorch's threads meet at a barrier after every matrix product, so on a busy machine all threads wait for the one that
has lost its core. ``models.load.set_threads`` leaves that core to the other program; this compares it with using all
cores. (Limiting how long threads spin, by GOMP_SPINCOUNT or OMP_WAIT_POLICY, was tried too: the values that help on a
busy machine cost a sixth to a half of the speed on a quiet one.)
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import open_course
from course_utils.figures import course_style, new_axes
from course_utils.files import read_json, read_jsonl
from course_utils.setup import probe_machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POLICIES = ("all cores", "as many as pay")
N_ROUNDS = 3
N_STEPS = 60
N_ROWS = 480


def measure() -> dict[str, Any]:
    """Seconds of ``N_STEPS`` training steps under each policy, quiet and busy, in turns to share the noise.

    Returns:
        The machine, all seconds, and the ratios of their medians to all cores on the quiet machine.
    """
    seconds: dict[str, dict[str, list[float]]] = {name: {"quiet": [], "busy": []} for name in POLICIES}
    for _ in range(N_ROUNDS):
        for state in ("quiet", "busy"):
            for name in POLICIES:
                with _busy_process(enabled=state == "busy"):
                    seconds[name][state].append(_train_in_child(name))
    baseline = median(seconds[POLICIES[0]]["quiet"])
    return {
        "machine": asdict(probe_machine()),
        "n_steps": N_STEPS,
        "seconds": seconds,
        "ratio_to_quiet": {
            name: {state: round(median(times) / baseline, 2) for state, times in by_state.items()}
            for name, by_state in seconds.items()
        },
    }


@contextmanager
def _busy_process(*, enabled: bool) -> Iterator[None]:
    if not enabled:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def _train_in_child(policy: str) -> float:
    """A fresh process for each run, so that no run inherits another's threads."""
    command = [sys.executable, "-m", "benchmarks.busy_machine", policy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def _train(policy: str) -> float:
    """Train on rows of the course's own data; returns the seconds of the training alone."""
    from course_utils.models import load, load_tokenizer
    from course_utils.sql import find_database, read_schema
    from course_utils.tasks import text_to_sql
    from course_utils.training import TrainingData, tokenize_rows, train_sft

    course = open_course("smoke")
    if policy == POLICIES[0]:
        load._choose_threads = cache(lambda period: load._all_threads())
    chosen = set(read_json(course.data / "samples" / "smoke.json")["train"][:N_ROWS])
    rows = [row for row in read_jsonl(course.data / "train.jsonl") if row["id"] in chosen]
    with tempfile.TemporaryDirectory() as folder:
        build_in = Path(folder) / "databases"
        names = sorted({row["db_id"] for row in rows})
        schemas = {name: read_schema(find_database(course.data, name, build_in)).render() for name in names}
        task, tokenizer = text_to_sql(schemas), load_tokenizer(course.model)
        train, validation = (
            tokenize_rows(tokenizer, part, task, course.profile.max_length) for part in (rows, rows[:16])
        )
        profile = replace(course.profile, max_steps=N_STEPS, n_evaluations=1)
        return train_sft(profile, TrainingData(train, validation), Path(folder) / "adapter").seconds


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Bars of the ratios, quiet and busy, for each policy."""
    ratios = result["ratio_to_quiet"]
    slow, mild = (ratios[name]["busy"] for name in POLICIES)
    axes = new_axes(f"Beside a busy process training takes {mild:.1f} times as long, not {slow:.1f}", height=3.0)
    for place, (state, hatch) in enumerate((("quiet", ""), ("busy", "//"))):
        bars = axes.barh(
            [i + 0.38 * place for i in range(len(ratios))], [r[state] for r in ratios.values()], 0.36, hatch=hatch
        )
        bars.set_label(f"{state} machine")
        axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_yticks([i + 0.19 for i in range(len(ratios))], list(ratios))
    axes.set_xlabel("seconds of training, relative to all cores of a quiet machine")
    axes.legend()
    return axes


if __name__ == "__main__":
    sys.stdout.write(f"{_train(sys.argv[1])}\n")
