"""Score predictions: execute gold and predicted queries, database by database, in a worker on each core."""

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path

from course_utils.artifacts import Row
from course_utils.errors import DataError, QueryError
from course_utils.evaluation.instances import find_instances
from course_utils.evaluation.scores import Outcome, Scores
from course_utils.sql import QueryPair, find_database
from course_utils.sql.compare import AnswerComparison, compare_pairs


def score_predictions(
    rows: list[Row],
    dataset: Path,
    *,
    name: str = "model",
    instances: int = 1,
    cache: Path | None = None,
    skip_bad_gold: bool = False,
) -> Scores:
    """Execute gold and predicted query of every row and compare the results.

    Args:
        rows: Predictions with ``id``, ``db_id``, ``query`` and ``predicted``.
        dataset: A dataset in Spider's layout, or the folder of the data stage; nothing is written there.
        name: What tables and plots call the model.
        instances: Of each row's database; beyond 1, right queries are tried on ``instances - 1`` made ones too.
        cache: File that keeps the made instances for the next time.
        skip_bad_gold: Leave rows out, and count them, whose gold query does not execute.

    Raises:
        DataError: There are no rows, a database is missing, or a gold query does not execute; all are listed.
    """
    if not rows:
        raise DataError(f"{name}: no predictions to score; give at least one row")
    if not dataset.is_dir():
        raise DataError(f"{dataset}: there is no such folder; give the dataset that the predictions are about")
    if instances < 1:
        raise DataError(f"{name}: {instances} instances are none; give at least one")
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["db_id"]].append(row)
    with tempfile.TemporaryDirectory() as folder:
        judge_group = partial(_judge_rows, dataset, Path(folder), n_more=instances - 1, cache=cache)
        # The work is that of other processes: threads only wait for them.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            judged = dict(zip(groups, pool.map(judge_group, groups.values()), strict=True))
    found = [(row, next(judged[row["db_id"]])) for row in rows]
    outcomes = tuple(Outcome(row, verdict) for row, verdict in found if isinstance(verdict, AnswerComparison))
    bad_golds = tuple(_explain(row, error) for row, error in found if isinstance(error, QueryError))
    errors = [*{row["db_id"]: _explain(row, e) for row, e in reversed(found) if isinstance(e, DataError)}.values()]
    if not skip_bad_gold or not outcomes:
        errors += [f"{reason}; correct it or leave the row out" for reason in bad_golds]
    if errors:
        raise DataError("\n".join(errors))
    return Scores(name, outcomes, instances, bad_golds)


def _judge_rows(
    dataset: Path, build_in: Path, rows: list[Row], n_more: int, cache: Path | None
) -> Iterator[AnswerComparison | QueryError | DataError]:
    """The verdict on each row about one database, the error of its gold query, or that of their database."""
    try:
        database = find_database(dataset, rows[0]["db_id"], build_in)
    except DataError as error:
        return repeat(error)
    suites = find_instances(database, [row["query"] for row in rows], n_more, cache) if n_more else {}
    pairs = [QueryPair(row["query"], row["predicted"], suites.get(row["query"], ())) for row in rows]
    return iter([*compare_pairs(database, pairs)])


def _explain(row: Row, error: Exception) -> str:
    reason = f'the gold "query" fails: {error}' if isinstance(error, QueryError) else str(error)
    return f"{row.get('place') or 'row ' + repr(row['id'])}: {reason}"
