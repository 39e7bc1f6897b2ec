import json

import pytest

from benchmarks import ticket_triage
from benchmarks.ticket_triage import MEASURES, answer_majority, fit_classical, plot, score_answers

PARCEL = {"text": "Where is my parcel?", "label": "shipping", "priority": "normal"}
CRASH = {"text": "The app crashes at start", "label": "bug", "priority": "high"}


def test_the_majority_is_of_the_training_rows() -> None:
    answered = answer_majority([PARCEL, PARCEL, CRASH], [CRASH])
    assert [json.loads(row["predicted"]) for row in answered] == [{"label": "shipping", "priority": "normal"}]


def test_the_classical_baseline_tells_plain_tickets_apart() -> None:
    answered, tried = fit_classical(
        {"train": [PARCEL, CRASH] * 5, "validation": [PARCEL, CRASH], "test": [CRASH, PARCEL]}
    )
    assert [json.loads(row["predicted"])["label"] for row in answered] == ["bug", "shipping"]
    assert all(found["validation_accuracy"] == 1 for found in tried)


def test_confidence_is_compared_with_what_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_triage, "N_RESAMPLES", 20)  # of an interval that nobody looks at here
    answered = answer_majority([PARCEL], [PARCEL, CRASH, CRASH, CRASH])
    assert "calibration" not in score_answers(answered)["details"]
    found = score_answers([row | {"confidence": 0.5} for row in answered])["details"]["calibration"]
    assert found["brier"] == pytest.approx(0.25)
    assert (found["confidence"], found["accuracy"]) == ([0.5], [0.25])


def test_the_plot_shows_every_model_on_every_measure() -> None:
    shares = {name: {"value": 0.5, "interval": [0.4, 0.6]} for name in MEASURES}
    axes = plot({"test": {"majority class": shares, "tuned": shares}, "n_rows": {"test": 160}})
    assert axes.get_legend_handles_labels()[1] == ["majority class", "tuned"]
    assert all(len(container.lines[0].get_xdata()) == len(MEASURES) for container in axes.containers)
