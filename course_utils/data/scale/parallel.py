"""Map a pure function over rows, a batch at a time, on several processes of this machine through ``datasets``."""

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from course_utils.errors import ConfigurationError

_LOG = logging.getLogger(__name__)
Row = dict[str, Any]
Result = TypeVar("Result")
MIN_ROWS = 2_000
"""Fewer rows a process are mapped sooner than a process starts."""
BATCH = 1_000
"""Rows that the function gets at once."""


def map_rows(rows: Sequence[Row], function: Callable[[list[Row]], Sequence[Result]], num_proc: int = 1) -> list[Result]:
    """What a function makes of rows, in their order; the batches are shared among processes where that pays.

    Batches and results travel pickled, so that Arrow's types change neither: a column of whole numbers with a gap would
    come back as floats, and fields that one row lacks as None.

    Args:
        rows: What to map.
        function: Pure, and one that pickles; gives one result for each row of its batch. It gets neighbours together,
            so rows that share work are best sorted.
        num_proc: Processes, at least 1; fewer are used where each would get under ``MIN_ROWS`` rows.

    Raises:
        ConfigurationError: ``num_proc`` is below 1.
    """
    if num_proc < 1:
        raise ConfigurationError(f"num_proc={num_proc} is not above 0; choose 1 or more")
    batches = [list(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
    n_workers = min(num_proc, len(rows) // MIN_ROWS)
    if n_workers > 1:
        try:
            return _share(batches, function, n_workers)
        except _StartError:
            _LOG.warning("other processes could not start or were killed; checking on this one alone")
    return [result for batch in batches for result in function(batch)]


class _StartError(RuntimeError):
    """Other processes could not start, or one was killed."""


def _share(batches: list[list[Row]], function: Callable[[list[Row]], Sequence[Result]], n_workers: int) -> list[Result]:
    from datasets import Dataset

    # Whole batches, because what rows share is pickled once.
    pickled = Dataset.from_dict({"batch": [pickle.dumps(batch) for batch in batches]})
    with _fresh_processes():
        mapped = pickled.map(
            _map_batch,
            num_proc=n_workers,
            fn_kwargs={"function": function},
            remove_columns=["batch"],
            load_from_cache_file=False,  # a function may read what its fingerprint does not see, such as a database
            desc=f"checking batches of {BATCH:,} rows",
        )
    return [result for results in mapped["results"] for result in pickle.loads(results)]


@contextmanager
def _fresh_processes() -> Iterator[None]:
    """Start processes afresh: on Linux ``datasets`` copies this one, with its memory and its libraries' locked threads.

    Such a process imports the main script, which "python -" has not and a script without
    ``if __name__ == "__main__"`` cannot bear.

    Raises:
        _StartError: A process ended too early.
    """
    import multiprocess  # type: ignore[import-untyped, unused-ignore]

    usual = multiprocess.get_start_method(allow_none=True)
    multiprocess.set_start_method("spawn", force=True)
    try:
        yield
    except (EOFError, ConnectionError) as error:  # the first process to start ended at once
        raise _StartError from error
    except RuntimeError as error:
        if "abruptly died" in str(error):
            raise _StartError from error
        raise
    finally:
        multiprocess.set_start_method(usual, force=True)


def _map_batch(row: dict[str, bytes], function: Callable[[list[Row]], Sequence[Any]]) -> dict[str, bytes]:
    return {"results": pickle.dumps(function(pickle.loads(row["batch"])))}
