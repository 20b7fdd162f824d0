"""The calls that are up now: kept in memory for the reaper, shown in Redis to everybody else.

PostgreSQL is the truth; what is in Redis may be lost at any moment and is written anew when it was.
It must never hold up the ingest: changes are noted at once and sent by a duty of its own.

Redis: hash `pg1:live` (call id -> JSON of a View), stream `pg1:live:feed` (each change: `id`, and
`call`, the same JSON, empty when the call is over).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

import msgspec
import redis.asyncio
import structlog

from gateway import retry
from gateway.calls.fold import Call
from number_registry.cache_layout import PREFIX

LIVE_KEY = PREFIX + "live"
FEED_KEY = PREFIX + "live:feed"
# Whose copy this is: another one's, or nobody's after Redis lost its memory.
OWNER_KEY = PREFIX + "live:owner"
FEED_LENGTH = 10_000
AT_ONCE = 5_000  # changes in one pipeline
LOOK_S = 2.0

_log = structlog.get_logger("gateway.calls")


class View(msgspec.Struct, frozen=True):
    """What a live page shows of a call; times in milliseconds since 1970, 0 = not yet."""

    id: str
    phase: str
    direction: str
    source: str
    target: str
    caller: str
    called: str
    shown: str
    dialled: str
    started_ms: int
    answered_ms: int


def view(call: Call) -> View:
    """A call as live pages see it."""
    start = call.start
    return View(
        call.id,
        call.phase,
        start.dir if start else "",
        start.src if start else "",
        start.to if start else "",
        start.caller if start else "",
        start.called if start else "",
        start.shown if start else "",
        start.dialled if start else "",
        (start.t if start else call.first_t) // 1000,
        call.answer.t // 1000 if call.answer else 0,
    )


class Live:
    """`calls` is what is up now; `run` carries it to Redis."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self._changed: dict[str, None] = {}  # ids in the order of change
        self._wake = asyncio.Event()
        self._whole = False  # Redis holds all that is not in _changed
        self._owner = secrets.token_hex(8)

    def opened(self, calls: Mapping[str, Call]) -> None:
        """These, and no others, are open: said when PostgreSQL has been read anew."""
        self.calls = dict(calls)
        self._whole = False
        self._wake.set()

    def folded(self, calls: Mapping[str, Call]) -> None:
        """These have changed."""
        for id, call in calls.items():
            was_open = id in self.calls
            if call.ended:
                self.calls.pop(id, None)
            else:
                self.calls[id] = call
            if was_open or not call.ended:
                self._changed[id] = None
        self._wake.set()

    async def run(self, url: str, stop: asyncio.Event) -> None:
        """Keep Redis equal to memory until `stop`."""
        client = redis.asyncio.Redis.from_url(
            url, lib_name=None, lib_version=None, socket_timeout=2.0, socket_connect_timeout=2.0
        )
        stopped = asyncio.create_task(self._wake_at(stop))
        try:
            while not stop.is_set():
                try:
                    async for attempt in retry.redis_back(stop):
                        with attempt:
                            await self.send(client)
                except Exception as error:
                    if not (stop.is_set() and retry.redis_gone(error)):
                        raise
                await self._pause()
        finally:
            stopped.cancel()
            await asyncio.gather(stopped, return_exceptions=True)
            await client.aclose()

    async def send(self, client: redis.asyncio.Redis) -> None:
        """Carry over what has changed, or everything where Redis does not hold our copy."""
        if not self._whole or await client.get(OWNER_KEY) != self._owner.encode():
            await self._write_all(client)
        while self._changed:
            ids = list(self._changed)[:AT_ONCE]
            pipe = client.pipeline(transaction=True)
            for id in ids:
                call = self.calls.get(id)
                text = msgspec.json.encode(view(call)).decode() if call else ""
                if text:
                    pipe.hset(LIVE_KEY, id, text)
                else:
                    pipe.hdel(LIVE_KEY, id)
                pipe.xadd(FEED_KEY, {"id": id, "call": text}, maxlen=FEED_LENGTH, approximate=True)
            for id in ids:
                del self._changed[id]
            try:
                await pipe.execute()
            except Exception:
                # It may have been done or not: doing it twice changes nothing.
                self._changed |= dict.fromkeys(ids)
                raise

    async def _write_all(self, client: redis.asyncio.Redis) -> None:
        self._changed.clear()
        self._whole = False
        views = {id: msgspec.json.encode(view(call)).decode() for id, call in self.calls.items()}
        pipe = client.pipeline(transaction=True)
        pipe.delete(LIVE_KEY)
        if views:
            pipe.hset(LIVE_KEY, mapping=views)
        pipe.set(OWNER_KEY, self._owner)
        await pipe.execute()
        self._whole = True
        _log.info("live calls written to redis", calls=len(views))

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()
