"""Decide whether a new model may replace the current one, by accuracy, forgetting, safety and latency."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, inf, log, sqrt
from pathlib import Path
from statistics import NormalDist, fmean, variance
from typing import Literal

from course_utils.errors import ConfigurationError
from course_utils.evaluation.comparison import compare, difference_interval, rows_needed
from course_utils.evaluation.predictions import read_predictions
from course_utils.evaluation.scores import Scores
from course_utils.evaluation.scoring import score_predictions
from course_utils.files import Row, read_json, read_jsonl
from course_utils.proportion import CONFIDENCE, wilson_interval

MAX_FORGOTTEN = 0.2
"""Nats per token by which the loss on the base model's own replies may rise."""
MAX_SLOWER = 0.25
"""Share by which the seconds per question may rise."""
MIN_TIMES = 10
"""With fewer different times in a run, an undecided latency counts as not measured."""
Losses = Mapping[str, float] | None


@dataclass(frozen=True)
class GateCheck:
    """One decision of the gate and its reason; ``pass`` and ``not measured`` let the new model in."""

    name: str
    decision: Literal["pass", "refuse", "not enough rows", "not measured"]
    reason: str

    @property
    def is_open(self) -> bool:
        """Whether this check lets the new model in."""
        return self.decision in ("pass", "not measured")


@dataclass(frozen=True)
class Candidate:
    """A model's scored answers and, if read from a run, its judged probes and losses on the base model's replies."""

    scores: Scores
    probes: tuple[Row, ...] = ()
    probe_loss: Losses = None
    """Nats per token of each reply, by the hash that ``training.reply_losses`` gives it."""


def read_candidate(path: Path, dataset: Path) -> Candidate:
    """Read and score a file of predictions, or a run's folder ``artifacts/<profile>``; DataError as in scoring."""
    file = path / "evaluation" / "predictions" / "tuned.jsonl" if path.is_dir() else path
    scores = score_predictions(read_predictions(file), dataset, name=str(path))
    probes, losses = path / "evaluation" / "probes.jsonl", path / "training" / "probe_losses.json"
    judged = tuple(read_jsonl(probes)) if probes.is_file() else ()
    return Candidate(scores, judged, read_json(losses) if losses.is_file() else None)


def run_gate(new: Candidate, current: Candidate, margin: float = 0.02) -> tuple[GateCheck, ...]:
    """Check the new model against the current one in four ways; accuracy may fall by ``margin``, from 0 to 1.

    Raises:
        ConfigurationError, DataError: As in ``check_accuracy``.
    """
    return (
        check_accuracy(new.scores, current.scores, margin),
        _check_forgetting(new.probe_loss, current.probe_loss),
        _check_safety(new.probes, current.probes),
        _check_latency(new.scores, current.scores),
    )


def check_accuracy(new: Scores, current: Scores, margin: float) -> GateCheck:
    """Pass if the paired 95 % interval lies above ``-margin``, refuse if it lies below, else say how many rows to add.

    This is a test of non-inferiority: a model does not pass merely because too few rows show no difference. A model
    that loses exactly the margin passes in one of 40 comparisons, for rows from the same databases.

    Raises:
        ConfigurationError: ``margin`` is not from 0 to 1.
        DataError: The two models answered different rows.
    """
    if not 0 <= margin <= 1:
        raise ConfigurationError(f"margin {margin:g} is not a share of rows; give a number from 0 to 1")
    found = next(compare(current, new, kinds=()).itertuples())
    low, high = difference_interval(found.n, found.n_gained, found.n_lost)
    shown = f"{found.difference:+.1%} [{low:+.1%}, {high:+.1%}], may lose {margin:.1%}"
    if (check := _decide("accuracy", -high, -low, margin, shown)).decision != "not enough rows":
        return check
    apart, changed = abs(found.difference + margin), (found.n_gained + found.n_lost) / found.n
    n = rows_needed(min(apart, changed), changed) if apart and changed else 0
    # Even if no row was lost, up to z² / (n + z²) may be (Wilson's upper end), and n must bring this below the margin.
    z2 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2
    n = max(n, ceil(z2 * (1 - margin) / margin)) if margin else n
    needed = f"about {n:,} would tell, four times in five" if apart else "no number of rows will tell"
    return replace(check, reason=f"{shown}: {found.n} rows leave it open, {needed}")


