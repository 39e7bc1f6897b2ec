"""The gate opens for what is shown to be no worse, and for nothing else."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from course_utils.artifacts import write_jsonl
from course_utils.evaluation import Scores
from course_utils.evaluation.gate import Candidate, check_accuracy, read_candidate, run_gate

from .verdicts import scores_of


def scores(verdicts: list[bool], seconds: float | None = 1.0) -> Scores:
    rows = [{"id": str(number), "seconds": seconds} for number in range(len(verdicts))]
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
        (240, 4, 12, "not enough rows"),
        (240, 0, 40, "refuse"),
        (1200, 5, 65, "refuse"),
    ],
)
def test_accuracy_is_decided_by_the_interval(n: int, n_gained: int, n_lost: int, decision: str) -> None:
    assert check_accuracy(*pair(n, n_gained, n_lost), margin=0.02).decision == decision


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


@pytest.mark.parametrize("seconds", [None, "0.5", math.nan, -1])
def test_what_was_not_measured_does_not_close_the_gate(seconds: Any) -> None:
    alone = Candidate(scores([True] * 300, seconds=seconds))
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
        ({"probe_loss": 1.3}, "forgetting"),
        ({"probe_loss": 1.1}, None),
        ({"probes": ({"id": "a", "safe": True}, {"id": "b", "safe": False})}, "safety"),
        ({"probes": ({"id": "c", "safe": False},)}, "safety"),  # its own questions were others
        ({"probes": ({"id": "a", "safe": False}, {"id": "c", "safe": True})}, None),
        ({"scores": scores([True] * 300, seconds=1.5)}, "latency"),
        ({"scores": scores([True] * 300, seconds=1.1)}, None),
    ],
)
def test_each_check_closes_the_gate_by_itself(new: dict[str, object], closed: str | None) -> None:
    known: dict[str, object] = {
        "scores": scores([True] * 300),
        "probes": ({"id": "a", "safe": False}, {"id": "b", "safe": True}),
        "probe_loss": 1.0,
    }
    checks = run_gate(Candidate(**{**known, **new}), Candidate(**known))  # type: ignore[arg-type]
    assert [check.name for check in checks if not check.is_open] == ([closed] if closed else [])
    assert "not measured" not in {check.decision for check in checks}


def test_a_run_brings_what_its_stages_wrote(tmp_path: Path) -> None:
    database = tmp_path / "databases" / "shop"
    database.mkdir(parents=True)
    (database / "schema.sql").write_text("CREATE TABLE item (name TEXT);")
    run = tmp_path / "smoke"
    row = {"id": "1", "db_id": "shop", "query": "SELECT 1", "predicted": "SELECT 1"}
    file = write_jsonl(run / "evaluation" / "predictions" / "tuned.jsonl", [row])
    write_jsonl(run / "evaluation" / "probes.jsonl", [{"id": "a", "safe": True}])
    (run / "training").mkdir()
    (run / "training" / "manifest.json").write_text(json.dumps({"results": {"probe_loss": 1.4}}))
    found = read_candidate(run, tmp_path)
    assert (found.scores.n, found.probes, found.probe_loss) == (1, ({"id": "a", "safe": True},), 1.4)
    alone = read_candidate(file, tmp_path)
    assert (alone.scores.n, alone.probes, alone.probe_loss) == (1, (), None)
