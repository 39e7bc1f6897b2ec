"""Is one model better than another on the same rows? Paired differences, and the numbers that the report shows."""

from dataclasses import asdict, dataclass, field
from typing import Any

from course_utils.errors import DataError
from course_utils.evaluation.intervals import adjust_holm, bootstrap_difference, mcnemar_p_value
from course_utils.evaluation.scores import UNSEEN, Scores
from course_utils.tables import Table


@dataclass(frozen=True)
class PairedDifference:
    """Two models on the same rows; accuracies and their difference lie in 0 to 1."""

    group: str
    n: int
    first: float
    second: float
    low: float
    """Lower end of the bootstrap interval of ``second - first``."""
    high: float
    n_gained: int
    """Rows that only the second model gets right."""
    n_lost: int
    """Rows that only the first model gets right."""
    p_value: float
    """Of McNemar's exact test: how often chance alone would part the changed rows at least so unevenly."""

    @property
    def difference(self) -> float:
        """Accuracy of the second model minus that of the first."""
        return (self.n_gained - self.n_lost) / self.n


@dataclass(frozen=True)
class Comparison:
    """The paired differences of every group of rows."""

    first_name: str
    second_name: str
    groups: tuple[PairedDifference, ...] = field(repr=False)

    @property
    def whole(self) -> PairedDifference:
        """The difference over all rows."""
        return self.groups[0]

    def summary(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {group.group: {**asdict(group), "difference": group.difference} for group in self.groups}

    def table(self) -> Table:
        """The paired differences of every group, with bootstrap intervals and McNemar's p-value, alone and adjusted."""
        adjusted = adjust_holm([group.p_value for group in self.groups])
        rows = tuple(
            (
                group.group,
                str(group.n),
                f"{group.difference:+.1%} [{group.low:+.1%}, {group.high:+.1%}]",
                str(group.n_gained),
                str(group.n_lost),
                f"{group.p_value:.2g}",
                f"{p_value:.2g}",
            )
            for group, p_value in zip(self.groups, adjusted, strict=True)
        )
        return Table(
            f"{self.second_name} minus {self.first_name} on the same rows, "
            "with the 95 % paired bootstrap interval in brackets",
            ("group", "rows", "difference", "gained", "lost", "McNemar p", "p, Holm"),
            rows,
            frozenset({"group"}),
        )

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def compare(first: Scores, second: Scores, *, seed: int = 0) -> Comparison:
    """Compare two models row by row, over all rows and over each group.

    Raises:
        DataError: The two were not scored on the same rows in the same order.
    """
    differing = [(a.id, b.id) for a, b in zip(first.outcomes, second.outcomes, strict=False) if a.id != b.id]
    if first.n != second.n or differing:
        where = f"for example {differing[0]}" if differing else f"{first.n} and {second.n} rows"
        raise DataError(f"{first.name} and {second.name} answered different rows ({where}); predict the same rows")
    before = [outcome.verdict.correct for outcome in first.outcomes]
    after = [outcome.verdict.correct for outcome in second.outcomes]
    groups = first.groups().items()
    differences = [_difference(name, [before[i] for i in at], [after[i] for i in at], seed) for name, at in groups]
    return Comparison(first.name, second.name, tuple(differences))


def _difference(group: str, first: list[bool], second: list[bool], seed: int) -> PairedDifference:
    n = len(first)
    low, high = bootstrap_difference(first, second, seed=seed)
    gained = sum(after and not before for before, after in zip(first, second, strict=True))
    lost = sum(before and not after for before, after in zip(first, second, strict=True))
    return PairedDifference(
        group, n, sum(first) / n, sum(second) / n, low, high, gained, lost, mcnemar_p_value(gained, lost)
    )


def headline_results(base: Scores, best_prompt: Scores, tuned: Scores, comparison: Comparison) -> dict[str, float]:
    """Accuracy with its interval and validity of the base, asked in two ways, and the tuned model; the paired test's p.

    The ``..._unseen`` numbers are left out where every test row is about a database from training.
    """
    results: dict[str, float] = {"n_test": tuned.n, "n_test_unseen": len(tuned.groups().get(UNSEEN, ()))}
    for name, scores in (("base", base), ("best_prompt", best_prompt), ("tuned", tuned)):
        groups = {"": scores.accuracy, "_unseen": scores.accuracy_by_group().get(UNSEEN)}
        for suffix, share in groups.items():
            if share:
                results[f"{name}_execution_accuracy{suffix}"] = share.value
                results[f"{name}_execution_accuracy{suffix}_low"] = share.low
                results[f"{name}_execution_accuracy{suffix}_high"] = share.high
        results[f"{name}_validity"] = scores.validity.value
    return results | {"mcnemar_p": comparison.whole.p_value}
