"""How much is let in: what each caller may use, and what models and databases can do."""

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
    """Forgets what callers used before whenever one begins a minute; its parent looks at all of them at each count."""

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if self.expirations.get(key, 0) <= time.time():
            return await super().incr(key, expiry, amount)
        self.storage[key] += amount
        return self.storage[key]


class CallerLimits:
    """Counts what callers use: over all gateways on Redis, over this one without, and requests at once over this one.

    A caller's minute begins with what it uses first. Tokens are known when they are spent, so a minute may end in
    debt. A moving window would forget that, and it keeps every request for a minute, which makes each one slower.
    """

    def __init__(self, redis: Redis | None) -> None:
        storages: list[Any] = [_Memory()]
        if redis:
            pool: Any = redis.connection_pool
            storages.insert(0, RedisStorage("async+redis://", implementation="redispy", connection_pool=pool))
        self._windows = [FixedWindowRateLimiter(storage) for storage in storages]
        self._running: Counter[str] = Counter()

    async def enter(self, caller: Caller) -> None:
        """Count one request until it leaves.

        Raises:
            ApiError: 429 if the caller has used what it may.
        """
        if caller.max_concurrent and self._running[caller.id] >= caller.max_concurrent:
            message = f"this key may have {caller.max_concurrent} requests at once"
            raise ApiError(429, message, code="too_many_at_once", retry_after_s=1)
        self._running[caller.id] += 1
        try:
            await self._spend(caller, "requests", caller.requests_per_minute, 1)
            await self._spend(caller, "tokens", caller.tokens_per_minute, 0)
        except BaseException:
            await self.leave(caller)
            raise

    async def leave(self, caller: Caller) -> None:
        """Count the tokens that a request spent, which has ended with its last byte."""
        self._running[caller.id] -= 1
        if not self._running[caller.id]:
            del self._running[caller.id]
        if n_tokens := NOTES.get()["tokens"]:
            with suppress(ApiError):  # it is answered: the next one has to wait
                await self._spend(caller, "tokens", caller.tokens_per_minute, n_tokens)

    async def _spend(self, caller: Caller, unit: Literal["requests", "tokens"], limit: int | None, cost: int) -> None:
        if limit is None:
            return
        item = _per_minute(limit, namespace=unit)
        for window in self._windows:
            with suppress(RedisError, OSError):  # without Redis the next one counts, in memory
                if await (window.hit if cost else window.test)(item, caller.id, cost=cost):
                    return
                wait_s = (await window.get_window_stats(item, caller.id)).reset_time - time.time()
                message = f"this key may use {limit} {unit} a minute"
                raise ApiError(429, message, code="rate_limit_exceeded", retry_after_s=max(1, ceil(wait_s)))


class BoundedQueue(asyncio.Semaphore):
    """``n_at_once`` pass and ``max_waiting`` wait, up to ``patience_s`` seconds; ApiError 503 for the rest."""

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
            message = "too much to do; ask again later"
            raise ApiError(503, message, code="overloaded", retry_after_s=2) from None
        finally:
            self.n_waiting -= 1


class CircuitBreaker(AbstractContextManager[None]):
    """Spares a server that failed several times in a row, and its callers the waiting: ApiError 503 at once.

    503 and 504 are failures, all else is an answer. One request is let through every ``_PAUSE_S`` seconds, or as soon
    as the caller of the last one has left; when one succeeds, all are.
    """

    def __init__(self) -> None:
        self._n_failures, self._next_try = 0, 0.0

    def __enter__(self) -> None:
        if self._n_failures >= _MAX_FAILURES:
            if (wait_s := self._next_try - time.monotonic()) > 0:
                message = "the model server failed several times; ask again later"
                raise ApiError(503, message, code="model_server_down", retry_after_s=ceil(wait_s))
            self._next_try = time.monotonic() + _PAUSE_S

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            self._n_failures = 0
        elif isinstance(error, ApiError):
            self._n_failures = self._n_failures + 1 if error.status_code in (503, 504) else 0
            self._next_try = time.monotonic() + _PAUSE_S
        else:  # its caller has left, and nothing is known: the next one tries
            self._next_try = 0.0
