"""Limits on load: what each caller may use, how many requests run or wait, and a pause for a failing server."""

import asyncio
import time
from collections import Counter
from contextlib import AbstractContextManager, suppress
from functools import lru_cache
from math import ceil
from typing import Any, Literal

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.callers import Caller
from course_utils.deployment.gateway.metrics import NOTES

_per_minute = lru_cache(maxsize=1024)(RateLimitItemPerMinute)
_MAX_FAILURES, _PAUSE_S = 5, 2.0


class _Memory(MemoryStorage):
    """Removes expired counts whenever a caller's minute begins; its parent class searches for them at every count.

    A minute that ends more than a minute from now is over as well: the clock was set back.
    """

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if not 0 < self.expirations.get(key, 0) - time.time() <= expiry:
            return await super().incr(key, expiry, amount)
        self.storage[key] += amount
        return self.storage[key]

    async def get(self, key: str) -> int:
        if self.expirations.get(key, 0) > time.time() + 60:
            await self.clear(key)
        return await super().get(key)


class CallerLimits:
    """Limits each caller's requests and tokens per minute, and its concurrent requests to this gateway.

    The minutes are counted over all gateways on Redis, or by this one without. A caller's minute begins with its first
    use. Tokens are counted when a request has ended, so a minute may exceed its limit; a moving window would not count
    that excess, and would be slower, because it stores every request of the last minute.
    """

    def __init__(self, redis: Redis | None) -> None:
        storages: list[Any] = [_Memory()]
        if redis:
            pool: Any = redis.connection_pool
            storages.insert(0, RedisStorage("async+redis://", implementation="redispy", connection_pool=pool))
        self._windows = [FixedWindowRateLimiter(storage) for storage in storages]
        self._running: Counter[str] = Counter()

    async def enter(self, caller: Caller) -> None:
        """Count a request as running until ``leave`` is called.

        Raises:
            ApiError: 429 if the caller has reached one of its limits.
        """
        if caller.max_concurrent and self._running[caller.id] >= caller.max_concurrent:
            message = f"this key may have {caller.max_concurrent} requests at once, and all are running"
            raise ApiError(429, message, code="too_many_at_once", retry_after_s=1)
        self._running[caller.id] += 1
        try:
            await self._spend(caller, "requests", caller.requests_per_minute, 1)
            await self._spend(caller, "tokens", caller.tokens_per_minute, 0)
        except BaseException:
            await self.leave(caller)
            raise

    async def leave(self, caller: Caller) -> None:
        """Count a request as ended, and the tokens that it spent."""
        self._running[caller.id] -= 1
        if not self._running[caller.id]:
            del self._running[caller.id]
        if n_tokens := NOTES.get()["tokens"]:
            with suppress(ApiError):  # this request is answered: the limit holds for the next one
                await self._spend(caller, "tokens", caller.tokens_per_minute, n_tokens)

    async def _spend(self, caller: Caller, unit: Literal["requests", "tokens"], limit: int | None, cost: int) -> None:
        if limit is None:
            return
        item = _per_minute(limit, namespace=unit)
        for window in self._windows:
            with suppress(RedisError, OSError):  # if Redis fails, the next window counts in memory
                if await (window.hit if cost else window.test)(item, caller.id, cost=cost):
                    return
                wait_s = (await window.get_window_stats(item, caller.id)).reset_time - time.time()
                message = f"this key has used up its {limit} {unit} a minute"
                raise ApiError(429, message, code="rate_limit_exceeded", retry_after_s=max(1, ceil(wait_s)))


class BoundedQueue(asyncio.Semaphore):
    """Lets ``n_at_once`` in and ``max_waiting`` wait, for ``patience_s`` seconds at most; ApiError 503 for the rest."""

    def __init__(self, n_at_once: int, max_waiting: int, patience_s: float) -> None:
        super().__init__(n_at_once)
        self._max_waiting, self._patience_s, self.n_waiting = max_waiting, patience_s, 0

    async def acquire(self) -> Literal[True]:
        """Wait for a place and hold it."""
        if not self.locked():
            return await super().acquire()  # at once
        self.n_waiting += 1
        try:
            async with asyncio.timeout(0 if self.n_waiting > self._max_waiting else self._patience_s):
                return await super().acquire()
        except TimeoutError:
            message = "too many requests are running and waiting"
            raise ApiError(503, message, code="overloaded", retry_after_s=2) from None
        finally:
            self.n_waiting -= 1


class CircuitBreaker(AbstractContextManager[None]):
    """Refuses requests to a server that failed ``_MAX_FAILURES`` times in a row: ApiError 503, without waiting for it.

    503 and 504 are failures; any other status is an answer. One request is let through every ``_PAUSE_S`` seconds, or
    at once if the caller of the last one has left. When one is answered, all are let through.
    """

    def __init__(self) -> None:
        self._n_failures, self._next_try = 0, 0.0

    def __enter__(self) -> None:
        if self._n_failures >= _MAX_FAILURES:
            if (wait_s := self._next_try - time.monotonic()) > 0:
                message = "the model server failed several times in a row"
                raise ApiError(503, message, code="model_server_down", retry_after_s=ceil(wait_s))
            self._next_try = time.monotonic() + _PAUSE_S

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            self._n_failures = 0
        elif isinstance(error, ApiError):
            self._n_failures = self._n_failures + 1 if error.status_code in (503, 504) else 0
            self._next_try = time.monotonic() + _PAUSE_S
        else:  # the caller has left before the server answered: the next request tries
            self._next_try = 0.0
