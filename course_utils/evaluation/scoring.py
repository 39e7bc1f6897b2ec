"""Score predictions: execute gold and predicted queries, in one worker process per core, and compare the results."""

import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from course_utils.errors import DataError, QueryError
from course_utils.evaluation.instances import find_instances
from course_utils.evaluation.scores import Outcome, Scores
from course_utils.files import Row
from course_utils.resources import n_cores
from course_utils.sql import QueryPair, find_database
from course_utils.sql.compare import AnswerComparison, compare_pairs
from course_utils.sql.worker import AT_ONCE


def score_predictions(
    rows: list[Row],
    dataset: Path,
    *,
    name: str = "model",
    instances: int = 1,
    cache: Path | None = None,
    skip_bad_gold: bool = False,
) -> Scores:
    """Execute gold and predicted query of every row and compare the results, with a progress bar in a terminal.

    Args:
        rows: Predictions with ``id``, ``db_id``, ``query`` and ``predicted``.
        dataset: A dataset in Spider's layout, or the folder of the data stage; nothing is written there.
        name: The model's name in tables and plots.
        instances: Instances of each row's database. Above 1, right queries also run on ``instances - 1`` made ones.
        cache: File that keeps the made instances for the next call.
        skip_bad_gold: Leave out rows whose gold query does not execute, and list them in ``Scores.left_out``.

    Raises:
        DataError: There are no rows, a database is missing, or a gold query does not execute; all are listed.
    """
    from tqdm import tqdm

    if not rows:
        raise DataError(f"{name}: no predictions to score; give at least one row")
    if not dataset.is_dir():
        raise DataError(f"{dataset}: there is no such folder; give the dataset that the predictions are about")
    if instances < 1:
        raise DataError(f"{name}: instances={instances} is too few; give at least one")
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["db_id"]].append(row)
    stop = Event()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(n_cores()) as pool:
        # Worker processes do the work; threads only wait for them.
        prepared = list(pool.map(partial(_prepare, dataset, Path(folder)), groups.values()))
        gone = {db_id: str(each) for db_id, each in zip(groups, prepared, strict=True) if isinstance(each, DataError)}
        jobs = [job for some in prepared if not isinstance(some, DataError) for job in some]
        # No bar for work of under two seconds, nor if the output is not a terminal.
        with tqdm(total=sum(len(pairs) for *_, pairs in jobs), desc=name, delay=2, leave=False, disable=None) as bar:
            try:
                judge = partial(_judge, stop, bar, instances - 1, cache)
                judged = dict(each for some in pool.map(judge, jobs) for each in some)
            finally:
                stop.set()  # so that Ctrl-C waits only for the queries that are running
    found = [(row, judged[row["db_id"], row["query"], row["predicted"]]) for row in rows if row["db_id"] not in gone]
    outcomes = tuple(Outcome(row, verdict) for row, verdict in found if isinstance(verdict, AnswerComparison))
    bad_golds = tuple(_explain(row, error) for row, error in found if isinstance(error, QueryError))
    if gone or (bad_golds and not (skip_bad_gold and outcomes)):
        raise DataError("\n".join([*gone.values(), *(f"{reason}; correct it or leave it out" for reason in bad_golds)]))
    return Scores(name, outcomes, instances, bad_golds)


def _prepare(dataset: Path, build_in: Path, rows: list[Row]) -> list[tuple[str, Path, list[QueryPair]]] | DataError:
    """Jobs of at most ``AT_ONCE`` pairs each: a db_id, its file, and pairs without repetitions; or the error."""
    db_id = rows[0]["db_id"]
    try:
        database = find_database(dataset, db_id, build_in)
    except DataError as error:
        return DataError(_explain(rows[0], error))
    pairs = list(dict.fromkeys(QueryPair(row["query"], row["predicted"]) for row in rows))
    return [(db_id, database, pairs[start : start + AT_ONCE]) for start in range(0, len(pairs), AT_ONCE)]


def _judge(
    stop: Event, bar: Any, n_more: int, cache: Path | None, job: tuple[str, Path, list[QueryPair]]
) -> list[tuple[tuple[str, str, str], AnswerComparison | QueryError]]:
    """The verdict on each pair, or the error of its gold query; ends early if ``stop`` is set."""
    (db_id, database, pairs), judged = job, []
    if n_more and not stop.is_set():  # only now, so that the instances of all rows are never in memory at once
        suites = find_instances(database, [pair.gold for pair in pairs], n_more, cache)
        pairs = [pair._replace(instances=suites[pair.gold]) for pair in pairs]
    for pair, verdict in zip(pairs, compare_pairs(database, pairs), strict=True):
        judged.append(((db_id, pair.gold, pair.other), verdict))
        bar.update()
        if stop.is_set():
            break
    return judged


def _explain(row: Row, error: Exception) -> str:
    reason = f'the gold "query" fails: {error}' if isinstance(error, QueryError) else str(error)
    return f"{row.get('place') or 'row ' + repr(row['id'])}: {reason}"
