import json

import numpy as np
import pytest
from sklearn import metrics

from course_utils.errors import DataError
from course_utils.evaluation.classification import class_table, score_classes
from course_utils.tasks import macro_f1

CLASSES = ("a", "b", "c")
GOLD = ["a", "a", "a", "b", "b", "c"]
FOUND = ["a", "a", "b", "b", None, "zebra"]


def test_values_worked_by_hand() -> None:
    scores = score_classes(GOLD, FOUND, CLASSES, name="tuned")
    assert (scores.accuracy.n_true, scores.accuracy.n) == (3, 6)
    assert scores.macro_f1.value == pytest.approx((0.8 + 0.5 + 0.0) / 3)
    assert scores.correct == (True, True, False, True, False, False)
    assert (scores.majority, scores.baseline.accuracy.value) == ("a", 0.5)
    assert scores.baseline.macro_f1.value == pytest.approx(2 * 3 / (3 + 6) / 3)


def test_macro_f1_is_the_tasks_own() -> None:
    rng = np.random.default_rng(5)
    for n in (3, 30, 300):
        gold, found = (rng.choice([*CLASSES], n).tolist() for _ in range(2))
        scores = score_classes(gold, found, (*CLASSES, "never"))
        assert scores.macro_f1.value == pytest.approx(macro_f1(scores.per_class))


def test_the_bootstrap_agrees_with_resampled_rows() -> None:
    rng = np.random.default_rng(7)
    gold = rng.choice(CLASSES, 200, p=[0.6, 0.3, 0.1])
    found = np.where(rng.random(200) < 0.7, gold, rng.choice(CLASSES, 200))
    estimate = score_classes(gold.tolist(), found.tolist(), CLASSES).macro_f1
    draws = [rng.integers(0, 200, 200) for _ in range(400)]
    values = [metrics.f1_score(gold[draw], found[draw], average="macro") for draw in draws]
    assert estimate.value == pytest.approx(metrics.f1_score(gold, found, average="macro"))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.03)


def test_perfect_and_hopeless() -> None:
    perfect, hopeless = score_classes(GOLD, GOLD, CLASSES), score_classes(GOLD, [None] * 6, CLASSES)
    assert (perfect.accuracy.value, perfect.macro_f1.value) == (1.0, 1.0)
    assert (hopeless.accuracy.value, hopeless.macro_f1.high) == (0.0, 0.0)


def test_the_summary_is_json_and_lists_every_class() -> None:
    summary = score_classes(GOLD, FOUND, CLASSES).summary()
    assert json.loads(json.dumps(summary)) == summary
    assert list(summary["by_class"]) == list(CLASSES)
    assert summary["macro_f1_low"] <= summary["macro_f1"] <= summary["macro_f1_high"]


def test_the_table_shows_the_classes_beside_the_baseline() -> None:
    scores = score_classes(GOLD, FOUND, CLASSES, name="tuned")
    table = class_table(scores)
    assert table.rows[0] == ("a", "3", "2", "100%", "67%", "80%")
    assert "always a: 50.0%" in scores._repr_html_()


def test_a_gold_class_outside_the_set_is_refused() -> None:
    with pytest.raises(DataError, match="zebra"):
        score_classes(["zebra"], ["a"], CLASSES)
