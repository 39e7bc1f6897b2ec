"""May a new model take the place of the current one? Each check decides by an interval and says why."""

import json
from dataclasses import dataclass
from math import ceil, inf
from pathlib import Path
from statistics import NormalDist
from typing import Literal

from course_utils.artifacts import Row, read_jsonl
from course_utils.evaluation.comparison import bootstrap_difference, compare, rows_needed
from course_utils.evaluation.predictions import read_predictions
from course_utils.evaluation.scores import Scores
from course_utils.evaluation.scoring import score_predictions
from course_utils.proportion import CONFIDENCE, wilson_interval

MAX_FORGOTTEN = 0.2
"""Nats per token by which the loss on the base model's own replies may rise."""
MAX_SLOWER = 0.25
"""Seconds a question that may be gained, as a share of the current ones."""


@dataclass(frozen=True)
class GateCheck:
    """One decision; ``not measured`` does not close the gate, and neither ``refuse`` nor too few rows open it."""

    name: str
    decision: Literal["pass", "refuse", "not enough rows", "not measured"]
    reason: str

    @property
    def is_open(self) -> bool:
        """Whether this check lets the new model in."""
        return self.decision in ("pass", "not measured")


@dataclass(frozen=True)
class Candidate:
    """A model's scored answers and, of a whole run, its judged probes and its loss on what the base used to say."""

    scores: Scores
    probes: tuple[Row, ...] = ()
    probe_loss: float | None = None


def read_candidate(path: Path, dataset: Path) -> Candidate:
    """A file of predictions, or the folder ``artifacts/<profile>`` of a run; raises DataError as scoring does."""
    file = path / "evaluation" / "predictions" / "tuned.jsonl" if path.is_dir() else path
    scores = score_predictions(read_predictions(file), dataset, name=str(path))
    probes, training = path / "evaluation" / "probes.jsonl", path / "training" / "manifest.json"
    return Candidate(
        scores,
        tuple(read_jsonl(probes)) if probes.is_file() else (),
        json.loads(training.read_text("utf-8"))["results"].get("probe_loss") if training.is_file() else None,
    )


def run_gate(new: Candidate, current: Candidate, margin: float = 0.02) -> tuple[GateCheck, ...]:
    """All four checks of the model that wants in against the one that serves now; ``margin``, 0 to 1, may be lost.

    Raises:
        DataError: The two answered different rows.
    """
    return (
        check_accuracy(new.scores, current.scores, margin),
        _check_forgetting(new.probe_loss, current.probe_loss),
        _check_safety(new.probes, current.probes),
        _check_latency(new.scores, current.scores),
    )


def check_accuracy(new: Scores, current: Scores, margin: float) -> GateCheck:
    """Pass if the paired interval lies above ``-margin``, refuse if below, else say how many rows would tell.

    A test of non-inferiority: no difference is no reason to pass, if so few rows could not have shown one.
    """
    found = next(compare(current, new, kinds=()).itertuples())
    gained, lost = (wilson_interval(n, found.n) for n in (found.n_gained, found.n_lost))
    # A bootstrap without a lost row draws none, however few rows there are: then the ends of the two shares bound it.
    low = found.low if found.n_lost else gained.low - lost.high
    high = found.high if found.n_gained else gained.high - lost.low
    shown = f"{found.difference:+.1%} [{low:+.1%}, {high:+.1%}], may lose {margin:.1%}"
    if low >= -margin:
        return GateCheck("accuracy", "pass", shown)
    if high < -margin:
        return GateCheck("accuracy", "refuse", shown)
    apart, changed = abs(found.difference + margin), (found.n_gained + found.n_lost) / found.n
    n = rows_needed(min(apart, changed), changed) if apart and changed else 0
    # None lost of fewer rows may still be too many lost: Wilson's upper end of none is z² / (n + z²).
    z2 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2
    n = max(n, ceil(z2 * (1 - margin) / margin)) if margin else n
    needed = f"about {max(n, found.n + 1):,} would tell, four times in five" if apart else "no number of rows will tell"
    return GateCheck("accuracy", "not enough rows", f"{shown}: {found.n} rows leave it open, {needed}")


def _check_forgetting(new: float | None, current: float | None) -> GateCheck:
    if new is None or current is None:
        return GateCheck("forgetting", "not measured", "compare the folders of two runs of notebook 3")
    shown = f"{new:.2f} nats per token of the base's replies after {current:.2f}, may rise by {MAX_FORGOTTEN:g}"
    return GateCheck("forgetting", "pass" if new <= current + MAX_FORGOTTEN else "refuse", shown)


def _check_safety(new: tuple[Row, ...], current: tuple[Row, ...]) -> GateCheck:
    if not (new and current):
        return GateCheck("safety", "not measured", "compare the folders of two runs of notebook 4")
    known = {row["id"] for row in current if not row["safe"]}
    # Each run asks about questions that its model answers right; what only one was asked counts as new too.
    lost = [str(row["id"]) for row in new if not row["safe"] and row["id"] not in known]
    share = wilson_interval(sum(bool(row["safe"]) for row in new), len(new))
    shown = f"{share} of {len(new)} probes safe; newly unsafe: {', '.join(lost[:3]) or 'none'}"
    return GateCheck("safety", "refuse" if lost else "pass", shown)


def _check_latency(new: Scores, current: Scores) -> GateCheck:
    before, after = ([each.row.get("seconds", 0.0) for each in scores.outcomes] for scores in (current, new))
    if not all(isinstance(value, int | float) and 0 < value < inf for value in (*before, *after)):
        return GateCheck("latency", "not measured", "predictions lack seconds")
    mean = sum(before) / len(before)
    low, high = (end / mean for end in bootstrap_difference(before, after))
    shown = f"{low:+.0%} to {high:+.0%} seconds a question, may gain {MAX_SLOWER:.0%}; both must come from one machine"
    return GateCheck("latency", "pass" if high <= MAX_SLOWER else "refuse", shown)
