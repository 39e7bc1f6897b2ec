from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from course_utils.data.dataset_plots import plot_difficulty, plot_rows
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


def test_difficulties_are_shares_of_each_split() -> None:
    rows = [row("shop", True)] * 3 + [row("shop", True, "hard")]
    axes = plot_difficulty({"train": rows, "test": [row("zoo", False, "simple")]})
    assert [round(patch.get_width()) for patch in axes.patches] == [75, 0, 25, 0, 0, 100]
    assert axes.get_legend_handles_labels()[1] == ["easy", "hard", "simple"]
    assert " ".join(axes.figure.get_suptitle().split()) == "The commonest level is simple: 0 to 100 % of a split"
