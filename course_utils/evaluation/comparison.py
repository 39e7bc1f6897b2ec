"""Is one model better than another on the same rows? Side by side as a table and a figure, and by paired tests."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import ceil, prod, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from course_utils.errors import DataError
from course_utils.evaluation.scores import Outcome, Scores
from course_utils.figures import HATCHES, course_style, new_axes
from course_utils.files import asked_in
from course_utils.proportion import CONFIDENCE, wilson_interval
from course_utils.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

N_RESAMPLES = 9_999


def accuracy_table(*scores: Scores, kinds: Sequence[str] = ("seen", "difficulty")) -> Table:
    """Validity and accuracy of models ``on_same_rows``, whole and by slices of some ``kinds``, with 95 % intervals."""
    scores = on_same_rows(*scores)
    measured = [("validity, all rows", [model.validity for model in scores])]
    if (n := min(model.n_instances for model in scores)) > 1:
        measured.append((f"accuracy on {n} instances, all rows", [model.test_suite_accuracy for model in scores]))
    by_group = [model.accuracy_by_group(kinds) for model in scores]
    measured += [(f"accuracy, {name}", [groups[name] for groups in by_group]) for name in by_group[0]]
    caption = "Share of rows, with the 95 % Wilson interval in brackets"
    columns = ("measure", "rows", *(model.name for model in scores))
    rows = tuple((name, str(shares[0].n), *map(str, shares)) for name, shares in measured)
    return Table(caption, columns, rows, frozenset({"measure"}))


@course_style
def plot_accuracy(*scores: Scores) -> "Axes":
    """Execution accuracy of models ``on_same_rows``: all of these, seen and unseen databases, with 95 % intervals."""
    from matplotlib.container import BarContainer
    from pandas import DataFrame

    scores = on_same_rows(*scores)
    shares = DataFrame([model.accuracy_by_group(["seen"]) for model in scores], [model.name for model in scores]).T
    values = shares.map(lambda share: share.value)
    values.index = [f"{name}\n({share.n} rows)" for name, share in shares.iloc[:, 0].items()]
    ends = [[[x.value - x.low for x in column], [x.high - x.value for x in column]] for _, column in shares.items()]
    found = [f"{100 * model.accuracy.value:.0f} % for {model.name}" for model in scores]
    title = f"Right answers to {scores[0].n} questions: {'; '.join(found)}"
    axes = new_axes(title, height=max(3.6, 0.34 * values.size))
    values.plot.barh(xerr=ends, capsize=3, edgecolor="white", width=0.75, ax=axes)
    drawn = (each for each in axes.containers if isinstance(each, BarContainer))
    for bars, hatch in zip(drawn, HATCHES, strict=False):
        for bar in bars:
            bar.set_hatch(hatch)
        # A bar of 0 % has no width: its end and its number show that it is there.
        tops, bottoms = ([bar.get_y() + side * bar.get_height() for bar in bars] for side in (0, 1))
        axes.vlines([bar.get_width() for bar in bars], tops, bottoms, color=bars[0].get_facecolor(), linewidth=3)
        axes.bar_label(bars, fmt=lambda share: f"{100 * share:.0f}", padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    label = "execution accuracy (% of rows), with 95 % interval"
    axes.set(xlim=(-0.01, 1.06), xticks=[tick / 5 for tick in range(6)], xlabel=label)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


def compare(first: Scores, second: Scores, kinds: Iterable[str] = ("seen", "difficulty")) -> "DataFrame":
    """Compare two models on the same rows: a line for all of them, then one for each group of some ``kinds``.

    ``difference`` is the accuracy of the second model minus that of the first, -1 to 1; ``low`` and ``high`` end its
    95 % interval, by bootstrap, or where fewer than ten verdicts differ by ``difference_interval``. Only the second
    model gets ``n_gained`` rows right, only the first ``n_lost``. ``p_value`` is McNemar's exact one, ``p_mid`` his
    test's mid-p. ``p_holm`` is the mid-p, raised for the number of lines, so that the chance of one false alarm among
    them stays as for one test (Holm 1979, Scandinavian Journal of Statistics 6). All of it is about more questions to
    the same databases; from one database to the next, models may differ more.

    Raises:
        DataError: The two were not scored on the same rows.
    """
    from pandas import DataFrame
    from statsmodels.stats.multitest import multipletests

    first, second = on_same_rows(first, second)
    before, after = ([outcome.verdict.correct for outcome in scores.outcomes] for scores in (first, second))
    columns = ("n", "difference", "low", "high", "n_gained", "n_lost", "p_value", "p_mid")
    lines = {}
    for name, indices in first.groups(kinds).items():
        changes = [after[index] - before[index] for index in indices]
        n, n_gained, n_lost = len(indices), changes.count(1), changes.count(-1)
        is_little = n_gained + n_lost < 10  # to draw from
        ends = difference_interval(n, n_gained, n_lost) if is_little else bootstrap_difference([0] * n, changes)
        lines[name] = (n, (n_gained - n_lost) / n, *ends, n_gained, n_lost, *mcnemar_p_values(n_gained, n_lost))
    table = DataFrame.from_dict(lines, "index", columns=columns).rename_axis(f"{second.name} minus {first.name}")
    return table.assign(p_holm=multipletests(table["p_mid"], method="holm")[1])


def on_same_rows(*scores: Scores) -> tuple[Scores, ...]:
    """The models' verdicts, all on the first one's rows, in its order; raises DataError if they answered others."""
    rows, aligned = [outcome.row for outcome in scores[0].outcomes], []
    for model in scores:
        verdicts = defaultdict[Any, list[Any]](list)
        for row, verdict in reversed(model.outcomes):
            verdicts[asked_in(row)].append(verdict)
        if Counter(map(asked_in, rows)) != {asked: len(found) for asked, found in verdicts.items()}:
            names = f"{scores[0].name} with {len(rows)} rows and {model.name} with {model.n}"
            raise DataError(f"{names} did not answer the same rows; predict the same rows")
        aligned.append(replace(model, outcomes=tuple(Outcome(row, verdicts[asked_in(row)].pop()) for row in rows)))
    return tuple(aligned)


def mcnemar_p_values(n_gained: int, n_lost: int) -> tuple[float, float]:
    """Two-sided p-values of McNemar's test, 0 to 1: the exact one, and the mid-p, to decide by.

    Rows on which both models are right, or both wrong, say nothing about which is better. If neither were better, each
    of the others would be a fair coin's toss: the exact p-value is binomial. Counts come in steps, so it falls below
    5 % less often than in 5 % of such comparisons. The mid-p counts what has been observed by half, and comes closer.

    Source: McNemar (1947), Psychometrika 12; Fagerland, Lydersen, Laake (2013), BMC Medical Research Methodology 13.
    """
    from scipy.stats import binom

    fewer = min(n_gained, n_lost)
    below, up_to = (float(binom.cdf(n, n_gained + n_lost, 0.5)) for n in (fewer - 1, fewer))
    return min(1.0, 2 * up_to), below + up_to  # the second is twice the one-sided mid-p, so that equal counts give 1


def rows_needed(difference: float, changed: float) -> int:
    """Rows on which McNemar's test at 5 % finds a difference four times in five, by mid-p; the exact p needs more.

    Args:
        difference: Between the two accuracies, above 0 and up to ``changed``.
        changed: Share of the rows on which the verdicts differ, from 0 to 1.

    Raises:
        ValueError: The accuracies cannot lie so far apart, for too few rows change.

    Source: Connor (1987), Biometrics 43, 207-211. Of ten changed rows or fewer: 7 times in ten or more.
    """
    if not 0 < difference <= changed <= 1:
        raise ValueError(f"difference must lie above 0 and up to changed={changed:g}, the share of rows that change it")
    z_error, z_power = (NormalDist().inv_cdf(chance) for chance in ((1 + CONFIDENCE) / 2, 0.8))
    n = ((z_error * sqrt(changed) + z_power * sqrt(changed - difference**2)) / difference) ** 2
    return max(5, ceil(n))  # of fewer, no mid-p is below 5 %, though all of them change


def difference_interval(n: int, n_gained: int, n_lost: int) -> tuple[float, float]:
    """Ends of the 95 % interval of ``(n_gained - n_lost) / n``, put together from Wilson's of the two shares.

    It keeps a width where few rows changed, or none. A row that is gained is not lost, which correlates the shares
    g and l by ``-sqrt(g·l / ((1-g)(1-l)))``. Without that, an end would err in 4 % instead of 2.5 % of the cases where
    two rows in five change.

    Source: Zou (2007), Psychological Methods 12, 399-413.
    """
    gained, lost = wilson_interval(n_gained, n), wilson_interval(n_lost, n)
    tie = sqrt(prod(share.n_true / max(1, n - share.n_true) for share in (gained, lost)))  # minus their correlation
    parts = (gained.value - gained.low, lost.high - lost.value), (gained.high - gained.value, lost.value - lost.low)
    below, above = (sqrt(one**2 + other**2 + 2 * tie * one * other) for one, other in parts)
    return (n_gained - n_lost) / n - below, (n_gained - n_lost) / n + above


def bootstrap_difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Ends of the 95 % paired bootstrap interval of ``mean(second) - mean(first)``, by percentiles.

    Rows are drawn with replacement, two at least, and both models' verdicts on a row stay together. A verdict is true
    or false, or the share of several runs that are right on the row, where the models were trained with several seeds.

    Source: Efron (1979), Annals of Statistics 7, 1-26.
    """
    import numpy as np
    from scipy.stats import bootstrap

    differences = np.subtract(second, first, dtype=float)  # (n_rows,)
    options = {"n_resamples": N_RESAMPLES, "confidence_level": CONFIDENCE, "method": "percentile", "rng": 0}
    batch = max(1, 10**7 // len(differences))  # resamples drawn at once, in 160 MB
    low, high = bootstrap((differences,), np.mean, **options, batch=batch).confidence_interval
    return float(low), float(high)


def sequential_evidence(first: Any, second: Any) -> Any:
    """Evidence after each row against "neither model is better": 1 is none, 20 is enough for an error of 5 %.

    A p-value is good for one look; this test martingale may be looked at after every row. Only rows on which the
    verdicts differ count. The evidence is how many times likelier their outcomes are if the second model wins a share
    of them that could be anything from 0 to 1, than if each is a fair coin's toss. If it is one, the evidence ever
    reaches ``1 / alpha`` with a probability of ``alpha`` at most.

    Args:
        first: Verdicts of shape (..., n_rows), bool, in the order in which the rows were answered.
        second: Those of the other model on the same rows.

    Returns:
        An array of the same shape, above 0 and, as the largest numbers are cut off, at most 1e300.

    Source: Robbins (1970), Annals of Mathematical Statistics 41; Lindon and Malek (2022), Anytime-Valid Inference for
    Multinomial Count Data, for two outcomes.
    """
    import numpy as np
    from scipy.special import betaln

    before, after = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    gained, lost = np.cumsum(after & ~before, axis=-1), np.cumsum(before & ~after, axis=-1)
    return np.exp(np.minimum(690, betaln(1 + gained, 1 + lost) + (gained + lost) * np.log(2)))  # betaln(1, 1) is 0
