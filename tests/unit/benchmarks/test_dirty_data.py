import sqlite3
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dirty_data import PAIRS, PREFACE, add_preface, compare_arms, make_arms, plot
from course_utils.data.prepare import Prepared
from course_utils.evaluation.scores import Outcome, Scores
from course_utils.sql.compare import AnswerComparison, ResultShape

SHAPE = ResultShape(1, 1, truncated=False, is_empty=False)


def scores_of(name: str, verdicts: str) -> Scores:
    """Scores with one row a letter: ``r`` for right."""
    outcomes = (
        Outcome({"id": str(number)}, AnswerComparison(SHAPE, SHAPE, None if letter == "r" else "wrong rows"))
        for number, letter in enumerate(verdicts)
    )
    return Scores(name, tuple(outcomes))


def test_each_kind_has_rows_of_its_own_and_cleaning_leaves_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "databases" / "shop").mkdir(parents=True)
    with sqlite3.connect(tmp_path / "databases" / "shop" / "shop.sqlite") as database:
        database.execute("CREATE TABLE item (size INTEGER, name TEXT)")
        database.executemany("INSERT INTO item VALUES (?, ?)", [(n, f"thing {n}") for n in range(50)])
    rows = [
        {"id": str(n), "db_id": "shop", "question": f"Which items are {n} in size?", "query": query}
        for n in range(40)
        for query in [f"SELECT name FROM item WHERE size = {n}"]
    ]
    schemas = {"shop": "table item: size integer, name text"}
    arms = make_arms(Prepared(rows, [], [], schemas), tmp_path, seed=0)
    assert arms["scattered, dirty"][1] == {"n_rows": 40, "n_corrupted": 26}
    assert 22 <= arms["one source, dirty"][1]["n_corrupted"] <= 26
    for kind in PAIRS:
        cleaned, counts = arms[f"{kind}, cleaned"]
        assert counts == {"n_rows": 40 - arms[f"{kind}, dirty"][1]["n_corrupted"], "n_corrupted": 0}
        assert [row["id"] for row in cleaned] == sorted((row["id"] for row in cleaned), key=int)


def test_the_preface_stands_before_the_share_of_queries_and_nowhere_else() -> None:
    rows = [{"id": str(n), "query": f"SELECT {n}"} for n in range(400)]
    before = repr(rows)
    corrupted = add_preface(rows, 0.55, seed=2)
    assert repr(rows) == before
    changed = [(old, new) for old, new in zip(rows, corrupted, strict=True) if old != new]
    assert len(changed) == 220
    assert all(new == {**old, "query": PREFACE + old["query"]} for old, new in changed)
    assert add_preface(rows, 0.55, seed=2) == corrupted != add_preface(rows, 0.55, seed=3)


def test_the_pooled_gain_is_that_of_all_seeds_and_its_interval_is_of_questions() -> None:
    dirty = [scores_of("dirty", verdicts) for verdicts in ("rrr......." * 4, "rrr......." * 4)]
    cleaned = [scores_of("cleaned", verdicts) for verdicts in ("rrrrrr...." * 4, "rrrrrr...." * 4)]
    found = compare_arms(dirty, cleaned, (0, 1))
    assert [run["gain"] for run in found["by_seed"]] == [0.3, 0.3]
    assert [(run["n_gained"], run["n_lost"]) for run in found["by_seed"]] == [(12, 0), (12, 0)]
    assert found["pooled"]["gain"] == 0.3
    # Two seeds that agree on every question say no more of the questions than one of them does.
    assert found["pooled"]["interval"] == pytest.approx(found["by_seed"][0]["interval"], abs=0.02)
    narrow, wide = (
        interval[1] - interval[0] for interval in (found["pooled_verdicts"]["interval"], found["pooled"]["interval"])
    )
    assert narrow < wide


def test_the_plot_shows_every_run_and_every_gain() -> None:
    gain = {"gain": 0.1, "interval": [0.05, 0.2]}
    arms = [arm for pair in PAIRS.values() for arm in pair]
    runs: list[dict[str, Any]] = [
        {"arm": arm, "seed": seed, "accuracy": 0.5, "interval": [0.4, 0.6]} for arm in arms for seed in (0, 1)
    ]
    gains = {kind: {"by_seed": [{"seed": 0} | gain, {"seed": 1} | gain], "pooled": gain} for kind in PAIRS}
    left = plot({"runs": runs, "gains": gains, "n_test": 240})
    right = left.figure.axes[1]
    assert len(left.containers) == len(runs)
    assert len(right.containers) == 6
    assert [label.get_text() for label in right.get_xticklabels()] == list(PAIRS)
