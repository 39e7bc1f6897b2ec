"""What makes training fast on a CPU? TRL's stock ``SFTTrainer``, ``train_sft``, and ``train_sft`` without each gain.

The runs take, in turn in one process, the same steps over the same rows with the same initial adapter,
optimizer and schedule: batches that ``share_prompts`` makes of the profile's rows. Times are processor seconds, which
other programs on the machine affect little; only rows/s are by the clock.
"""

import logging
import multiprocessing
import os
import textwrap
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.training_runs import OURS, STOCK, measure_profile
from course_utils.figures import course_style, new_axes
from course_utils.kernel import KEEP_MEMORY
from course_utils.setup import probe_machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
SIZES = (("smoke", 20, 6), ("laptop", 5, 1))
"""Profiles, steps of a run (few, because stock takes seconds a step), and seeds with which losses are compared: at the
high rate of ``smoke``, rounding alone moves the loss of a single run by one or two percent."""
MEMORY = "memory kept from step to step"
USUAL = 7
"""Evaluations of a profile that does not choose their number: before the first step and six times in the run."""
NOTES = Path(__file__).with_suffix(".md")


def measure(sizes: tuple[tuple[str, int, int], ...] = SIZES) -> dict[str, Any]:
    """Train on each profile's model, by stock, by ``train_sft`` and without each gain; write ``training.md``.

    The settings of C's allocator hold for a whole process, so each profile has one with them, as notebooks have, and
    one without.

    Returns:
        The machine and, for each of ``sizes``, the runs with their processor time a row, speed and validation loss.
    """
    result: dict[str, Any] = {"machine": asdict(probe_machine()), "profiles": {}}
    for name, *numbers in sizes:
        kept, given_back = (_in_process(settings, name, *numbers) for settings in (KEEP_MEMORY, ""))
        kept["runs"][MEMORY] = given_back["runs"][OURS]
        result["profiles"][name] = kept | {"stock_gives_back": given_back["runs"][STOCK]}
        logger.info("%s: %s", name, kept)
    NOTES.write_text(to_markdown(result), "utf-8")
    return result


def _in_process(settings: str, name: str, n_steps: int, n_seeds: int) -> dict[str, Any]:
    """``measure_profile`` in a new process, because glibc reads its settings once, when a process begins."""
    fresh = multiprocessing.get_context("spawn")
    with mock.patch.dict(os.environ, GLIBC_TUNABLES=settings), ProcessPoolExecutor(1, fresh) as pool:
        return pool.submit(measure_profile, name, n_steps, n_seeds, bool(settings)).result()


def to_markdown(result: dict[str, Any]) -> str:
    """One table a profile, one line a gain."""
    machine = result["machine"]
    lines = ["# What makes training fast on a CPU", ""]
    lines += ["Written by `python -m benchmarks training`, which says how it is measured.", ""]
    lines += [f"Machine: {machine['cpu']}, {machine['n_cores']} cores.", ""]
    for name, found in result["profiles"].items():
        lines += [f"## {name}, {found['n_steps']} steps, each the quickest of {found['n_rounds']}", ""]
        lines += ["| run | processor ms a row | rows/s | times stock | the gain | validation loss |"]
        lines += ["|---|---|---|---|---|---|"]
        stock, ours = (found["runs"][label]["ms_per_row"] for label in (STOCK, OURS))
        for label, run in found["runs"].items():
            ms, is_gain = run["ms_per_row"], label not in (STOCK, OURS)
            text, gain = (f"without {label}", f"{ms / ours:.2f}") if is_gain else (label, "")
            speeds = f"{ms:.0f} | {run['rows_per_s']:.1f} | {stock / ms:.1f} | {gain}"
            lines.append(f"| {text} | {speeds} | {run['validation_loss']:.4f} |")
        lines += ["", *_notes(found, stock, ours), ""]
    return "\n".join(lines).rstrip() + "\n"


def _notes(found: dict[str, Any], stock: float, ours: float) -> list[str]:
    """What the table cannot hold: stock under the allocator as it comes, and the share of evaluations."""
    other = found["stock_gives_back"]["ms_per_row"]
    settings = f"Stock takes {stock:.0f} ms with the notebooks' settings of the allocator and {other:.0f} without"
    lines = [f"{settings}, {stock / ours:.1f} and {other / ours:.1f} times as long as `train_sft` with them."]
    by_seed = found["losses_by_seed"]
    if (n_seeds := len(by_seed[OURS])) > 1:
        means = (sum(by_seed[label]) / n_seeds for label in (STOCK, OURS))
        lines += ["", "Mean validation loss of {} seeds: stock {:.4f}, `train_sft` {:.4f}.".format(n_seeds, *means)]
    if once := found.get("evaluation"):
        steps = ours / 1000 * once["n_rows_read"]
        own, usual = (n * once["seconds"] / (steps + n * once["seconds"]) for n in (once["n_evaluations"], USUAL))
        cost = f"One evaluation reads {once['n_rows']} rows in {once['seconds']:.1f} processor seconds"
        lines += ["", f"{cost}: {once['n_evaluations']} are {own:.1%} of training, {USUAL} would be {usual:.1%}."]
    return lines


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """How many times as long a row takes without each gain, one colour a profile."""
    axes = new_axes("How much slower training is without each gain", width=8.0)
    runs = {name: found["runs"] for name, found in result["profiles"].items()}
    labels = list(dict.fromkeys(label for each in runs.values() for label in each if label != OURS))
    for number, (name, each) in enumerate(runs.items()):
        there = [label for label in labels if label in each]
        values = [each[label]["ms_per_row"] / each[OURS]["ms_per_row"] for label in there]
        axes.plot(values, [labels.index(label) for label in there], "os^"[number], label=name)
    axes.axvline(1, linestyle=":")
    axes.set_yticks(range(len(labels)), [textwrap.fill(label, 34) for label in labels])
    axes.invert_yaxis()
    axes.set(xlabel="processor time a row, times that of train_sft")
    axes.legend(loc="lower right")
    return axes
