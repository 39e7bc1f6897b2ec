"""Map a pure function over rows on several processes, through ``datasets``."""

import pickle
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from course_utils.errors import ConfigurationError

Row = dict[str, Any]
Result = TypeVar("Result")
MIN_ROWS = 2_000
"""Fewer rows a process are mapped sooner than a process starts."""
_BATCH = 1_000


def map_rows(rows: Sequence[Row], function: Callable[[Row], Result], num_proc: int = 1) -> list[Result]:
    """``[function(row) for row in rows]``, shared among processes where that pays.

    Rows and results travel pickled, so that Arrow's types change neither: a column of whole numbers with a gap would
    come back as floats, and fields that one row lacks as None.

    Args:
        rows: What to map.
        function: Pure, and one that pickles.
        num_proc: Processes, at least 1; fewer are used where each would get under ``MIN_ROWS`` rows.

    Raises:
        ConfigurationError: ``num_proc`` is below 1.
    """
    if num_proc < 1:
        raise ConfigurationError(f"num_proc={num_proc} is not above 0; choose 1 or more")
    n_workers = min(num_proc, len(rows) // MIN_ROWS)
    if n_workers <= 1:
        return [function(row) for row in rows]
    from datasets import Dataset

    pickled = Dataset.from_dict({"row": [pickle.dumps(row) for row in rows]})
    mapped = pickled.map(
        _map_batch,
        batched=True,
        batch_size=_BATCH,
        num_proc=n_workers,
        fn_kwargs={"function": function},
        remove_columns=["row"],
        load_from_cache_file=False,  # a function may read what its fingerprint does not see, such as a database
        desc=f"checking rows on {n_workers} processes",
    )
    return [pickle.loads(result) for result in mapped["result"]]


def _map_batch(batch: dict[str, list[bytes]], function: Callable[[Row], Any]) -> dict[str, list[bytes]]:
    return {"result": [pickle.dumps(function(pickle.loads(row))) for row in batch["row"]]}
