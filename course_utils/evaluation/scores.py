"""The scores of predictions: validity and accuracy with intervals, over all rows and in slices."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from course_utils.files import DIFFICULTIES, Row
from course_utils.proportion import Proportion, wilson_interval
from course_utils.sql.compare import AnswerComparison
from course_utils.sql.query_forms import SHAPES, canonical, shape_of

ALL, SEEN, UNSEEN = "all rows", "seen databases", "unseen databases"
LENGTHS = ("", "to 8 words", "9 to 14 words", "15 words and more")

SLICES: dict[str, Callable[[Row], str]] = {
    "seen": lambda row: {"True": SEEN, "False": UNSEEN}.get(str(row.get("seen")), ""),
    "difficulty": lambda row: str(row.get("difficulty") or ""),
    "shape": lambda row: shape_of(str(row.get("query", ""))),
    "question_length": lambda row: LENGTHS[bisect_left((0, 8, 14), len(str(row.get("question") or "").split()))],
    "source": lambda row: str(row.get("source") or "").partition(":")[0],
}
"""For each kind of slice, the function from a row to its slice's name; empty if the row has none."""
_ORDER = (SEEN, UNSEEN, *DIFFICULTIES, "simple", "moderate", "challenging", *reversed(SHAPES), *LENGTHS)  # and BIRD's
_RANKS = {name: rank for rank, name in enumerate(_ORDER)}


class Outcome(NamedTuple):
    """A prediction and the verdict on it: how its answer differs from that of its gold query."""

    row: Row
    verdict: AnswerComparison


@dataclass(frozen=True)
class Scores:
    """The outcomes of one model on one set of rows; never empty."""

    name: str
    outcomes: tuple[Outcome, ...] = field(repr=False)
    n_instances: int = 1
    """Instances on which a right query was tried at most, including the given database."""
    left_out: tuple[str, ...] = ()
    """A line for each row that was left out because its gold query does not execute, with the reason."""

    @property
    def n(self) -> int:
        """Rows scored."""
        return len(self.outcomes)

    @property
    def accuracy(self) -> Proportion:
        """Execution accuracy: the share of rows whose prediction returns the gold's rows; higher is better."""
        return wilson_interval(sum(outcome.verdict.correct for outcome in self.outcomes), self.n)

    @property
    def validity(self) -> Proportion:
        """The share of predictions that parse and execute, right or not; higher is better."""
        return wilson_interval(sum(outcome.verdict.valid for outcome in self.outcomes), self.n)

    @property
    def test_suite_accuracy(self) -> Proportion:
        """The share of predictions that are right on every instance of their database; higher is better.

        Source: Zhong, Yu, Klein (2020), Semantic Evaluation for Text-to-SQL with Distilled Test Suites.
        """
        return wilson_interval(sum(outcome.verdict.correct_on_all for outcome in self.outcomes), self.n)

    def groups(self, kinds: Iterable[str] = ("seen", "difficulty")) -> dict[str, list[int]]:
        """Indices of all outcomes, and of those in each slice of these ``kinds`` of ``SLICES``, the simplest first."""
        found = {ALL: [*range(self.n)]}
        for kind in kinds:
            names = [SLICES[kind](outcome.row) for outcome in self.outcomes]
            for name in sorted({*names} - {""}, key=lambda name: (_RANKS.get(name, len(_RANKS)), name)):
                found[name] = [index for index, each in enumerate(names) if each == name]
        return found

    def accuracy_by_group(self, kinds: Iterable[str] = ("seen", "difficulty")) -> dict[str, Proportion]:
        """Execution accuracy of each group."""
        return {name: self._some(indices).accuracy for name, indices in self.groups(kinds).items()}

    def _some(self, indices: Iterable[int]) -> "Scores":
        return replace(self, outcomes=tuple(self.outcomes[index] for index in indices))

    def failures(self) -> dict[str, int]:
        """The number of predictions by kind of failure, the most frequent first."""
        failed = Counter(outcome.verdict.failure for outcome in self.outcomes if not outcome.verdict.correct)
        return dict(failed.most_common())

    def headlines(self, prefix: str) -> dict[str, float]:
        """Accuracy with its interval, over all rows and on unseen databases if there are any, and validity, by name."""
        unseen = self.accuracy_by_group(["seen"]).get(UNSEEN)
        return {
            **self.accuracy.as_dict(f"{prefix}_execution_accuracy"),
            **(unseen.as_dict(f"{prefix}_execution_accuracy_unseen") if unseen else {}),
            f"{prefix}_validity": self.validity.value,
        }

    def summary(self) -> dict[str, Any]:
        """All scores as JSON values; ``stop_rate`` and refusals only if rows have ``stopped`` and ``answerable``."""
        verdicts = [outcome.verdict for outcome in self.outcomes]
        empty = [verdict.correct for verdict in verdicts if verdict.gold.is_empty]
        stopped = [outcome.row["stopped"] for outcome in self.outcomes if isinstance(outcome.row.get("stopped"), bool)]
        by_kind = [(kind, {name: at for name, at in self.groups([kind]).items() if name != ALL}) for kind in SLICES]
        return {
            "name": self.name,
            **self._as_dict(self.groups(())[ALL]),
            **self.validity.as_dict("validity"),
            **({"stop_rate": sum(stopped) / len(stopped)} if stopped else {}),
            "empty_reply_rate": sum(not outcome.row["predicted"].strip() for outcome in self.outcomes) / self.n,
            **self._refusals(),
            "n_empty_gold": len(empty),
            "n_empty_gold_correct": sum(empty),
            "n_truncated": sum(verdict.gold.truncated for verdict in verdicts),
            "n_instances": self.n_instances,
            "n_without_instances": sum(verdict.n_instances < self.n_instances for verdict in verdicts),
            "left_out": list(self.left_out),
            **{f"by_{kind}": {name: self._as_dict(at) for name, at in slices.items()} for kind, slices in by_kind},
            "errors": self.failures(),
        }

    def _as_dict(self, indices: Iterable[int]) -> dict[str, float]:
        some = self._some(indices)
        shares = some.accuracy.as_dict("execution_accuracy")
        if self.n_instances > 1:
            shares |= some.test_suite_accuracy.as_dict("test_suite_accuracy")
        return {"n": some.n, **shares}

    def _refusals(self) -> dict[str, int]:
        """Counts of unanswerable rows, of those that were refused by a gold's query, and of answerable rows refused."""
        golds = {canonical(outcome.row["query"]) for outcome in self.outcomes if outcome.row.get("answerable") is False}
        refused = [x.row.get("answerable") for x in self.outcomes if golds and canonical(x.row["predicted"]) in golds]
        n_right, n = refused.count(False), [x.row.get("answerable") for x in self.outcomes].count(False)
        return {"n_unanswerable": n, "n_refused": n_right, "n_wrongly_refused": len(refused) - n_right} if n else {}
