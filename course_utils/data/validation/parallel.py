"""Map a function over chunks on several processes of this machine."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

_LOG = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of at most ``size`` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def map_chunks(function: Callable[[Item], Result], chunks: Sequence[Item], num_proc: int) -> list[Result]:
    """``map`` in order, on several processes where there is more than one chunk.

    Processes start afresh, because the copy of a process in which a library runs threads can hang.

    Args:
        function: One of a module, so that another process finds it by name.
        chunks: Its arguments.
        num_proc: Processes to use at most.
    """
    n_workers = min(num_proc, len(chunks))
    if n_workers <= 1:
        return [function(chunk) for chunk in chunks]
    try:
        with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
            return list(pool.map(function, chunks))
    except BrokenProcessPool:
        # A process that starts afresh imports the main script, which "python -" has not and a script without
        # ``if __name__ == "__main__"`` cannot bear.
        _LOG.warning("other processes could not start or were killed; checking on this one alone")
        return [function(chunk) for chunk in chunks]
