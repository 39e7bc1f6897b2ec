"""Replies of models, by everything that they were asked; on Redis, or in memory where that is not used or away."""

import time
from contextlib import suppress
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

_MAX_BYTES = 64 * 2**20


class ReplyCache:
    """Keeps replies for some seconds, and in memory up to ``_MAX_BYTES`` of them; without seconds it keeps none."""

    def __init__(self, redis: Redis | None, seconds: int | None) -> None:
        self.redis, self.seconds = redis, seconds
        self._kept: dict[str, tuple[float, bytes]] = {}
        self._n_bytes = 0

    async def get(self, key: str) -> bytes | None:
        """The reply that is kept under this key."""
        with suppress(RedisError, OSError):
            if self.redis:
                return cast(bytes | None, await self.redis.get(key))
        until, reply = self._kept.get(key, (0.0, b""))
        return reply if until > time.monotonic() else None

    async def put(self, key: str, reply: bytes) -> None:
        """Keep a reply; in memory the oldest make room."""
        seconds = self.seconds or 0
        with suppress(RedisError, OSError):
            if self.redis:
                await self.redis.set(key, reply, ex=seconds)
                return
        self._n_bytes += len(reply) - len(self._kept.pop(key, (0.0, b""))[1])
        self._kept[key] = time.monotonic() + seconds, reply
        while self._n_bytes > _MAX_BYTES:
            self._n_bytes -= len(self._kept.pop(next(iter(self._kept)))[1])
