import json
import threading
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS, RESULTS
from benchmarks.validation_scale import NEAR_SHARE, fit_exponent, make_rows, plot, watched_memory
from course_utils.data.formats import Record
from course_utils.data.validation.repeats import find_repeats


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_the_exponent_is_the_power_of_the_rows(power: float) -> None:
    runs = [{"n_rows": n, "seconds": 3 * n**power} for n in (10, 100, 1000)]
    assert fit_exponent(runs, "seconds") == pytest.approx(power, abs=0.001)


def test_rows_have_the_planted_share_of_near_duplicates() -> None:
    splits = make_rows(4000)
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 3200, "validation": 400, "test": 400}
    records = [
        Record(Path(f"{split}.jsonl"), number, row, split=split, number=number)
        for split, rows in splits.items()
        for number, row in enumerate(rows, 1)
    ]
    n_alike = sum(finding.check == "near-duplicate" for finding in find_repeats(records))
    assert n_alike / len(records) == pytest.approx(NEAR_SHARE, abs=0.01)


def test_memory_that_was_freed_counts() -> None:
    with watched_memory() as peak:
        block = bytearray(400 * 2**20)
        block[:: 2**12] = b"x" * len(block[:: 2**12])
        end = threading.Event()
        end.wait(0.5)
        del block
    assert peak[-1] > 0.4


def test_the_plot_names_the_target() -> None:
    runs = [
        {"n_rows": n, "seconds": n / 1e3, "cpu_seconds": n / 1e3, "repeat_cpu_seconds": n / 1e4, "peak_gib": 1.0}
        for n in (10_000, 100_000)
    ]
    axes = plot({"runs": runs, "exponents": {"seconds": 1.0, "cpu_seconds": 1.0, "repeat_cpu_seconds": 1.0}})
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any("under 40 s" in label for label in labels)
    assert any("rows^1.00" in label for label in labels)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_what_is_recorded_can_be_drawn(name: str) -> None:
    result = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    assert import_module(f"benchmarks.{name}").plot(result).has_data()
