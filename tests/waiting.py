"""What other processes and threads do has happened soon, but not at once."""

import time
from collections.abc import Callable


def comes_true(condition: Callable[[], object], within_s: float = 10.0) -> bool:
    """Whether a condition holds before ``within_s`` seconds are over; it is asked fifty times a second."""
    deadline = time.monotonic() + within_s
    while not (holds := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds
