"""Writes and reads the published copy in Redis; it decides nothing about when, and never flushes.

The copy is *whole* when its meta hash names an epoch and the very Redis process it was written to.
A Redis that was restarted, restored from an old dump or failed over is not whole: the publisher
writes it anew and changes the epoch, and only then do mirrors believe it again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

import hiredis
from redis.asyncio import ConnectionPool, Redis, UnixDomainSocketConnection
from redis.exceptions import RedisError, ResponseError

from number_registry.cache_layout import (
    DIRECTORY_KEY,
    FEED_KEY,
    GROUPS_KEY,
    META_KEY,
    number_place,
)
from number_registry.deal_layout import DEAL, INDEX, place
from number_registry.errors import RetryError
from number_registry.feed_layout import EPOCH, GROUP, NUMBER, Change, feed_fields, in_order

FEED_ENTRIES = 2000  # about a million changes; a mirror that is further behind builds anew
CHANGES_PER_ENTRY = 500
BUCKETS_AT_ONCE = 32  # two thousand numbers at a million: some milliseconds between two awaits
WORKERS = 3


class CopyLostError(RetryError):
    """Redis does not hold what we published there: publish all of it again."""


class Standing(NamedTuple):
    """What Redis says of itself.

    ``epoch`` is 0 when nothing whole was ever written, or it was written elsewhere.
    """

    epoch: int

    @property
    def whole(self) -> bool:
        return self.epoch != 0


def open_redis(url: str, timeout_s: float = 1.0) -> Redis:
    """A client for a unix socket URL: short time-outs, no retries of its own, no CLIENT SETINFO
    (Redis 7.0).
    """
    pool: ConnectionPool = ConnectionPool(
        connection_class=_Connection,
        path=url.removeprefix("unix://"),
        socket_timeout=timeout_s,
        socket_connect_timeout=0.5,
        lib_name=None,
        lib_version=None,
    )
    return Redis.from_pool(pool)


class _Connection(UnixDomainSocketConnection):
    """Packs commands in C, as redis-py's blocking client does: seconds less for a million."""

    def pack_command(self, *args: Any) -> list[bytes]:
        name, *rest = args
        return [hiredis.pack_command((*name.split(), *rest))]


async def standing(redis: Redis) -> Standing:
    """Whether the copy is whole. Raises redis.RedisError when Redis does not answer."""
    pipe = redis.pipeline(transaction=False)
    pipe.hmget(META_KEY, ["epoch", "run"])
    pipe.info("server")
    pipe.type(FEED_KEY)
    meta, server, feed = await pipe.execute(raise_on_error=False)
    for reply in (server, feed):
        if isinstance(reply, RedisError):
            raise reply
    if wrong_type(meta) or feed != b"stream":
        return Standing(0)
    epoch, run = meta
    written_here = run is not None and run.decode("ascii", "replace") == server["run_id"]
    return Standing(int(epoch) if written_here and epoch and epoch.isdigit() else 0)


def wrong_type(reply: Any) -> bool:
    """Whether a reply says that a key of ours holds something foreign; raises any other error
    reply.
    """
    if isinstance(reply, RedisError):
        if isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE"):
            return True
        raise reply
    return False


async def write(redis: Redis, changes: list[Change], blob: bytes | None, epoch: int) -> None:
    """Write new values and tell the feed, what is pointed to before what points to it.

    Raises CopyLostError when the copy is not of this epoch any more, redis.RedisError when Redis
    does not answer; in both cases call again: values are absolute, so repeating does no harm.
    """
    pipe = redis.pipeline(transaction=True)
    pipe.hget(META_KEY, "epoch")
    if blob is not None:
        pipe.set(DIRECTORY_KEY, blob)
    for kind, key, value, text in changes:
        if kind not in (NUMBER, GROUP, DEAL, INDEX):
            continue
        where = _place(kind, key)
        if value or text:
            pipe.hset(where[0], items=[where[1], text or str(value)])
        else:
            pipe.hdel(*where)
    feed(pipe, changes)
    found, *replies = await pipe.execute(raise_on_error=False)
    if any([wrong_type(reply) for reply in (found, *replies)]):
        raise CopyLostError("a key of ours holds something foreign")
    if found != b"%d" % epoch:
        raise CopyLostError(f"epoch {epoch} was published, Redis has {found!r}")


def _place(kind: str, key: int) -> tuple[str, str]:
    if kind == NUMBER:
        return number_place(key)
    return (GROUPS_KEY, str(key)) if kind == GROUP else place(kind, key)


def feed(pipe: Any, changes: list[Change]) -> None:
    """Add these to a pipeline as feed entries, what is pointed to before what points to it."""
    changes = in_order(changes)
    for start in range(0, len(changes), CHANGES_PER_ENTRY):
        fields = feed_fields(changes[start : start + CHANGES_PER_ENTRY])
        pipe.xadd(FEED_KEY, fields, maxlen=FEED_ENTRIES, approximate=True)


async def new_epoch(redis: Redis) -> tuple[int, bytes]:
    """Declare the copy whole and of a new epoch, which makes every mirror build anew.

    Returns the epoch and the id of its feed entry: what comes after that is news.
    """
    epoch = secrets.randbits(62) | 1
    run = (await redis.info("server"))["run_id"]
    pipe = redis.pipeline(transaction=True)
    pipe.hset(META_KEY, mapping={"epoch": str(epoch), "run": run})
    feed(pipe, [Change(EPOCH, 0, epoch)])
    _, place = await pipe.execute()
    return epoch, place


async def disown(redis: Redis) -> None:
    """Declare the copy not whole, before writing what mirrors could not follow."""
    await redis.delete(META_KEY)
    if await redis.type(FEED_KEY) != b"stream":
        await redis.delete(FEED_KEY)


async def stored_directory(redis: Redis) -> bytes | None:
    """The bytes of the directory, or None when there are none or something foreign is in their
    place.
    """
    pipe = redis.pipeline(transaction=False)
    pipe.get(DIRECTORY_KEY)
    (value,) = await pipe.execute(raise_on_error=False)
    return None if wrong_type(value) else value


async def hashes(redis: Redis, keys: list[str]) -> list[dict[bytes, bytes] | None]:
    """Each key's fields, or None where it is something else than a hash."""
    pipe = redis.pipeline(transaction=False)
    for key in keys:
        pipe.hgetall(key)
    replies = await pipe.execute(raise_on_error=False)
    return [None if wrong_type(reply) else reply for reply in replies]


async def several_at_once(work: Callable[[int], Awaitable[None]], parts: Iterable[int]) -> None:
    """Work on all parts, so many at a time that Redis is busy while we are; raises the first error
    of all.
    """
    left = iter(parts)

    async def worker() -> None:
        for part in left:
            await work(part)

    results = await asyncio.gather(*(worker() for _ in range(WORKERS)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
