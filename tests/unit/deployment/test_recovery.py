"""When a model server is replaced, and how soon; real ones are killed in ``tests/stack``."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from course_utils.deployment import stack
from course_utils.errors import ServiceError


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class ScriptedServer:
    """Well for so many seconds, and after that ended or silent."""

    def __init__(self, clock: Clock, well_s: float, *, ends: bool = True) -> None:
        self.clock, self.until, self.ends, self.process = clock, clock.now + well_s, ends, self

    def is_healthy(self) -> bool:
        return self.clock.now < self.until

    def poll(self) -> int | None:
        return -9 if self.ends and not self.is_healthy() else None

    def check(self) -> None:
        if not self.is_healthy():
            raise ServiceError("the gateway ended")

    def read_log(self) -> str:
        return "its last words"

    def stop(self) -> None:
        self.until, self.ends = self.clock.now, True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stack, "time", clock)
    return clock


def restarts(clock: Clock, servers: Callable[[], ScriptedServer], until_s: float) -> list[float]:
    """When a model server was started again, in whole seconds, up to the gateway's end."""
    at: list[float] = []

    def restart() -> ScriptedServer:
        at.append(round(clock.now))
        return servers()

    with pytest.raises(ServiceError, match="the gateway ended"):
        stack._keep_running(servers(), ScriptedServer(clock, until_s), restart)
    return at


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


def test_a_start_that_fails_is_tried_again(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    starts: Iterator[float] = iter([10.0, -1.0, -1.0, 1e9])

    def start() -> ScriptedServer:
        if (well_s := next(starts)) < 0:
            raise ServiceError("cannot load the model")
        return ScriptedServer(clock, well_s)

    assert len(restarts(clock, start, 1000)) == 3
    assert "cannot load the model" in caplog.text
