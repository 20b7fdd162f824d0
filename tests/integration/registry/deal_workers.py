"""What SIP workers know of deals, and what Redis and the mapped file should hold, for stories."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis.asyncio import Redis

from kemi.lookup import STALE_S
from kemi.redis_lookup import RedisLookup
from number_registry.compact_directory import CompactDirectory
from number_registry.deal_layout import DEAL, INDEX
from number_registry.store.pool import Connection
from number_registry.store.truth import read_all

from .conftest import Host, until

Calls = Callable[[], CompactDirectory]
Worker = Callable[[Host], Calls]


def state(directory: CompactDirectory, id: str = "4711") -> str:
    deal = directory.deal(id)
    return deal.state(directory.now()) if deal is not None else "unknown"


async def right(host: Host, sql: Connection, redis: Redis) -> bool:
    """Whether Redis and the file hold exactly the truth."""
    deals = (await read_all(sql)).deals
    wanted = set(deals.values())
    found = set()
    for kind in (DEAL, INDEX):
        for key in await redis.keys(f"pg1:{kind}:*"):
            if await redis.type(key) != b"hash":
                return False
            found |= {
                (kind, int(name) if name.isdigit() else name, value)
                for name, value in (await redis.hgetall(key)).items()
            }
    return found == wanted == set(host.deals().values())


async def until_stale(host: Host) -> None:
    """SIP workers do not believe any more that the file is complete."""
    await until(lambda: host.view().heartbeat_age_s(time.monotonic_ns()) > STALE_S)


@contextmanager
def questions() -> Iterator[list[str]]:
    """What SIP workers ask Redis meanwhile."""
    asked: list[str] = []
    really = RedisLookup._ask

    def noted(self: RedisLookup, command: bytes, deadline: float) -> list[bytes]:
        asked.append(command.split(b"\r\n")[2].decode())
        return really(self, command, deadline)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RedisLookup, "_ask", noted)
        yield asked


async def until_right(host: Host, sql: Connection, redis: Redis) -> None:
    async with asyncio.timeout(20):
        while not await right(host, sql, redis):
            pass
