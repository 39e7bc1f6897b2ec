"""Verdicts on curves whose kind is known: drawn ones, and real ones whose labels were written before."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from course_utils.errors import DataError
from course_utils.files import PROJECT
from course_utils.training import TrainingResult, diagnose, plot_losses

from .synthetic_curves import KINDS, Record, draw_curve

N_EACH = 40
CURVES = json.loads((PROJECT / "tests/fixtures/loss_curves/curves.json").read_text("utf-8"))


def test_drawn_curves_are_named_right() -> None:
    found = {(kind, seed): diagnose(draw_curve(kind, seed)).verdict for kind in KINDS for seed in range(N_EACH)}
    wrong = Counter((kind, verdict) for (kind, _), verdict in found.items() if verdict != kind)
    assert len(found) >= 200
    assert wrong.total() <= 0.05 * len(found), wrong
    assert max(Counter(kind for kind, _ in wrong.elements()).values(), default=0) <= 0.1 * N_EACH, wrong


@pytest.mark.parametrize("name", CURVES)
def test_real_curves_are_named_as_a_person_does(name: str) -> None:
    found = diagnose(CURVES[name]["history"])
    assert found.verdict == CURVES[name]["label"], found


def test_there_are_twenty_real_curves_of_all_kinds() -> None:
    counts = Counter(curve["label"] for curve in CURVES.values())
    assert counts.keys() == KINDS.keys()
    assert counts.total() >= 20


def scaled(history: list[Record], factor: float) -> list[Record]:
    return [{key: x * factor if "loss" in key else x for key, x in record.items()} for record in history]


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("factor", [0.01, 30.0])
def test_the_scale_of_the_loss_does_not_count(name: str, factor: float) -> None:
    history = CURVES[name]["history"]
    there, here = diagnose(scaled(history, factor)), diagnose(history)
    assert (there.verdict, there.step) == (here.verdict, here.step)


@pytest.mark.parametrize("name", CURVES)
def test_fewer_records_give_the_same_verdict(name: str) -> None:
    history, label = CURVES[name]["history"], CURVES[name]["label"]
    validation = [record for record in history if "eval_loss" in record]
    training = [record for record in history if "loss" in record]
    assert diagnose(training[::3] + validation).verdict == label
    assert diagnose(training + validation[1:]).verdict == label, "without step 0"
    assert diagnose([*training, validation[-1]]).verdict == label, "with one validation loss"


@pytest.mark.parametrize("key", ["loss", "eval_loss"])
def test_a_loss_that_is_no_number_is_unstable_at_its_step(key: str) -> None:
    history = [dict(record) for record in CURVES["ten-epochs"]["history"]]
    broken = [record for record in history if key in record][5]
    broken[key] = math.nan
    assert (diagnose(history).verdict, diagnose(history).step) == ("unstable", broken["step"])


def test_the_step_is_where_it_went_wrong() -> None:
    rising = [{"step": s, "loss": 2 / (1 + s)} for s in range(1, 101)]
    rising += [{"step": s, "eval_loss": v} for s, v in [(0, 2.0), (20, 0.5), (40, 0.4), (60, 0.6), (80, 0.8)]]
    assert (diagnose(rising).verdict, diagnose(rising).step) == ("overfit", 40)
    climbing = [{"step": s, "loss": 2 / s if s < 30 else 1.5} for s in range(1, 101)]
    climbing += [{"step": s, "eval_loss": v} for s, v in [(0, 2.0), (50, 1.5), (100, 1.5)]]
    assert diagnose(climbing).verdict == "unstable"
    assert 28 <= diagnose(climbing).step <= 31


def test_nobody_is_told_to_stop_where_validation_is_lowest_at_the_end() -> None:
    training = [{"step": s, "loss": 2 * 0.99**s + 0.01} for s in range(1, 718, 4)]
    more, stop = "train on more rows", "stop at this step, or train on more rows"
    for last, step, fix in ((0.5, 717, more), (0.57, 240, more), (0.58, 240, stop)):
        losses = [(0, 2.0), (120, 1.0), (240, 0.6), (360, 0.59), (480, 0.58), (600, 0.575), (717, last)]
        found = diagnose([*training, *({"step": s, "eval_loss": loss} for s, loss in losses)])
        assert (found.verdict, found.step, found.fix) == ("overfit", step, fix)


def test_a_climb_that_is_most_of_a_short_run_is_no_noise() -> None:
    losses = enumerate((2.15, 2.05, 6.6, 3.5, 2.75, 2.65, 2.0), 1)
    history = [{"step": 0, "eval_loss": 2.01}, *({"step": step, "loss": loss} for step, loss in losses)]
    found = diagnose([*history, {"step": 7, "eval_loss": 1.49}])
    assert (found.verdict, found.step) == ("unstable", 3)


@pytest.mark.parametrize("losses", [(3.2, 9.0), (3.2, 2.9, 2.8, 7.0)])
def test_a_climb_of_few_steps_that_validation_shares_counts(losses: tuple[float, ...]) -> None:
    """Where a short run that has diverged counts as underfit, it is told to learn ten times as fast."""
    history = [{"step": 0, "eval_loss": 3.0}, *({"step": step, "loss": loss} for step, loss in enumerate(losses, 1))]
    assert diagnose([*history, {"step": len(losses), "eval_loss": 12.0}]).verdict == "unstable"


def test_two_steps_that_learn_are_too_short() -> None:
    """Where training has no more losses than validation, they are those of two unlike batches."""
    losses = [{"step": step, "loss": loss} for step, loss in ((1, 1.09), (2, 1.18))]
    measured = [{"step": step, "eval_loss": loss} for step, loss in enumerate((1.27, 1.16, 1.07))]
    assert diagnose([*losses, *measured]).verdict == "too short"


def test_a_training_loss_that_jitters_makes_no_short_run_healthy() -> None:
    """Sixteen steps, whose batches happen to be easy in the middle."""
    losses = enumerate((1.29, 1.24, 1.21, 0.9, 0.59, 0.46, 0.16, 0.18, 0.18, 0.31, 0.25, 0.25, 0.06, 0.1, 0.2, 0.17), 1)
    history = [{"step": step, "loss": loss} for step, loss in losses]
    found = diagnose([*history, {"step": 0, "eval_loss": 1.29}, {"step": 16, "eval_loss": 0.297}])
    assert (found.verdict, found.evidence.split(" in ")[1]) == (
        "too short",
        "16 steps, too few to say whether it falls on",
    )


@pytest.mark.parametrize(("n_steps", "verdict"), [(29, "too short"), (30, "underfit")])
def test_a_slow_fall_of_few_steps_is_too_short(n_steps: int, verdict: str) -> None:
    history = [{"step": step, "loss": 2 - 0.01 * step} for step in range(1, n_steps + 1)]
    history += [{"step": 0, "eval_loss": 2.0}, {"step": n_steps, "eval_loss": 1.7}]
    assert diagnose(history).verdict == verdict


def test_jitter_is_not_told_as_a_pace() -> None:
    """Where the loss has hardly fallen, its mean pace is almost 0, and that of the last third is many times as much."""
    losses = enumerate((2.0, 2.1, 2.2, 2.4, 2.5, 2.4, 1.98, 1.97), 1)
    history = [{"step": 0, "eval_loss": 2.0}, *({"step": step, "loss": loss} for step, loss in losses)]
    found = diagnose([*history, {"step": 8, "eval_loss": 1.97}])
    assert found.verdict == "too short"
    assert found.evidence.endswith("it falls no slower than before")


def test_validation_that_rises_while_training_stays_above_it_is_not_overfit() -> None:
    history = [{"step": step, "loss": 2.0 + 0.01 * (step % 2)} for step in range(1, 61)]
    history += [{"step": step, "eval_loss": loss} for step, loss in ((0, 2.0), (20, 1.8), (40, 1.9), (60, 2.0))]
    assert diagnose(history).verdict == "underfit"


def test_a_training_loss_of_zero_is_learned_by_heart() -> None:
    """As transformers logs it, with four digits."""
    history = [{"step": step, "loss": round(2 * 0.8**step, 4)} for step in range(1, 101)]
    history += [{"step": step, "eval_loss": loss} for step, loss in ((0, 2.0), (25, 0.5), (50, 0.5), (100, 0.5))]
    assert diagnose(history).verdict == "overfit"


def test_rows_harder_than_those_of_validation_are_no_climb() -> None:
    """One row, read thirty times: its own loss starts above that of the validation rows."""
    losses = enumerate((1.94, 1.94, 1.54, 1.04, 0.5, 0.2, 0.05, *[0.001] * 23), 1)
    measured = [{"step": step, "eval_loss": loss} for step, loss in ((0, 1.27), (10, 0.79), (20, 0.88), (30, 0.88))]
    assert diagnose([*({"step": step, "loss": loss} for step, loss in losses), *measured]).verdict == "overfit"


def test_one_hard_batch_is_no_spike() -> None:
    history = [dict(record) for record in CURVES["profile"]["history"]]
    hard = [record for record in history if "loss" in record][20]
    hard["loss"] *= 2
    assert diagnose(history).verdict == "healthy"


@pytest.mark.parametrize("missing", ["loss", "eval_loss"])
def test_a_history_without_one_of_the_losses_is_refused(missing: str) -> None:
    with pytest.raises(DataError, match="n_evaluations of 1 or more"):
        diagnose([record for record in CURVES["profile"]["history"] if missing not in record])


@pytest.mark.parametrize("name", ["ten-epochs", "profile", "8-steps", "rate-1-200", "rate-x10"])
def test_every_verdict_is_drawn_on_the_curve(name: str) -> None:
    history = CURVES[name]["history"]
    result = TrainingResult(Path("adapter"), history, int(history[-1]["step"]), 1000, 1000, 1.0, 7)
    axes, found = plot_losses(result), result.diagnosis
    assert axes.figure.get_suptitle().startswith(f"{found.verdict.capitalize()}: ")
    (mark,) = axes.texts
    assert mark.get_text() == f"{found.verdict}, step {found.step}"
    assert list(axes.lines[-1].get_xdata()) == [found.step] * 2


def test_steps_are_whole_and_no_legend_covers_a_curve() -> None:
    history: list[Record] = [{"step": s, "loss": 2.0} for s in range(1, 20)]
    history += [{"step": 0, "eval_loss": 2.0}, {"step": 19, "eval_loss": 1.9}]
    result = TrainingResult(Path("adapter"), history, 19, 1, 1, 1.0, 1)
    axes = plot_losses(result, result, labels=("slow", "fast"))
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    assert all(float(step).is_integer() for step in axes.get_xticks())
    first, second = (text.get_window_extent() for text in axes.texts)
    assert not first.overlaps(second), "two marks of one step lie above each other"
    (legend,) = axes.figure.legends
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
