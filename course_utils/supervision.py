"""Run several servers together until they are stopped, and restart each one that ends or stops answering."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NoReturn

from course_utils.errors import ServiceError
from course_utils.processes import Server

logger = logging.getLogger(__name__)
_POLL_S = 0.5
_SILENCE_S = 30.0  # long, because a busy machine may keep a healthy server from answering for some seconds
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_STEADY_S = 60.0


class Servers(ExitStack):
    """Servers that stop together, in reverse order, and that ``keep_running`` restarts if they end or do not answer."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: list[Iterator[None]] = []

    def run(self, start: Callable[[], Server]) -> Server:
        """Start a server and return it; ``start`` is called again to restart it, and must then use the same port."""
        running = [start()]
        self.callback(lambda: running[0].stop())  # stops the server that has replaced the first one, if any
        self._watches.append(_watch(running, start))
        return running[0]

    def keep_running(self) -> NoReturn:
        """Watch all servers and restart them as needed, until Ctrl-C."""
        while True:
            time.sleep(_POLL_S)
            for watch in self._watches:
                next(watch)


def _watch(running: list[Server], start: Callable[[], Server]) -> Iterator[None]:
    """Check the server in ``running`` at each ``next``, and restart it, after growing pauses until it runs steadily."""
    pause_s, started = _FIRST_PAUSE_S, time.monotonic()
    seen = started
    while True:
        (server,) = running
        if server.is_healthy():
            seen = time.monotonic()
            pause_s = _FIRST_PAUSE_S if seen - started > _STEADY_S else pause_s
        elif server.process.poll() is not None or time.monotonic() - seen > _SILENCE_S:
            state = "silent" if server.process.poll() is None else "gone"
            text = "the %s is %s; starting it again in %g s\n%s"
            logger.warning(text, server.name, state, pause_s, server.read_log())
            server.process.kill()  # not terminated, because a silent server would not end by itself
            server.stop()
            again = time.monotonic() + pause_s
            while time.monotonic() < again:
                yield
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                running[:] = [start()]
            except (ServiceError, OSError) as error:  # OSError: such as a disk that is full for a while
                logger.warning("%s", error)
            started = seen = time.monotonic()
        yield
