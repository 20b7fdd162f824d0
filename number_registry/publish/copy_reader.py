"""Reads the whole published copy out of Redis, but what is not ours; it writes nothing."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from redis.asyncio import Redis

from number_registry import deal_layout
from number_registry.cache_layout import (
    BUCKETS,
    DIRECTORY_KEY,
    GROUPS_KEY,
    bucket,
    bucket_key,
    group_from_redis,
    numbers_from_hash,
)
from number_registry.deal_layout import DEAL, INDEX
from number_registry.deal_table import DealView
from number_registry.errors import CacheCorruptError
from number_registry.packed_deals import PackedDeals
from number_registry.publish.redis_copy import BUCKETS_AT_ONCE, hashes, several_at_once
from number_registry.snapshot import SnapshotView


class PublishedCopy:
    """All that Redis holds. ``corrupt`` counts values that were not ours."""

    def __init__(self) -> None:
        self.keys: array[int] = array("Q")
        self.values: array[int] = array("Q")
        self.groups: dict[int, int] = {}
        self.blob = b""
        self.deals = PackedDeals()
        self.corrupt = 0

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Every (number, packed value)."""
        return zip(self.keys, self.values, strict=True)

    def add(self, numbers: list[tuple[int, int]]) -> None:
        """More numbers."""
        self.keys.extend([e164 for e164, _ in numbers])
        self.values.extend([packed for _, packed in numbers])


async def read_copy(
    redis: Redis, known: SnapshotView | None, known_deals: DealView | None
) -> PublishedCopy:
    """The whole copy.

    Where a value is corrupt, what is ``known`` of that number, group or deal stays in force.
    """
    copy = PublishedCopy()
    copy.blob = await redis.get(DIRECTORY_KEY) or b""
    (groups,) = await hashes(redis, [GROUPS_KEY])
    if groups is None and known is not None:
        copy.corrupt += 1
        copy.groups = dict(known.groups())
    _groups(copy, groups or {}, known)
    lost: set[int] = set()

    async def read(first: int) -> None:
        indices = range(first, first + BUCKETS_AT_ONCE)
        stored = await hashes(redis, [bucket_key(index) for index in indices])
        for index, fields in zip(indices, stored, strict=True):
            if fields is None:
                lost.add(index)
            else:
                _numbers(copy, fields, known)

    await several_at_once(read, range(0, BUCKETS, BUCKETS_AT_ONCE))
    if lost and known is not None:
        copy.corrupt += len(lost)
        copy.add([pair for pair in known.numbers() if bucket(pair[0]) in lost])
    for kind in (DEAL, INDEX):
        await _deals(redis, copy, kind, known_deals)
    return copy


async def _deals(redis: Redis, copy: PublishedCopy, kind: str, known: DealView | None) -> None:
    lost: set[int] = set()

    async def read(first: int) -> None:
        indices = range(first, min(first + BUCKETS_AT_ONCE, deal_layout.BUCKETS))
        stored = await hashes(redis, [deal_layout.bucket_key(kind, index) for index in indices])
        for index, fields in zip(indices, stored, strict=True):
            if fields is None:
                lost.add(index)
            elif fields:
                copy.deals.add(kind, _good(copy, kind, fields, known))

    await several_at_once(read, range(0, deal_layout.BUCKETS, BUCKETS_AT_ONCE))
    copy.corrupt += len(lost)
    if lost and known is not None:
        kept = (found for found in known.values() if found[0] == kind)
        copy.deals.add(
            kind, ((key, value) for _, key, value in kept if key % deal_layout.BUCKETS in lost)
        )


def _good(
    copy: PublishedCopy, kind: str, fields: dict[bytes, bytes], known: DealView | None
) -> Iterator[tuple[int, bytes]]:
    for field, value in fields.items():
        if not (field.isdigit() and len(field) <= 19):
            copy.corrupt += 1
            continue
        key = int(field)
        if not deal_layout.is_ours(kind, key, value):
            copy.corrupt += 1
            value = known.value(kind, key) if known is not None else b""
        if value:
            yield key, value


def _numbers(copy: PublishedCopy, stored: dict[bytes, bytes], known: SnapshotView | None) -> None:
    numbers, bad = numbers_from_hash(stored)
    copy.add(numbers)
    copy.corrupt += len(bad)
    if known is not None:
        kept = [(int(field), known.number(int(field))) for field in bad if _is_number(field)]
        copy.add([(e164, packed) for e164, packed in kept if packed])


def _is_number(field: bytes) -> bool:
    return field.isdigit() and len(field) <= 15


def _groups(copy: PublishedCopy, stored: dict[bytes, bytes], known: SnapshotView | None) -> None:
    for field, value in stored.items():
        if not _is_number(field):
            copy.corrupt += 1
            continue
        group = int(field)
        try:
            packed = group_from_redis(group, value)
        except CacheCorruptError:
            copy.corrupt += 1
            packed = known.group(group) if known is not None else 0
        if packed:
            copy.groups[group] = packed
