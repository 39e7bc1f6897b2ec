"""When a server is replaced, and how soon; real ones are killed in ``tests/stack``."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from course_utils import supervision
from course_utils.errors import ServiceError


class Clock:
    """Time that passes only where somebody sleeps, until somebody presses Ctrl-C."""

    def __init__(self) -> None:
        self.now, self.until = 0.0, 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.until:
            raise KeyboardInterrupt


class ScriptedServer:
    """Well for so many seconds, and after that ended or silent."""

    def __init__(self, clock: Clock, well_s: float, *, ends: bool = True) -> None:
        self.clock, self.until, self.ends, self.process = clock, clock.now + well_s, ends, self
        self.name, self.is_killed = "model server", False

    def is_healthy(self) -> bool:
        return self.clock.now < self.until

    def poll(self) -> int | None:
        return -9 if self.ends and not self.is_healthy() else None

    def kill(self) -> None:
        self.is_killed = True

    def read_log(self) -> str:
        return "its last words"

    def stop(self) -> None:
        """End at once or, like a gateway that has work, take a while."""
        self.clock.now += 0 if self.is_killed or self.poll() is not None else 80
        self.until, self.ends = self.clock.now, True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(supervision, "time", clock)
    return clock


def restarts(clock: Clock, start: Callable[[], ScriptedServer], until_s: float) -> list[float]:
    """When a server was started again, in whole seconds, up to Ctrl-C; another one beside it stays well."""
    at: list[float] = []

    def start_and_note() -> ScriptedServer:
        at.append(round(clock.now))
        return start()

    clock.until = until_s
    with suppress(KeyboardInterrupt), supervision.Servers() as servers:
        servers.run(start_and_note)  # type: ignore[arg-type]
        servers.run(lambda: ScriptedServer(clock, 1e9))  # type: ignore[arg-type,return-value]
        servers.keep_running()
    return at[1:]


def test_a_server_that_ends_is_replaced_within_seconds(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    lives: Iterator[float] = itertools.chain([100.0], itertools.repeat(1e9))
    assert restarts(clock, lambda: ScriptedServer(clock, next(lives)), 1000) == [100]
    assert "the model server is gone" in caplog.text
    assert "its last words" in caplog.text


def test_a_silent_server_gets_time_to_answer(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    lives: Iterator[float] = itertools.chain([100.0], itertools.repeat(1e9))
    (at,) = restarts(clock, lambda: ScriptedServer(clock, next(lives), ends=False), 1000)
    assert 130 <= at < 133
    assert "the model server is silent" in caplog.text


def test_pauses_grow_while_it_keeps_ending_and_start_over_when_it_ran_well(clock: Clock) -> None:
    lives: Iterator[float] = itertools.chain([1.0] * 8, [100.0], itertools.repeat(1.0))
    at = restarts(clock, lambda: ScriptedServer(clock, next(lives)), 400)
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert gaps[:7] == sorted(gaps[:7])
    assert 30 <= gaps[6] < 35
    assert gaps[8] < 110
    assert gaps[9] < 5


@pytest.mark.parametrize("error", [ServiceError("cannot load the model"), OSError("No space left on device")])
def test_a_start_that_fails_is_tried_again(error: Exception, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    starts: Iterator[float] = iter([10.0, -1.0, -1.0, 1e9])

    def start() -> ScriptedServer:
        if (well_s := next(starts)) < 0:
            raise error
        return ScriptedServer(clock, well_s)

    assert len(restarts(clock, start, 1000)) == 3
    assert str(error) in caplog.text


def test_servers_stop_in_their_order_whichever_was_started_again(clock: Clock) -> None:
    """A gateway ends what it answers, for which it needs the model server."""
    stopped = []

    class Noted(ScriptedServer):
        def __init__(self, name: str, well_s: float) -> None:
            super().__init__(clock, well_s)
            self.name = name

        def stop(self) -> None:
            stopped.append(self.name)
            super().stop()

    lives, clock.until = iter([10.0, 1e9]), 100.0
    with suppress(KeyboardInterrupt), supervision.Servers() as servers:
        servers.run(lambda: Noted("model server", next(lives)))  # type: ignore[arg-type,return-value]
        servers.run(lambda: Noted("gateway", 1e9))  # type: ignore[arg-type,return-value]
        servers.keep_running()
    assert stopped == ["model server", "gateway", "model server"]
