"""Keeps this host's mapped snapshot equal to Redis by following its feed; it never asks PostgreSQL
and writes no Redis.

The heartbeat is beaten only while Redis answers, its copy is whole, and everything in the feed is
applied. With Redis gone the publisher of the same process may feed the file from PostgreSQL instead
(`take_over`, `feed`), so that what is changed during an outage still reaches calls; a host without
a publisher keeps what it had, with a heartbeat that ages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from redis.asyncio import Redis

from gateway.deal_file import DealValues
from gateway.snapshot_file import Position, SnapshotFile
from number_registry.cache_layout import (
    DIRECTORY_KEY,
    FEED_KEY,
    directory_bytes,
)
from number_registry.errors import CacheCorruptError, MissError
from number_registry.feed_layout import DIRECTORY, EPOCH, Change, feed_changes
from number_registry.packed_deals import PackedDeals
from number_registry.publish.copy_reader import read_copy
from number_registry.publish.redis_copy import open_redis, standing
from number_registry.snapshot import TableFullError
from number_registry.store.truth import Truth

BEAT_S = 0.25
BLOCK_MS = 200
ENTRIES = 100  # read at once, each of up to 500 changes
NOT_WHOLE_S = 0.1  # between two looks at a Redis that the publisher has not written yet

log = structlog.get_logger("mirror")


class PlaceLostError(MissError):
    """The feed cannot be followed from where the file is."""


class Mirror:
    """The duty is `run`. ``suspicious`` is called when Redis holds what nobody of ours wrote."""

    def __init__(self, folder: Path, redis_url: str, suspicious: Callable[[], None]) -> None:
        self._folder, self._url, self._suspicious = folder, redis_url, suspicious
        self._opened: SnapshotFile | None = None
        self._writing = (
            asyncio.Lock()
        )  # the file has one user at a time, also while a thread builds it
        self._following = asyncio.Event()  # cleared while the publisher feeds the file by itself
        self._following.set()
        self.ready = asyncio.Event()  # there is a snapshot that calls can be routed by

    async def run(self) -> None:
        """Follow Redis until cancelled. Raises RedisError when it does not answer; run again."""
        redis = open_redis(self._url)
        try:
            self._open()
            while True:
                try:
                    await self._follow(redis)
                except PlaceLostError as lost:
                    log.info("snapshot is built anew", reason=str(lost))
                except CacheCorruptError as error:
                    log.error("the feed holds what we did not write", error=str(error))
                    self._suspicious()
                await self._rebuild(redis)
        finally:
            await redis.aclose()

    def close(self) -> None:
        """Unmap and unlock."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _open(self) -> SnapshotFile:
        """The file, opened at first use. Raises SnapshotLockedError when another writes it."""
        if self._opened is not None:
            return self._opened
        self._opened = file = SnapshotFile(self._folder)
        try:
            found = file.open()
        except (CacheCorruptError, OSError) as error:
            log.error("the snapshot on disk is not usable", error=repr(error))
            found = False
        if found:
            log.info("snapshot opened", numbers=file.table.count)
            self.ready.set()
        return file

    # -- following Redis
    # ---------------------------------------------------------------------------------------

    async def _follow(self, redis: Redis) -> None:
        """Apply the feed as it grows.

        Raises PlaceLostError when that is not possible from where the file is.
        """
        await self._following.wait()
        epoch = await self._whole(redis)
        await self._check_place(redis, epoch)
        checked = 0.0
        while True:
            _, *place = self._open().position
            reply = await redis.xread({FEED_KEY: _identity(place)}, count=ENTRIES, block=BLOCK_MS)
            await self._following.wait()
            entries = reply[0][1] if reply else []
            for identity, fields in entries:
                await self._apply(redis, epoch, identity, feed_changes(fields))
            if len(entries) == ENTRIES:
                await self._check_place(
                    redis, epoch
                )  # far behind: was something cut off before us?
            elif not entries or time.monotonic() - checked >= BEAT_S:
                if (await standing(redis)).epoch != epoch:
                    raise PlaceLostError("the copy in Redis was replaced or lost")
                if not self._open().intact:
                    raise PlaceLostError("the snapshot on disk is not the one that was written")
                checked = time.monotonic()
                self._beat()

    async def _whole(self, redis: Redis) -> int:
        """The epoch of the copy, once the publisher has made it whole."""
        told = False
        while not (found := await standing(redis)).whole:
            if not told:
                log.warning("the copy in Redis is not whole: waiting for the publisher")
                told = True
            await asyncio.sleep(NOT_WHOLE_S)
        await self._following.wait()
        return found.epoch

    async def _check_place(self, redis: Redis, epoch: int) -> None:
        """What was applied last is still in the feed, so nothing after it was cut off."""
        file = self._open()
        ours, *place = file.position
        if not file.built or ours != epoch:
            raise PlaceLostError("the file is not of the epoch in Redis")
        if not await redis.xrange(FEED_KEY, _identity(place), _identity(place)):
            raise PlaceLostError(f"feed entry {_identity(place)} is gone")

    async def _apply(
        self, redis: Redis, epoch: int, identity: bytes, changes: list[Change]
    ) -> None:
        blob = None
        for kind, _, value, _ in changes:
            if kind == EPOCH and value != epoch:
                raise PlaceLostError("the publisher wrote everything anew")
            if kind == DIRECTORY:
                blob = await redis.get(DIRECTORY_KEY)
        await self._store(changes, blob, (epoch, *_place(identity)))

    async def _store(self, changes: list[Change], blob: bytes | None, position: Position) -> None:
        async with self._writing:
            file = self._open()
            try:
                file.apply(changes, blob)
                if file.worth_rebuilding:
                    await asyncio.to_thread(file.grow, [])
            except TableFullError:
                await asyncio.to_thread(file.grow, changes)
            file.placed(position)

    async def _rebuild(self, redis: Redis) -> None:
        """A new file of what Redis holds now, placed where the feed ended before reading."""
        started = time.monotonic()
        epoch = await self._whole(redis)
        newest = await redis.xrevrange(FEED_KEY, count=1)
        if not newest:
            return  # between our two questions the copy was lost: `_follow` will find out
        file = self._open()
        table = file.table if file.built else None
        found = await read_copy(redis, table, file.deals.table if file.deals.built else None)
        if found.corrupt:
            log.error("Redis holds what we did not write", values=found.corrupt)
            self._suspicious()
        position = (epoch, *_place(newest[0][0]))
        async with self._writing:
            deals = _values(found.deals)
            await asyncio.to_thread(
                file.build, found.pairs, len(found.keys), found.groups, found.blob, position, deals
            )
        self._done(len(found.keys), started)

    # -- fed by the publisher: all at once when everything is published, and while Redis is gone
    # ----------------------------------------------------------------

    async def take_over(self, truth: Truth) -> None:
        """The publisher feeds the file from now on, beginning with all of the truth."""
        started = time.monotonic()
        self._following.clear()
        _, blob = directory_bytes(truth.directory)
        async with self._writing:
            file = self._open()
            place, deals = file.position, _values(truth.deals)
            await asyncio.to_thread(
                file.build, truth.pairs, truth.count, truth.groups, blob, place, deals
            )
        self._done(truth.count, started)

    def _done(self, numbers: int, started: float) -> None:
        log.info("snapshot built", numbers=numbers, seconds=round(time.monotonic() - started, 3))
        self._beat()
        self.ready.set()

    async def feed(self, changes: list[Change], blob: bytes | None) -> None:
        """New values from the publisher; call it often: it also beats the heart now."""
        if changes:
            await self._store(changes, blob, self._open().position)
        self._beat()

    def placed(self, epoch: int, place: bytes) -> None:
        """What was taken over is what Redis holds at this entry of its feed."""
        self._open().placed((epoch, *_place(place)))

    def hand_back(self) -> None:
        """Redis has everything: follow it."""
        self._following.set()

    def _beat(self) -> None:
        self._open().beat()


def _values(deals: PackedDeals) -> DealValues:
    return DealValues(deals.values, deals.count, deals.size)


def _identity(place: list[int]) -> str:
    milliseconds, sequence = place
    return f"{milliseconds}-{sequence}"


def _place(identity: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = identity.partition(b"-")
    return int(milliseconds), int(sequence)
