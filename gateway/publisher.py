"""Publishes what is committed in PostgreSQL to Redis within milliseconds; it decides no value, it
only carries them.

    commit ─▶ triggers fill the outbox, NOTIFY ─▶ take rows ▸ read values ▸ write Redis ▸ commit

A crash between Redis and the commit repeats the same values. One publisher works at a time (an
advisory lock), so values reach Redis in the order of commits; on other hosts they stand by.

Redis gone: rows stay in the outbox, and after `GRACE_S` the mirror of this process is fed from
PostgreSQL directly, so that a PBX swapped during an outage answers calls of this host at once. That
begins with all of the truth, because the last changes may have been in Redis and not yet in the
file. When Redis is back everything is compared, the rows are published, and only then does the
mirror follow Redis again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway import retry
from number_registry.cache_layout import PROBE_KEY
from number_registry.feed_layout import Change
from number_registry.publish import outbox
from number_registry.publish.reconcile import differences, rewrite
from number_registry.publish.redis_copy import CopyLostError, open_redis, standing, write
from number_registry.store.pool import Connection, connect
from number_registry.store.truth import Truth, read_all

IDLE_S = 1.0  # between two looks at whether Redis still has what was published
GRACE_S = 1.0  # a Redis that is away for less is only waited for
PENDING_S = 0.25  # between two looks at the outbox while Redis is gone, and between two heartbeats
AUDIT_S = 3600.0  # between two comparisons of everything, which find what nobody told us of

log = structlog.get_logger("publisher")


class Local(Protocol):
    """The snapshot of this host, for the time when Redis is gone; see gateway.mirror."""

    async def take_over(self, truth: Truth) -> None: ...

    async def feed(self, changes: list[Change], blob: bytes | None) -> None: ...

    def placed(self, epoch: int, place: bytes) -> None: ...

    def hand_back(self) -> None: ...


class Publisher:
    """The duty is `run`. Needs a role that may LISTEN and take advisory locks."""

    def __init__(self, dsn: str, redis_url: str) -> None:
        self._dsn, self._url = dsn, redis_url
        self._changed = asyncio.Event()
        self._audit_soon = asyncio.Event()
        self.ready = asyncio.Event()  # everything is in Redis, or was handed to the mirror

    def audit_soon(self) -> None:
        """Somebody saw bytes in Redis that are not ours: compare everything now."""
        self._audit_soon.set()

    async def run(self, local: Local) -> None:
        """Publish until cancelled. Raises when PostgreSQL is lost; run again then."""
        redis = open_redis(self._url)
        try:
            async with self._alone() as connection:
                await self._publish_for_ever(connection, redis, local)
        finally:
            local.hand_back()
            await redis.aclose()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        """A connection that holds the publisher's lock and hears of commits."""
        connection = await connect(self._dsn, "portgate publisher")
        try:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", outbox.LOCK):
                log.info("another publisher works: standing by")
                await connection.fetchval("SELECT pg_advisory_lock($1)", outbox.LOCK, timeout=None)
            await connection.add_listener(outbox.CHANNEL, lambda *_: self._changed.set())
            connection.add_termination_listener(lambda _: self._changed.set())
            yield connection
        finally:
            connection.terminate()

    async def _publish_for_ever(self, connection: Connection, redis: Redis, local: Local) -> None:
        lost = False
        while True:
            try:
                await self._with_redis(connection, redis, local, lost)
            except CopyLostError as error:
                log.warning("Redis lost what was published", error=str(error))
                lost = True
            except RedisError as error:
                log.error("Redis does not take what is published", error=repr(error))
                await self._without_redis(connection, redis, local)
                lost = False

    # -- with Redis
    # ----------------------------------------------------------------------------------------------

    async def _with_redis(
        self, connection: Connection, redis: Redis, local: Local, lost: bool
    ) -> None:
        """Publish as it is committed.

        Raises CopyLostError or RedisError when that is not possible any more.
        """
        epoch, compared = await self._whole(connection, redis, local, lost)
        self.ready.set()
        audit = asyncio.create_task(self._audit_for_ever(redis, compared))
        try:
            while True:
                self._changed.clear()
                epoch, more = await self._publish(connection, redis, local, epoch)
                if more or await _within(IDLE_S, self._changed.wait()):
                    continue
                if (await standing(redis)).epoch != epoch:
                    raise CopyLostError("it was restarted, or somebody emptied it")
        finally:
            audit.cancel()
            await asyncio.gather(audit, return_exceptions=True)

    async def _whole(
        self, connection: Connection, redis: Redis, local: Local, lost: bool
    ) -> tuple[int, bool]:
        """The epoch of a copy that is whole, and whether everything in it was compared just now."""
        epoch = 0 if lost else (await standing(redis)).epoch
        if epoch:
            return epoch, False
        async with outbox.taken(connection):
            return await self._rewrite(connection, redis, local), True

    async def _publish(
        self, connection: Connection, redis: Redis, local: Local, epoch: int
    ) -> tuple[int, bool]:
        """One batch; the epoch after it, and whether there may be more."""
        async with outbox.taken(connection) as batch:
            if batch.everything:
                epoch = await self._rewrite(connection, redis, local)
            elif batch.changes:
                await write(redis, batch.changes, batch.blob, epoch)
        return epoch, not batch.empty

    async def _rewrite(self, connection: Connection, redis: Redis, local: Local) -> int:
        """Publish everything.

        Where mirrors have to build anew, the one of this process gets the truth directly.
        """
        started = time.monotonic()
        truth = await read_all(connection)
        anew = not (await standing(redis)).whole
        built = asyncio.create_task(self._build(truth, local)) if anew else None
        try:
            done = await rewrite(redis, truth)
            if built is not None and await built and done.place:
                local.placed(done.epoch, done.place)
        finally:
            if built is not None:
                await asyncio.gather(built, return_exceptions=True)
                local.hand_back()
        log.info(
            "everything published",
            numbers=truth.count,
            written=done.written,
            removed=done.removed,
            new_epoch=bool(done.place),
            seconds=round(time.monotonic() - started, 3),
        )
        return done.epoch

    async def _build(self, truth: Truth, local: Local) -> bool:
        """Whether the snapshot was built.

        One that cannot be must not keep Redis from being written.
        """
        try:
            await local.take_over(truth)
        except Exception as error:
            log.error("the snapshot could not be built", error=repr(error))
            return False
        return True

    # -- the audit: what nobody told us of
    # -----------------------------------------------------------------------

    async def _audit_for_ever(self, redis: Redis, compared: bool) -> None:
        """Compare everything at the start, now and then, and when asked, beside the publishing."""
        if compared:
            await _within(AUDIT_S, self._audit_soon.wait())
        while True:
            self._audit_soon.clear()
            try:
                await self.audit(redis)
            except (RedisError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("the copy could not be compared", error=repr(error))
            await _within(AUDIT_S, self._audit_soon.wait())

    async def audit(self, redis: Redis) -> int:
        """Ask for everything that differs to be published again; how many that were."""
        connection = await connect(self._dsn, "portgate audit")
        try:
            found = await differences(redis, await read_all(connection))
            if found:
                log.warning("the copy differed", values=len(found))
                await outbox.ask_again(connection, found)
                self._changed.set()
            return len(found)
        finally:
            await connection.close()

    # -- without Redis
    # -------------------------------------------------------------------------------------------

    async def _without_redis(self, connection: Connection, redis: Redis, local: Local) -> None:
        """Until Redis takes writes again, and has everything that waited."""
        back = asyncio.create_task(_takes_writes(redis))
        try:
            await asyncio.wait({back}, timeout=GRACE_S)
            if not back.done():
                await self._feed_local(connection, local, back)
            await back
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
        epoch, _ = await self._whole(connection, redis, local, lost=False)
        more = True
        while more:
            epoch, more = await self._publish(connection, redis, local, epoch)
        local.hand_back()
        log.info("Redis is back and has everything")

    async def _feed_local(
        self, connection: Connection, local: Local, back: asyncio.Task[None]
    ) -> None:
        seen: set[int] = set()
        await outbox.waiting(connection, seen)  # what is in the truth we read next is not news
        await local.take_over(await read_all(connection))
        log.warning("the snapshot is fed from PostgreSQL")
        self.ready.set()
        while not back.done():
            self._changed.clear()
            batch = await outbox.waiting(connection, seen)
            if batch.everything:
                await local.take_over(await read_all(connection))
            else:
                await local.feed(batch.changes, batch.blob)
            await _within(PENDING_S, self._changed.wait())


async def _takes_writes(redis: Redis) -> None:
    async for attempt in retry.redis_takes_writes():
        with attempt:
            await redis.set(PROBE_KEY, "1", px=1000)


async def _within(seconds: float, event: Awaitable[Any]) -> bool:
    """Whether it happened in time."""
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return False
    return True
