"""The gate opens for what is shown to be no worse, and for nothing else."""

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from course_utils.errors import ConfigurationError
from course_utils.evaluation import Scores
from course_utils.evaluation.comparison import bootstrap_difference, difference_interval
from course_utils.evaluation.gate import MAX_FORGOTTEN, Candidate, check_accuracy, read_candidate, run_gate, time_ratio
from course_utils.files import write_jsonl

from .verdicts import scores_of

TIMES = (0.9, 1.1, 1.0, 0.95, 1.05, 0.91, 1.09, 1.01, 0.96, 1.04)


def scores(verdicts: list[bool], *seconds: Any) -> Scores:
    """The times are those of batches, one after the other."""
    times = seconds or TIMES
    rows = [{"id": str(n), "seconds": times[n * len(times) // len(verdicts)]} for n in range(len(verdicts))]
    return scores_of("model", rows, verdicts)


def pair(n: int, n_gained: int, n_lost: int) -> tuple[Scores, Scores]:
    """A new model and the current one, which differ on so many of n rows."""
    new = [True] * n_gained + [False] * n_lost + [True] * (n - n_gained - n_lost)
    current = [False] * n_gained + [True] * n_lost + [True] * (n - n_gained - n_lost)
    return scores(new), scores(current)


@pytest.mark.parametrize(
    ("n", "n_gained", "n_lost", "decision"),
    [
        (240, 0, 0, "pass"),
        (240, 20, 1, "pass"),
        (1200, 30, 30, "pass"),
        (3, 0, 0, "not enough rows"),  # no difference in three rows shows nothing
        (3, 1, 0, "not enough rows"),
        (3, 0, 1, "not enough rows"),
        (150, 0, 0, "not enough rows"),
        (150, 0, 1, "not enough rows"),  # one lost shows no less loss than none
        (240, 4, 12, "not enough rows"),
        (240, 0, 40, "refuse"),
        (1200, 5, 65, "refuse"),
    ],
)
def test_accuracy_is_decided_by_the_interval(n: int, n_gained: int, n_lost: int, decision: str) -> None:
    assert check_accuracy(*pair(n, n_gained, n_lost), margin=0.02).decision == decision


@pytest.mark.parametrize(("n_gained", "n_lost"), [(0, 1), (3, 0), (4, 12), (50, 50)])
def test_the_reason_names_the_interval(n_gained: int, n_lost: int) -> None:
    low, high = difference_interval(150, n_gained, n_lost)
    assert f"[{low:+.1%}, {high:+.1%}]" in check_accuracy(*pair(150, n_gained, n_lost), margin=0.02).reason


@pytest.mark.parametrize(("n_lost", "margin"), [(2, 0.02), (2, 0.0), (0, 0.0)])
def test_a_loss_that_no_number_of_rows_can_decide_asks_for_none(n_lost: int, margin: float) -> None:
    """The loss is exactly the margin; or nothing may be lost, and 100 rows cannot show how little was."""
    reason = check_accuracy(*pair(100, 0, n_lost), margin=margin).reason
    assert ("no number of rows will tell" in reason) == (n_lost / 100 == margin), reason


@pytest.mark.parametrize("margin", [2, -0.5, math.nan])
def test_a_margin_that_is_no_share_is_refused(margin: float) -> None:
    with pytest.raises(ConfigurationError, match="give a number from 0 to 1"):
        check_accuracy(*pair(150, 0, 0), margin=margin)


@pytest.mark.parametrize(("n_gained", "n_lost"), [(4, 5), (0, 0)])
def test_as_many_rows_as_it_asks_for_would_tell(n_gained: int, n_lost: int) -> None:
    start = 240 if n_lost else 100
    check = check_accuracy(*pair(start, n_gained, n_lost), margin=0.02)
    assert check.decision == "not enough rows"
    needed = int(check.reason.rsplit("about ", 1)[1].split(" ")[0].replace(",", ""))
    for factor, decision in ((1.1, "pass"), (0.4, "not enough rows")):
        n = round(needed * factor)
        changed = (round(n * count / start) for count in (n_gained, n_lost))
        assert check_accuracy(*pair(n, *changed), margin=0.02).decision == decision


def decisions(new: Candidate, current: Candidate) -> dict[str, str]:
    return {check.name: check.decision for check in run_gate(new, current)}


@pytest.mark.parametrize("seconds", [(1.0,), *((*TIMES, odd) for odd in (None, "0.5", math.nan, -1, 0, math.inf))])
def test_what_was_not_measured_does_not_close_the_gate(seconds: tuple[Any, ...]) -> None:
    alone = Candidate(scores([True] * 300, *seconds), probe_loss={"a": 1.3})
    assert decisions(alone, alone) == {
        "accuracy": "pass",
        "forgetting": "not measured",
        "safety": "not measured",
        "latency": "not measured",
    }
    assert all(check.is_open for check in run_gate(alone, alone))


@pytest.mark.parametrize(
    ("new", "closed"),
    [
        ({}, None),
        ({"probe_loss": {"a": 1.25, "b": 2.25, "c": 1.25}}, "forgetting"),
        ({"probe_loss": {"a": 1.15, "b": 2.15}}, None),  # of two replies alike
        ({"probe_loss": {"a": 1.1, "b": 2.0, "c": 1.0, "of another base": 9.0}}, None),
        ({"probe_loss": {"a": 1.0, "b": 3.0, "c": 0.6}}, "forgetting"),  # too few replies to say
        ({"probes": ({"id": "a", "safe": True}, {"id": "b", "safe": False})}, "safety"),
        ({"probes": ({"id": "c", "safe": False},)}, "safety"),  # its own questions were others
        ({"probes": ({"id": "a", "safe": False}, {"id": "c", "safe": True})}, None),
        ({"scores": scores([True] * 300, *(1.5, 1.4, 1.6, 1.45, 1.55, 1.51, 1.41, 1.61, 1.46, 1.56))}, "latency"),
        ({"scores": scores([True] * 300, *(1.3 * each for each in TIMES))}, "latency"),
        ({"scores": scores([True] * 300, *(1.2 * each for each in TIMES))}, None),
        (
            {"scores": scores([True] * 300, *(1.0, 1.5, 1.2, 1.6, 0.9, 1.01, 1.51, 1.21, 1.61, 0.91))},
            "latency",
        ),  # too few batches to say
    ],
)
def test_each_check_closes_the_gate_by_itself(new: dict[str, object], closed: str | None) -> None:
    known: dict[str, object] = {
        "scores": scores([True] * 300),
        "probes": ({"id": "a", "safe": False}, {"id": "b", "safe": True}),
        "probe_loss": {"a": 1.0, "b": 2.0, "c": 1.0},
    }
    checks = run_gate(Candidate(**{**known, **new}), Candidate(**known))  # type: ignore[arg-type]
    assert [check.name for check in checks if not check.is_open] == ([closed] if closed else [])
    assert "not measured" not in {check.decision for check in checks}


def test_two_batches_tell_only_what_is_plain() -> None:
    current = scores([True] * 300, 1.0, 1.1)
    for seconds, decision in (((1.2, 1.12), "not measured"), ((9.0, 9.1), "refuse"), ((0.1, 0.11), "pass")):
        assert decisions(Candidate(scores([True] * 300, *seconds)), Candidate(current))["latency"] == decision


def test_forgetting_is_decided_by_the_interval_of_a_paired_t_test() -> None:
    rng = Random(0)
    before = {str(n): rng.gauss(2) for n in range(20)}
    after = {name: loss + rng.gauss(MAX_FORGOTTEN / 2, 0.1) for name, loss in before.items()}
    new, current = (Candidate(scores([True] * 300), probe_loss=losses) for losses in (after, before))
    (check,) = (check for check in run_gate(new, current) if check.name == "forgetting")
    low, high = ttest_rel([*after.values()], [*before.values()]).confidence_interval()
    assert check.decision == "pass"
    assert f"[{low:+.2f}, {high:+.2f}] nats per token of 20 replies" in check.reason


def test_with_a_time_of_its_own_for_each_row_it_is_the_interval_of_a_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    before = rng.lognormal(0, 0.3, 40)  # replies differ in length, for both models alike
    after = 1.2 * before * rng.lognormal(0, 0.03, 40)
    wanted = ttest_rel(np.log(after), np.log(before)).confidence_interval()
    assert time_ratio([*zip(before, after, strict=True)]) == pytest.approx(np.exp([*wanted]), rel=0.01)


@pytest.mark.parametrize("n_batches", [3, 8])
def test_the_interval_of_batched_times_holds_the_truth_as_often_as_it_says(n_batches: int) -> None:
    """Batches of 30 rows and a last one of 20, whose times scatter by a tenth; rows as such know nothing of that."""
    rng, sizes = np.random.default_rng(1), [30] * (n_batches - 1) + [20]
    n_runs, n_held, n_held_by_rows = 4_000, 0, 0
    for run in range(n_runs):
        before, after = (np.repeat(rng.lognormal(centre, 0.1, n_batches), sizes) for centre in (0.0, math.log(1.2)))
        low, high = time_ratio([*zip(before.tolist(), after.tolist(), strict=True)])
        n_held += low <= 1.2 <= high
        if run < 25:
            low, high = bootstrap_difference(before, after) / before.mean()
            n_held_by_rows += low <= 0.2 <= high
    assert 0.93 <= n_held / n_runs <= 0.97
    assert n_held_by_rows / 25 < 0.6


def test_a_run_brings_what_its_stages_wrote(tmp_path: Path) -> None:
    database = tmp_path / "databases" / "shop"
    database.mkdir(parents=True)
    (database / "schema.sql").write_text("CREATE TABLE item (name TEXT);")
    run = tmp_path / "smoke"
    row = {"id": "1", "db_id": "shop", "query": "SELECT 1", "predicted": "SELECT 1"}
    file = write_jsonl(run / "evaluation" / "predictions" / "tuned.jsonl", [row])
    write_jsonl(run / "evaluation" / "probes.jsonl", [{"id": "a", "safe": True}])
    (run / "training").mkdir()
    (run / "training" / "probe_losses.json").write_text(json.dumps({"a": 1.4, "b": 1.2}))
    found = read_candidate(run, tmp_path)
    assert (found.scores.n, found.probes, found.probe_loss) == (1, ({"id": "a", "safe": True},), {"a": 1.4, "b": 1.2})
    alone = read_candidate(file, tmp_path)
    assert (alone.scores.n, alone.probes, alone.probe_loss) == (1, (), None)
