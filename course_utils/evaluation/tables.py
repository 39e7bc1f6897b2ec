"""Tables that notebooks show: accuracy with intervals, paired differences, wrong answers."""

from typing import TYPE_CHECKING

from course_utils.tables import Table

if TYPE_CHECKING:
    from course_utils.evaluation.comparison import Comparison
    from course_utils.evaluation.scores import Scores


def accuracy_table(*scores: "Scores") -> Table:
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


def comparison_table(comparison: "Comparison") -> Table:
    """The paired differences of every group, with bootstrap intervals and McNemar's p-value."""
    return Table(
        f"{comparison.second_name} minus {comparison.first_name} on the same rows, "
        "with the 95 % paired bootstrap interval in brackets",
        ("group", "rows", "difference", "gained", "lost", "McNemar p"),
        tuple(
            (
                group.group,
                str(group.n),
                f"{group.difference:+.1%} [{group.low:+.1%}, {group.high:+.1%}]",
                str(group.n_gained),
                str(group.n_lost),
                f"{group.p_value:.2g}",
            )
            for group in comparison.groups
        ),
        frozenset({"group"}),
    )


def error_table(*scores: "Scores") -> Table:
    """How many predictions of each model failed in each way, the last model's most frequent way first."""
    counts = [model.problems() for model in scores]
    names = dict.fromkeys(name for found in reversed(counts) for name in found)
    rows = [("right", *(str(model.accuracy.n_true) for model in scores))]
    rows += [(name, *(str(found.get(name, 0)) for found in counts)) for name in names]
    return Table(
        f"What became of {scores[0].n} predictions",
        ("outcome", *(model.name for model in scores)),
        tuple(rows),
        frozenset({"outcome"}),
    )


def wrong_answers(scores: "Scores", n_rows: int = 10) -> Table:
    """Wrong answers side by side with the gold, ``n_rows`` at most, the kinds of failure taking turns."""
    wrong = [outcome for outcome in scores.outcomes if not outcome.verdict.correct]
    turns: dict[str, int] = {}
    keyed = []
    for position, outcome in enumerate(wrong):
        turn = turns[outcome.verdict.problem] = turns.get(outcome.verdict.problem, 0) + 1
        keyed.append((turn, position, outcome))
    chosen = [outcome for _, _, outcome in sorted(keyed, key=lambda item: item[:2])[:n_rows]]
    columns = ("database", "question", "gold", "predicted", "what happened", "detail")
    rows = tuple(
        (
            str(outcome.row["db_id"]),
            str(outcome.row.get("question", "")),
            str(outcome.row["query"]),
            str(outcome.row["predicted"]) or "(nothing)",
            outcome.verdict.problem,
            outcome.verdict.detail,
        )
        for outcome in chosen
    )
    return Table(f"{len(chosen)} of {len(wrong)} wrong answers of {scores.name}", columns, rows, frozenset(columns))
