import json

import numpy as np
import pytest
from scipy.stats import bootstrap

from benchmarks.triage_scores import FieldScores, score_triage
from course_utils.errors import DataError
from course_utils.tasks import ticket_triage

TASK = ticket_triage()


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.triage_scores.N_RESAMPLES", 200)


GOLD = [("bug", "normal"), ("bug", "high"), ("outage", "urgent"), ("how_to", "low")]
REPLIES = [
    '{"label": "bug", "priority": "normal"}',
    'I think: {"label": "bug", "priority": "urgent"}',
    '{"label": "hardware", "priority": "urgent"}',
    "how_to",
]


def rows(replies: list[str]) -> list[dict[str, str]]:
    return [
        {"id": str(i), "text": "x", "label": label, "priority": priority, "predicted": TASK.read_reply(reply)}
        for i, ((label, priority), reply) in enumerate(zip(GOLD, replies, strict=True))
    ]


def test_shares_worked_by_hand() -> None:
    scores = score_triage(rows(REPLIES))
    assert scores.correct == (True, False, False, False)
    assert (scores.both.n_true, scores.valid_json.n_true) == (1, 3)
    assert (scores.labels.accuracy.n_true, scores.priorities.accuracy.n_true) == (2, 2)
    # bug 2 of 2 found and right, outage and how_to missed, hardware said for nothing
    assert scores.labels.macro_f1.value == pytest.approx((1 + 0 + 0 + 0) / 4)
    assert scores.labels.always_majority().accuracy.value == 0.5


@pytest.mark.parametrize("label", ["Outage", "outages", "outage ", "spam"])
def test_values_are_taken_strictly(label: str) -> None:
    row = {"label": "outage", "priority": "urgent", "predicted": json.dumps({"label": label, "priority": "urgent"})}
    scores = score_triage([row])
    assert (scores.both.n_true, scores.priorities.accuracy.n_true, scores.valid_json.n_true) == (0, 1, 1)


def test_kappa_leaves_out_what_is_off_the_scale_and_shows_nothing_for_one_class() -> None:
    scale = ("low", "normal", "high")
    # One of three rows is two steps off, which costs 4; by chance, (2 * 2 + 1 * 1) / 3 rows would be.
    scores = FieldScores(scale, ("low", "high", "low", "low"), ("low", "high", "high", "(no class)"))
    assert scores.kappa is not None
    assert scores.kappa.value == pytest.approx(1 - 4 / (4 * 5 / 3))
    assert FieldScores(scale, ("low",), ("low",)).kappa is not None
    assert FieldScores(scale, ("low",), ("(no class)",)).kappa is None


def test_the_interval_is_another_librarys() -> None:
    rng = np.random.default_rng(7)
    gold = rng.choice(["a", "b"], 200)
    found = np.where(rng.random(200) < 0.7, gold, "(no class)")
    estimate = FieldScores(("a", "b"), tuple(gold), tuple(found)).macro_f1
    right = ((gold == "a") * 2 + (found != "(no class)")).astype(float)

    def statistic(code: np.ndarray) -> float:
        shares = [np.sum(code == 2 * a + 1) / (np.sum(code // 2 == a) + np.sum(code == 2 * a + 1)) for a in (0, 1)]
        return 2 * float(np.mean(shares))

    wanted = bootstrap((right,), statistic, vectorized=False, n_resamples=300, method="percentile", rng=1)
    assert estimate.value == pytest.approx(statistic(right))
    interval = (wanted.confidence_interval.low, wanted.confidence_interval.high)
    assert (estimate.low, estimate.high) == pytest.approx(interval, abs=0.03)


def test_the_summary_is_json_and_lists_every_class() -> None:
    summary = score_triage(rows(REPLIES)).summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["accuracy"] == 0.25
    assert summary["label"]["by_class"]["bug"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "n_gold": 2.0}
    assert summary["priority"]["kappa"]["low"] <= summary["priority"]["kappa"]["value"]


def test_wrong_rows_are_refused() -> None:
    with pytest.raises(DataError, match="at least one row"):
        score_triage([])
    with pytest.raises(DataError, match="0: label 'spam'"):
        score_triage([{**rows(REPLIES)[0], "label": "spam"}])
