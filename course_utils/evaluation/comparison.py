"""Compare models on the same rows: as a table, as a figure, and by paired intervals and tests."""

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
    """Validity and accuracy of models by slices of these ``kinds``, with 95 % intervals; DataError as ``compare``."""
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
    """Plot execution accuracy on all rows, seen and unseen databases, with 95 % intervals; DataError as ``compare``."""
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
        # A bar of 0 % has no width, so a line at its end and its number show it.
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
    """Compare two models on the same rows: one line for all rows, then one for each slice of these ``kinds``.

    ``difference`` is the accuracy of the second model minus that of the first, -1 to 1; ``low`` and ``high`` are the
    ends of its 95 % interval, by bootstrap, or by ``difference_interval`` if all rows but nine or fewer change alike.
    ``n_gained`` rows are right only with the second model, ``n_lost`` only with the first. ``p_value`` is the exact
    p-value of McNemar's test, ``p_mid`` its mid-p; ``p_holm`` is the mid-p corrected for the number of lines, so that
    the chance of any false alarm stays that of one test (Holm 1979, Scandinavian Journal of Statistics 6). All of it
    holds for further questions to the same databases; on other databases the models may differ more.

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
        is_little = n - max(n_gained, n_lost, n - n_gained - n_lost) < 10  # too few for a bootstrap
        ends = difference_interval(n, n_gained, n_lost) if is_little else bootstrap_difference([0] * n, changes)
        lines[name] = (n, (n_gained - n_lost) / n, *ends, n_gained, n_lost, *mcnemar_p_values(n_gained, n_lost))
    table = DataFrame.from_dict(lines, "index", columns=columns).rename_axis(f"{second.name} minus {first.name}")
    return table.assign(p_holm=multipletests(table["p_mid"], method="holm")[1])


def on_same_rows(*scores: Scores) -> tuple[Scores, ...]:
    """The models' scores in the order of the first one's rows; raises DataError if they answered different rows."""
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
    """Two-sided p-values of McNemar's test, 0 to 1: the exact one, and the mid-p, which the course decides by.

    Rows on which both models are right, or both wrong, do not show which is better. If neither is, each other row is
    the toss of a fair coin, so the exact p-value is binomial. Because counts are discrete, it falls below 5 % in fewer
    than 5 % of such comparisons. The mid-p counts the observed outcome by half, and comes closer to 5 %.

    Source: McNemar (1947), Psychometrika 12; Fagerland, Lydersen, Laake (2013), BMC Medical Research Methodology 13.
    """
    from scipy.stats import binom

    fewer = min(n_gained, n_lost)
    below, up_to = (float(binom.cdf(n, n_gained + n_lost, 0.5)) for n in (fewer - 1, fewer))
    return min(1.0, 2 * up_to), below + up_to  # below + up_to is twice the one-sided mid-p; equal counts give 1


def rows_needed(difference: float, changed: float) -> int:
    """Rows with which McNemar's mid-p test at 5 % has a power of 80 %; the exact p-value needs more rows.

    Args:
        difference: Between the two accuracies, above 0 and up to ``changed``.
        changed: Share of the rows on which the verdicts differ, from 0 to 1.

    Raises:
        ValueError: The difference exceeds ``changed``, or a number is out of its range.

    Source: Connor (1987), Biometrics 43, 207-211. With ten changed rows or fewer the power is 70 % or more.
    """
    if not 0 < difference <= changed <= 1:
        raise ValueError(f"difference must lie above 0 and up to changed={changed:g}, the share of rows that change it")
    z_error, z_power = (NormalDist().inv_cdf(chance) for chance in ((1 + CONFIDENCE) / 2, 0.8))
    n = ((z_error * sqrt(changed) + z_power * sqrt(changed - difference**2)) / difference) ** 2
    return max(5, ceil(n))  # with fewer, no mid-p is below 5 %, even if all rows change


def difference_interval(n: int, n_gained: int, n_lost: int) -> tuple[float, float]:
    """Ends of the 95 % interval of ``(n_gained - n_lost) / n``, combined from the Wilson intervals of both shares.

    It has a width even if few rows changed, or none. A gained row cannot be lost, so the shares g and l have the
    correlation ``-sqrt(g·l / ((1-g)(1-l)))``. If that were ignored, an end would err in 4 % instead of 2.5 % of the
    cases in which two rows in five change.

    Source: Zou (2007), Psychological Methods 12, 399-413.
    """
    gained, lost = wilson_interval(n_gained, n), wilson_interval(n_lost, n)
    tie = sqrt(prod(share.n_true / max(1, n - share.n_true) for share in (gained, lost)))  # minus their correlation
    parts = (gained.value - gained.low, lost.high - lost.value), (gained.high - gained.value, lost.value - lost.low)
    below, above = (sqrt(one**2 + other**2 + 2 * tie * one * other) for one, other in parts)
    return (n_gained - n_lost) / n - below, (n_gained - n_lost) / n + above


def bootstrap_difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Ends of the 95 % paired bootstrap interval of ``mean(second) - mean(first)``, by percentiles.

    Rows, of which there must be at least two, are drawn with replacement; both models' verdicts on a row stay together.
    A verdict is true or false or, for models trained with several seeds, the share of runs that are right on the row.

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

    A p-value holds for one look only; this test martingale may be read after every row. Only rows on which the verdicts
    differ count. The evidence is the likelihood of their outcomes if the second model wins an unknown share of them
    (uniform from 0 to 1), divided by the likelihood if each is the toss of a fair coin. If neither model is better, the
    evidence ever reaches ``1 / alpha`` with a probability of at most ``alpha``.

    Args:
        first: Verdicts of shape (..., n_rows), bool, in the order in which the rows were answered.
        second: Verdicts of the other model on the same rows.

    Returns:
        An array of the same shape, float, above 0; values are capped at about 1e300.

    Source: Robbins (1970), Annals of Mathematical Statistics 41; Lindon and Malek (2022), Anytime-Valid Inference for
    Multinomial Count Data, for two outcomes.
    """
    import numpy as np
    from scipy.special import betaln

    before, after = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    gained, lost = np.cumsum(after & ~before, axis=-1), np.cumsum(before & ~after, axis=-1)
    return np.exp(np.minimum(690, betaln(1 + gained, 1 + lost) + (gained + lost) * np.log(2)))  # betaln(1, 1) is 0
