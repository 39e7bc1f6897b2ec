"""Score predictions: validity and execution accuracy with intervals, whole and by group, as numbers and as tables."""

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.artifacts import DIFFICULTIES, Row
from course_utils.errors import DataError, QueryError
from course_utils.evaluation.execution import Verdict, judge
from course_utils.evaluation.predictions import read_predictions
from course_utils.proportion import Proportion, wilson_interval
from course_utils.sql import find_database
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

    def groups(self) -> dict[str, tuple[int, ...]]:
        """Indices of the outcomes in each group: all, seen and unseen databases, each difficulty."""
        rows = [outcome.row for outcome in self.outcomes]
        found = {ALL: tuple(range(self.n))}
        for name, seen in ((SEEN, True), (UNSEEN, False)):
            found[name] = tuple(index for index, row in enumerate(rows) if row.get("seen") is seen)
        for name in self.difficulties():
            found[name] = tuple(index for index, row in enumerate(rows) if str(row.get("difficulty")) == name)
        return {name: indices for name, indices in found.items() if indices}

    def difficulties(self) -> list[str]:
        """The difficulties that rows name, easiest first where they have Spider's names."""
        names = {str(outcome.row["difficulty"]) for outcome in self.outcomes if outcome.row.get("difficulty")}
        return sorted(names, key=lambda name: (DIFFICULTIES.index(name) if name in DIFFICULTIES else 9, name))

    def accuracy_by_group(self) -> dict[str, Proportion]:
        """Execution accuracy of each group."""
        return {name: _share([self.outcomes[i] for i in indices]) for name, indices in self.groups().items()}

    def failures(self) -> dict[str, int]:
        """How many predictions failed in each way, most frequent first."""
        failed = Counter(outcome.verdict.failure for outcome in self.outcomes if not outcome.verdict.correct)
        return dict(failed.most_common())

    def summary(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        groups = {name: _as_dict(share) for name, share in self.accuracy_by_group().items()}
        empty = [outcome for outcome in self.outcomes if outcome.verdict.gold_is_empty]
        return {
            "n": self.n,
            **_as_dict(self.accuracy),
            "validity": self.validity.value,
            "validity_low": self.validity.low,
            "validity_high": self.validity.high,
            **({} if self.stop_rate is None else {"stop_rate": self.stop_rate}),
            "empty_reply_rate": sum(not outcome.row["predicted"].strip() for outcome in self.outcomes) / self.n,
            "n_empty_gold": len(empty),
            "n_empty_gold_correct": sum(outcome.verdict.correct for outcome in empty),
            "n_truncated": sum(outcome.verdict.truncated for outcome in self.outcomes),
            "by_seen": {key: groups[name] for key, name in (("seen", SEEN), ("unseen", UNSEEN)) if name in groups},
            "by_difficulty": {name: groups[name] for name in self.difficulties()},
            "errors": self.failures(),
        }

    def _repr_html_(self) -> str:
        return accuracy_table(self)._repr_html_()


def _share(outcomes: "list[Outcome] | tuple[Outcome, ...]") -> Proportion:
    return wilson_interval(sum(outcome.verdict.correct for outcome in outcomes), len(outcomes))


def _as_dict(share: Proportion) -> dict[str, float]:
    return {
        "n": share.n,
        "execution_accuracy": share.value,
        "execution_accuracy_low": share.low,
        "execution_accuracy_high": share.high,
    }


def accuracy_table(*scores: Scores) -> Table:
    """Validity and execution accuracy of one or more models, by group, with 95 % intervals."""
    rows = [("validity, all rows", scores[0].n, [model.validity for model in scores])]
    by_group = [model.accuracy_by_group() for model in scores]
    for name, share in by_group[0].items():
        rows.append((f"accuracy, {name}", share.n, [groups[name] for groups in by_group]))
    return Table(
        "Share of rows, with the 95 % Wilson interval in brackets",
        ("measure", "rows", *(model.name for model in scores)),
        tuple((name, str(n), *map(str, shares)) for name, n, shares in rows),
        frozenset({"measure"}),
    )


def error_table(*scores: Scores) -> Table:
    """How many predictions of each model failed in each way, the last model's most frequent way first."""
    counts = [model.failures() for model in scores]
    names = dict.fromkeys(name for found in reversed(counts) for name in found)
    rows = [("right", *(str(model.accuracy.n_true) for model in scores))]
    rows += [(name, *(str(found.get(name, 0)) for found in counts)) for name in names]
    return Table(
        f"What became of {scores[0].n} predictions",
        ("outcome", *(model.name for model in scores)),
        tuple(rows),
        frozenset({"outcome"}),
    )


def wrong_answers(scores: Scores, n_rows: int = 10) -> Table:
    """Wrong answers side by side with the gold, ``n_rows`` at most, the kinds of failure taking turns."""
    wrong = [outcome for outcome in scores.outcomes if not outcome.verdict.correct]
    turns: dict[str, int] = {}
    keyed = []
    for position, outcome in enumerate(wrong):
        turn = turns[outcome.verdict.failure] = turns.get(outcome.verdict.failure, 0) + 1
        keyed.append((turn, position, outcome))
    chosen = [outcome for _, _, outcome in sorted(keyed, key=lambda item: item[:2])[:n_rows]]
    columns = ("database", "question", "gold", "predicted", "what happened", "detail")
    rows = tuple(
        (
            str(outcome.row["db_id"]),
            str(outcome.row.get("question", "")),
            str(outcome.row["query"]),
            str(outcome.row["predicted"]) or "(nothing)",
            outcome.verdict.failure,
            outcome.verdict.detail,
        )
        for outcome in chosen
    )
    return Table(f"{len(chosen)} of {len(wrong)} wrong answers of {scores.name}", columns, rows, frozenset(columns))


def score_predictions(rows: list[Row], dataset: Path, *, name: str = "model") -> Scores:
    """Execute gold and predicted query of every row and compare the results.

    Args:
        rows: Predictions with ``id``, ``db_id``, ``query`` and ``predicted``.
        dataset: A dataset in Spider's layout, or the folder of the data stage; nothing is written there.
        name: What tables and plots call the model.

    Raises:
        DataError: There are no rows, a database is missing, or a gold query does not execute; all are listed.
    """
    if not rows:
        raise DataError(f"{name}: no predictions to score; give at least one row")
    errors: list[str] = []
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        databases = _find_databases(rows, dataset, Path(folder), errors)
        for row in rows:
            if row["db_id"] not in databases:
                continue
            try:
                outcomes.append(Outcome(row, judge(databases[row["db_id"]], row["query"], row["predicted"])))
            except QueryError as error:
                errors.append(f'{_place(row)}: the gold "query" fails: {error}; correct it or leave the row out')
    if errors:
        raise DataError("\n".join(errors))
    return Scores(name, tuple(outcomes))


def _find_databases(rows: list[Row], dataset: Path, folder: Path, errors: list[str]) -> dict[str, Path]:
    """The SQLite file of each ``db_id`` that has one; adds to ``errors`` each that has none."""
    if not dataset.is_dir():
        raise DataError(f"{dataset}: there is no such folder; give the dataset that the predictions are about")
    found: dict[str, Path] = {}
    for row in {row["db_id"]: row for row in reversed(rows)}.values():
        try:
            found[row["db_id"]] = find_database(dataset, row["db_id"], folder)
        except DataError as error:
            errors.append(f"{_place(row)}: {error}")
    return found


def _place(row: Row) -> str:
    return str(row.get("place") or f"row {row['id']!r}")


def score_file(path: str | Path, data_dir: str | Path) -> dict[str, Any]:
    """Score a file of predictions, whoever wrote it.

    Args:
        path: JSON lines with ``id``, ``db_id``, ``query`` and ``predicted``; ``difficulty`` and ``seen`` if known.
        data_dir: A dataset in Spider's layout, or the data folder of the artifacts.

    Returns:
        Plain JSON values: ``n``, ``execution_accuracy`` and ``validity`` with the ends of their 95 %
        intervals, ``by_difficulty``, ``by_seen`` and ``errors`` by class.

    Raises:
        DataError: The file, a row, a database or a gold query is wrong; every one is listed.
    """
    rows = read_predictions(Path(path))
    return {"file": Path(path).name, **score_predictions(rows, Path(data_dir), name=Path(path).stem).summary()}
