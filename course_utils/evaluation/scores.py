"""What became of predictions: validity and accuracy with intervals, whole and by group, as numbers and as tables."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from course_utils.artifacts import Row
from course_utils.evaluation.execution import Verdict
from course_utils.evaluation.slices import slice_rows
from course_utils.proportion import Proportion, wilson_interval
from course_utils.tables import Table

ALL, SEEN, UNSEEN = "all rows", "seen databases", "unseen databases"


@dataclass(frozen=True)
class Outcome:
    """A prediction and the verdict on it."""

    row: Row
    verdict: Verdict

    @property
    def id(self) -> str:
        """The row's id."""
        return str(self.row["id"])


@dataclass(frozen=True)
class Scores:
    """The outcomes of one model on one set of rows; never empty."""

    name: str
    outcomes: tuple[Outcome, ...] = field(repr=False)
    n_instances: int = 1
    """Instances of its database that a right query was tried on, the given one included."""
    left_out: tuple[str, ...] = ()
    """Rows whose gold query does not execute, and why."""

    @property
    def n(self) -> int:
        """Rows scored."""
        return len(self.outcomes)

    @property
    def accuracy(self) -> Proportion:
        """Execution accuracy: the share of rows whose prediction returns the gold's rows; higher is better."""
        return _share(self.outcomes)

    @property
    def validity(self) -> Proportion:
        """The share of predictions that parse and execute, right or not; higher is better."""
        return wilson_interval(sum(outcome.verdict.valid for outcome in self.outcomes), self.n)

    @property
    def stop_rate(self) -> float | None:
        """The share of replies that the model ended itself; None where the rows do not say."""
        stopped = [outcome.row["stopped"] for outcome in self.outcomes if isinstance(outcome.row.get("stopped"), bool)]
        return sum(stopped) / len(stopped) if stopped else None

    @property
    def test_suite_accuracy(self) -> Proportion | None:
        """The share right on every instance of their database; None where there was one.

        Source: Zhong, Yu, Klein (2020), Semantic Evaluation for Text-to-SQL with Distilled Test Suites.
        """
        return _suite_share(self.outcomes) if self.n_instances > 1 else None

    @property
    def time_ratio(self) -> float | None:
        """Median seconds of a right query in other words than its gold's, by those of the gold; lower is better."""
        right = [outcome for outcome in self.outcomes if outcome.verdict.correct]
        ratios = [x.verdict.time_ratio for x in right if x.verdict.time_ratio and x.row["query"] != x.row["predicted"]]
        return median(ratios) if ratios else None

    def refusals(self) -> dict[str, int]:
        """Rows marked ``"answerable": false``, those refused as their golds do, and answerable ones refused so."""
        golds = {_plain(outcome.row["query"]) for outcome in self.outcomes if outcome.row.get("answerable") is False}
        refused = [x.row.get("answerable") for x in self.outcomes if _plain(x.row["predicted"]) in golds]
        n_right, n = refused.count(False), [x.row.get("answerable") for x in self.outcomes].count(False)
        return {"n_unanswerable": n, "n_refused": n_right, "n_wrongly_refused": len(refused) - n_right} if n else {}

    def groups(self, kinds: Sequence[str] = ("seen", "difficulty")) -> dict[str, tuple[int, ...]]:
        """Indices of all outcomes and of those in each slice of some ``kinds``, as ``slices.SLICES`` names them."""
        slices = slice_rows([outcome.row for outcome in self.outcomes])
        named = {"seen": SEEN, "unseen": UNSEEN}
        found = {named.get(name, name): indices for kind in kinds for name, indices in slices[kind].items()}
        return {ALL: tuple(range(self.n)), **found}

    def difficulties(self) -> list[str]:
        """The difficulties that rows name, easiest first where they have Spider's names."""
        return [*slice_rows([outcome.row for outcome in self.outcomes])["difficulty"]]

    def accuracy_by_group(self, kinds: Sequence[str] = ("seen", "difficulty")) -> dict[str, Proportion]:
        """Execution accuracy of each group."""
        return {name: _share([self.outcomes[i] for i in indices]) for name, indices in self.groups(kinds).items()}

    def failures(self) -> dict[str, int]:
        """How many predictions failed in each way, most frequent first."""
        failed = Counter(outcome.verdict.failure for outcome in self.outcomes if not outcome.verdict.correct)
        return dict(failed.most_common())

    def summary(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        empty = [outcome for outcome in self.outcomes if outcome.verdict.gold_is_empty]
        slices = slice_rows([outcome.row for outcome in self.outcomes])
        return {
            "n": self.n,
            **self._as_dict(self.outcomes),
            "validity": self.validity.value,
            "validity_low": self.validity.low,
            "validity_high": self.validity.high,
            **({} if self.stop_rate is None else {"stop_rate": self.stop_rate}),
            **({} if self.time_ratio is None else {"time_ratio": self.time_ratio}),
            "empty_reply_rate": sum(not outcome.row["predicted"].strip() for outcome in self.outcomes) / self.n,
            **self.refusals(),
            "n_empty_gold": len(empty),
            "n_empty_gold_correct": sum(outcome.verdict.correct for outcome in empty),
            "n_truncated": sum(outcome.verdict.truncated for outcome in self.outcomes),
            "n_instances": self.n_instances,
            "n_without_instances": sum(x.verdict.n_instances < self.n_instances for x in self.outcomes),
            "left_out": list(self.left_out),
            **{
                f"by_{kind}": {name: self._as_dict([self.outcomes[i] for i in at]) for name, at in found.items()}
                for kind, found in slices.items()
            },
            "errors": self.failures(),
        }

    def _as_dict(self, outcomes: Sequence[Outcome]) -> dict[str, float]:
        shares = {"execution_accuracy": _share(outcomes)}
        if self.n_instances > 1:
            shares["test_suite_accuracy"] = _suite_share(outcomes)
        ends = {"": "value", "_low": "low", "_high": "high"}
        values = {f"{name}{end}": getattr(share, of) for name, share in shares.items() for end, of in ends.items()}
        return {"n": len(outcomes), **values}

    def _repr_html_(self) -> str:
        return accuracy_table(self)._repr_html_()


def _plain(query: str) -> str:
    return query.strip("; \n").casefold()


def _share(outcomes: Sequence[Outcome]) -> Proportion:
    return wilson_interval(sum(outcome.verdict.correct for outcome in outcomes), len(outcomes))


def _suite_share(outcomes: Sequence[Outcome]) -> Proportion:
    """The share that is right on the given instance and on those made from its neighbourhood."""
    n_right = sum(outcome.verdict.correct and not outcome.verdict.refuted_by for outcome in outcomes)
    return wilson_interval(n_right, len(outcomes))


def accuracy_table(*scores: Scores, kinds: Sequence[str] = ("seen", "difficulty")) -> Table:
    """Validity and accuracy of one or more models, whole and by slices of some ``kinds``, with 95 % intervals."""
    rows = [("validity, all rows", scores[0].n, [model.validity for model in scores])]
    suite = [share for model in scores if (share := model.test_suite_accuracy)]
    if len(suite) == len(scores):
        rows.append((f"accuracy on {scores[0].n_instances} instances, all rows", scores[0].n, suite))
    by_group = [model.accuracy_by_group(kinds) for model in scores]
    for name, share in by_group[0].items():
        rows.append((f"accuracy, {name}", share.n, [groups[name] for groups in by_group]))
    return Table(
        "Share of rows, with the 95 % Wilson interval in brackets",
        ("measure", "rows", *(model.name for model in scores)),
        tuple((name, str(n), *map(str, shares)) for name, n, shares in rows),
        frozenset({"measure"}),
    )
