"""Replies of models, by everything that they were asked; on Redis, or in memory where that is not used or away."""

from contextlib import suppress
from typing import cast

from cachetools import TTLCache
from redis.asyncio import Redis
from redis.exceptions import RedisError

_MAX_BYTES = 64 * 2**20


class ReplyCache:
    """Keeps replies for some seconds, and in memory up to ``_MAX_BYTES`` of them; without seconds it keeps none."""

    def __init__(self, redis: Redis | None, seconds: float | None) -> None:
        self.redis, self.seconds = redis, seconds
        self._kept = TTLCache[str, bytes](_MAX_BYTES, seconds or 0, getsizeof=len)

    async def get(self, key: str) -> bytes | None:
        """The reply that is kept under this key."""
        with suppress(RedisError, OSError):
            if self.redis:
                return cast(bytes | None, await self.redis.get(key))
        return self._kept.get(key)

    async def put(self, key: str, reply: bytes) -> None:
        """Keep a reply; in memory those that were not asked for make room."""
        with suppress(RedisError, OSError):
            if self.redis:
                await self.redis.set(key, reply, px=int(1000 * (self.seconds or 0)))
                return
        self._kept[key] = reply