def _decide(name: str, low: float, high: float, most: float, shown: str) -> GateCheck:
    """Pass if a loss is at most ``most`` over its whole interval, refuse if it exceeds it over the whole interval."""
    return GateCheck(name, "pass" if high <= most else "refuse" if low > most else "not enough rows", shown)


def _check_forgetting(new: Losses, current: Losses) -> GateCheck:
    from scipy.stats import t

    after, before = new or {}, current or {}
    changes = [after[reply] - loss for reply, loss in before.items() if reply in after]
    if len(changes) < 2:
        return GateCheck("forgetting", "not measured", "compare two runs that measured it on the same replies")
    error = sqrt(variance(changes) / len(changes)) or 1e-9
    low, high = t.interval(CONFIDENCE, len(changes) - 1, mean := fmean(changes), error)
    shown = f"{mean:+.2f} [{low:+.2f}, {high:+.2f}] nats per token of {len(changes)} replies of the base, may rise by "
    return _decide("forgetting", low, high, MAX_FORGOTTEN, f"{shown}{MAX_FORGOTTEN:g}")


def _check_safety(new: tuple[Row, ...], current: tuple[Row, ...]) -> GateCheck:
    if not (new and current):
        return GateCheck("safety", "not measured", "compare the folders of two runs of notebook 4")
    known = {row["id"] for row in current if not row["safe"]}
    # Each run makes probes of questions that its model answers right; a probe of the new run alone counts as new too.
    lost = [str(row["id"]) for row in new if not row["safe"] and row["id"] not in known]
    share = wilson_interval(sum(bool(row["safe"]) for row in new), len(new))
    shown = f"{share} of {len(new)} probes safe; newly unsafe: {', '.join(lost[:3]) or 'none'}"
    return GateCheck("safety", "refuse" if lost else "pass", shown)


def _check_latency(new: Scores, current: Scores) -> GateCheck:
    before, after = ({each.row["id"]: each.row.get("seconds", 0.0) for each in of.outcomes} for of in (current, new))
    pairs = [(seconds, after[row]) for row, seconds in before.items()]
    known = all(isinstance(value, int | float) and 0 < value < inf for pair in pairs for value in pair)
    if not known or (n_times := min(len({*times}) for times in zip(*pairs, strict=True))) < 2:
        return GateCheck("latency", "not measured", "predictions lack seconds, or share one time; predict in batches")
    low, high = (end - 1 for end in time_ratio(pairs))
    shown = f"{low:+.0%} to {high:+.0%} seconds a question by {n_times} batches, may rise by {MAX_SLOWER:.0%}; both "
    check = _decide("latency", low, high, MAX_SLOWER, f"{shown}must come from one machine")
    is_unknown = check.decision == "not enough rows" and n_times < MIN_TIMES
    return replace(check, decision="not measured") if is_unknown else check


def time_ratio(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Ends of the 95 % interval of ``sum(after) / sum(before)`` over rows; each side needs two different times or more.

    The rows of one batch share one time, which is a single measurement. So the errors are sums of ``after - ratio *
    before`` over the batches of the run with fewer of them; a batch of long replies, slow in both runs, adds no error.

    Source: Cochran (1977), Sampling Techniques, ch. 6; for clusters Cameron and Miller (2015), J. Human Resources 50.
    """
    from scipy.stats import t

    before, after = zip(*pairs, strict=True)
    ratio, errors = sum(after) / sum(before), Counter[float]()
    for batch, one, other in zip(min(before, after, key=lambda times: len({*times})), before, after, strict=True):
        errors[batch] += other - ratio * one
    n = len(errors)
    error = sqrt(n / (n - 1) * sum(each**2 for each in errors.values())) / sum(after) or 1e-9
    low, high = t.interval(CONFIDENCE, n - 1, log(ratio), error)
    return exp(low), exp(high)
