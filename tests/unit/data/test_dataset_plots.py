from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from course_utils.data.dataset_plots import plot_gains, plot_rows
from course_utils.data.prepare import Prepared

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close() -> object:
    yield
    plt.close("all")


def row(db_id: str, seen: bool, difficulty: str = "easy") -> dict[str, object]:
    return {"db_id": db_id, "seen": seen, "difficulty": difficulty}


def test_bars_add_up_to_the_rows_and_unseen_databases_are_marked(tmp_path: Path) -> None:
    prepared = Prepared(
        train=[row("shop", True)] * 5 + [row("shop", True, "medium")] * 2,
        validation=[row("shop", True, "simple")],
        test=[row("zoo", False)] * 3,
        schemas={},
        n_read=11,
    )
    axes = plot_rows(prepared)
    assert sum(patch.get_width() for patch in axes.patches) == 11
    assert [label.get_text() for label in axes.get_yticklabels()] == ["shop", "zoo (unseen)"]
    assert " ".join(axes.figure.get_suptitle().split()) == "11 rows about 2 databases, 1 of them unseen in training"


def test_every_gain_is_drawn_and_the_title_names_the_span_of_each_kind() -> None:
    gains = {"scattered": [(0.05, -0.01, 0.1), (0.025, -0.03, 0.09)], "this run": [(0.3, 0.2, 0.4)]}
    axes = plot_gains(gains)
    assert len(axes.containers) == 3
    assert [label.get_text() for label in axes.get_yticklabels()] == list(gains)
    title = " ".join(axes.figure.get_suptitle().split())
    assert title == "Cleaning gains, in points: +2 to +5 (scattered), +30 (this run)"
