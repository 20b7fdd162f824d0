"""Compares all of Redis with all of the truth, and mends what differs; it never flushes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from redis.asyncio import Redis

from number_registry import deal_layout
from number_registry.cache_layout import (
    BUCKETS,
    DIRECTORY_KEY,
    GROUPS_KEY,
    bucket_key,
    directory_bytes,
)
from number_registry.deal_layout import DEAL, INDEX
from number_registry.errors import CacheCorruptError
from number_registry.feed_layout import DIRECTORY, GROUP, NUMBER, Change
from number_registry.publish.redis_copy import (
    BUCKETS_AT_ONCE,
    disown,
    feed,
    hashes,
    new_epoch,
    several_at_once,
    standing,
    stored_directory,
)
from number_registry.store.truth import Truth

# Beyond this many changes a mirror is quicker by building anew than by following.
FOLLOWED_CHANGES = 50_000


class Rewritten(NamedTuple):
    """What a rewrite did. ``place``: id of the feed entry of the new epoch; empty when the epoch is
    the old one and mirrors learn what changed entry by entry.
    """

    written: int
    removed: int
    epoch: int
    place: bytes


class _Found(NamedTuple):
    """One hash compared with the truth.

    ``items``: name, value, name, value to write; ``gone``: fields to remove.

    ``changes`` is the same for the feed, and empty where nobody needs it. ``deals``: which an index
    that differs names, here or there, by their keys.
    """

    key: str
    items: list[bytes]
    gone: list[bytes]
    changes: list[Change]
    foreign: list[bytes]
    no_hash: bool
    deals: frozenset[int] = frozenset()


async def rewrite(redis: Redis, truth: Truth) -> Rewritten:
    """Make Redis equal to the truth key by key: only what differs is written, what is stale is
    removed.

    On a copy that is whole each change goes into the feed in the same step as its value, so mirrors
    never miss one; when they are too many, and on a copy that is not whole, it is declared not
    whole and gets a new epoch at the end. Interrupted anywhere, it leaves a copy that either is
    right so far or is known not to be whole.
    """
    before = await standing(redis)
    work = _Rewrite(redis, following=before.whole)
    if not before.whole:
        await disown(redis)
    await work.directory(truth)
    await _compare(redis, truth, work.store, lambda: work.following)
    epoch, place = (before.epoch, b"") if work.following else await new_epoch(redis)
    return Rewritten(work.written, work.removed, epoch, place)


class _Rewrite:
    def __init__(self, redis: Redis, following: bool) -> None:
        self._redis, self.following = redis, following
        self.written = self.removed = 0

    async def directory(self, truth: Truth) -> None:
        generation, blob = directory_bytes(truth.directory)
        if await stored_directory(self._redis) != blob:
            pipe = self._redis.pipeline(transaction=True)
            pipe.set(DIRECTORY_KEY, blob)
            feed(pipe, [Change(DIRECTORY, 0, generation)])
            await pipe.execute()

    async def store(self, found: list[_Found]) -> None:
        self.written += sum(len(one.items) // 2 for one in found)
        self.removed += sum(len(one.gone) for one in found)
        if self.following and self.written + self.removed > FOLLOWED_CHANGES:
            self.following = False
            await disown(self._redis)
        pipe = self._redis.pipeline(transaction=self.following)
        for one in found:
            _mend(pipe, one)
        if self.following:
            feed(pipe, [change for one in found for change in one.changes])
        if len(pipe):
            await pipe.execute()


async def differences(redis: Redis, truth: Truth) -> list[Change]:
    """What in Redis is not as in the truth; for an index of deals, the deals that it names.

    Foreign fields are removed at once; nothing of ours is touched.

    Safe beside a running publisher: a difference may be a change under way, so ask for it to be
    published again.
    """
    generation, blob = directory_bytes(truth.directory)
    changes = []
    if await stored_directory(redis) != blob:
        changes.append(Change(DIRECTORY, 0, generation))

    async def noted(found: list[_Found]) -> None:
        pipe = redis.pipeline(transaction=False)
        for one in found:
            changes.extend([change for change in one.changes if change.kind != INDEX])
            changes.extend([Change(DEAL, key) for key in one.deals])
            _mend(pipe, one._replace(items=[], gone=[]))
        if len(pipe):
            await pipe.execute()

    await _compare(redis, truth, noted, lambda: True)
    return changes


async def _compare(
    redis: Redis, truth: Truth, found: Callable[[list[_Found]], Any], listed: Callable[[], bool]
) -> None:
    """Give ``found`` every hash, what is pointed to before what points to it.

    ``listed``: whether changes are wanted besides items.
    """

    async def numbers(first: int) -> None:
        indices = range(first, first + BUCKETS_AT_ONCE)
        replies = await hashes(redis, [bucket_key(index) for index in indices])
        chunk = []
        for index, stored in zip(indices, replies, strict=True):
            cells, key = truth.buckets[index], bucket_key(index)
            if stored or listed():
                pairs = zip(cells[::2], cells[1::2], strict=True)
                wanted = ((e164, b"%d" % packed) for e164, packed in pairs)
                chunk.append(_compared(NUMBER, key, wanted, stored))
            else:
                chunk.append(
                    _Found(key, [b"%d" % cell for cell in cells], [], [], [], stored is None)
                )
        await found(chunk)

    (stored,) = await hashes(redis, [GROUPS_KEY])
    groups = ((group, b"%d" % packed) for group, packed in truth.groups.items())
    await found([_compared(GROUP, GROUPS_KEY, groups, stored)])
    await several_at_once(numbers, range(0, BUCKETS, BUCKETS_AT_ONCE))
    for kind in (DEAL, INDEX):
        await _compare_deals(redis, truth, kind, found)


async def _compare_deals(
    redis: Redis, truth: Truth, kind: str, found: Callable[[list[_Found]], Any]
) -> None:
    async def some(first: int) -> None:
        indices = range(first, min(first + BUCKETS_AT_ONCE, deal_layout.BUCKETS))
        keys = [deal_layout.bucket_key(kind, index) for index in indices]
        replies = await hashes(redis, keys)
        await found(
            [
                _compared(kind, key, truth.deals.bucket(kind, index), stored)
                for index, key, stored in zip(indices, keys, replies, strict=True)
            ]
        )

    await several_at_once(some, range(0, deal_layout.BUCKETS, BUCKETS_AT_ONCE))


def _compared(
    kind: str, key: str, wanted: Iterable[tuple[int, bytes]], stored: dict[bytes, bytes] | None
) -> _Found:
    left = stored or {}
    items: list[bytes] = []
    changes: list[Change] = []
    deals: set[int] = set()
    for number, value in wanted:
        name = b"%d" % number
        before = left.pop(name, None)
        if before != value:
            items += (name, value)
            changes.append(_change(kind, number, value))
            if kind == INDEX:
                deals.update(_named(number, value), _named(number, before))
    gone = [field for field in left if _is_ours(kind, field)]
    changes += [Change(kind, int(field)) for field in gone]
    if kind == INDEX:
        deals.update(*(_named(int(field), left[field]) for field in gone))
    foreign = [field for field in left if not _is_ours(kind, field)]
    return _Found(key, items, gone, changes, foreign, stored is None, frozenset(deals))


def _change(kind: str, key: int, value: bytes) -> Change:
    if kind in (DEAL, INDEX):
        return Change(kind, key, 0, value)
    return Change(kind, key, int(value))


def _named(key: int, value: bytes | None) -> list[int]:
    try:
        return deal_layout.unpack_index(key, value or b"")
    except CacheCorruptError:
        return []


def _is_ours(kind: str, field: bytes) -> bool:
    longest = 19 if kind == INDEX else 15
    return field.isdigit() and len(field) <= longest and not field.startswith(b"0")


def _mend(pipe: Any, found: _Found) -> None:
    if found.no_hash:
        pipe.delete(found.key)
    if found.items:
        pipe.hset(found.key, items=found.items)
    if found.gone or found.foreign:
        pipe.hdel(found.key, *found.gone, *found.foreign)
