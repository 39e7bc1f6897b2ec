import json

import pytest

from course_utils.errors import DataError
from course_utils.evaluation.triage import score_triage, triage_table
from course_utils.tasks import ticket_triage

TASK = ticket_triage()
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
    scores = score_triage(rows(REPLIES), name="tuned")
    assert scores.correct == (True, False, False, False)
    assert (scores.both.n_true, scores.valid_json.n_true) == (1, 3)
    assert (scores.labels.accuracy.n_true, scores.priorities.accuracy.n_true) == (2, 2)
    assert scores.order is not None
    assert (scores.order.n_off_scale, scores.order.too_low.n_true) == (1, 0)


def test_the_task_and_the_evaluation_agree() -> None:
    metrics = TASK.score(rows(REPLIES)).metrics
    scores = score_triage(rows(REPLIES))
    assert metrics == {
        "accuracy": scores.both.value,
        "label_accuracy": scores.labels.accuracy.value,
        "label_macro_f1": pytest.approx(scores.labels.macro_f1.value),
        "priority_accuracy": scores.priorities.accuracy.value,
        "valid_json": scores.valid_json.value,
    }


def test_models_stand_side_by_side() -> None:
    silent, tuned = score_triage(rows([""] * 4), name="silent"), score_triage(rows(REPLIES), name="tuned")
    table = triage_table(silent, tuned)
    assert table.columns == ("measure", "majority class", "silent", "tuned")
    cells = {row[0]: row[1:] for row in table.rows}
    assert cells["label right"][0] == "50.0%"
    assert cells["priority, quadratic kappa"][1] == "(none read)"
    assert cells["reply is valid JSON"][2].startswith("75.0%")
    assert silent.order is None


def test_it_shows_itself_and_gives_json() -> None:
    scores = score_triage(rows(REPLIES), name="tuned")
    assert scores._repr_html_().count("<table>") == 3
    summary = scores.summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["accuracy"] == 0.25
    assert summary["priority"]["kappa"]["low"] <= summary["priority"]["kappa"]["value"]


def test_wrong_rows_are_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        score_triage([])
    with pytest.raises(DataError, match="is none of"):
        score_triage([{**rows(REPLIES)[0], "label": "spam"}])
