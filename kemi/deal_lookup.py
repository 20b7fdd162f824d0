"""Deals as a SIP worker sees them: the mapped file first, Redis once where that cannot know; it
never blocks long.

A closed deal stays published as closed until its cool-off ends, so what is not there is unknown,
and whatever one of the two copies says counts for more than that the other knows nothing. Which
deals an outside number has is asked of the file alone while that is fresh: most callers have none,
and no call of theirs should cost a question.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

from kemi.redis_lookup import RedisDownError, RedisLookup
from number_registry.deal_layout import (
    BUCKETS,
    DEAL,
    INDEX,
    SCRIPT,
    bucket_key,
    is_ours,
    place,
    unpack_index,
)
from number_registry.deal_table import DealView
from number_registry.errors import CacheCorruptError

RETRY_OPEN_S = 1.0
_PREFIX = bucket_key(DEAL, 0)[:-1]


class DealLookup:
    """Packed deals for CompactDirectory. ``stale``: whether the file may be behind."""

    def __init__(
        self,
        folder: Path,
        redis: RedisLookup,
        warn: Callable[[str], None],
        stale: Callable[[], bool],
    ) -> None:
        self._path, self._redis, self._warn, self._stale = folder / "deals.map", redis, warn, stale
        self._file: DealView | None = None
        self._next_open = 0.0
        self._corrupt_said = 0

    def deal(self, key: int) -> bytes:
        """The file first; Redis on a miss, or when the file may be behind."""
        view = self._view()
        known = view.value(DEAL, key) if view else b""
        if known and not self._stale():
            return known
        try:
            found = self._redis.hget(*place(DEAL, key))
        except RedisDownError:
            return known
        return self._ours(DEAL, key, found) or known

    def named(self, key: int) -> list[tuple[int, bytes]]:
        """The deals of an index, by the file while it is fresh, else by Redis in one question."""
        view = self._view()
        keys = unpack_index(key, view.value(INDEX, key)) if view else []
        known = {one: view.value(DEAL, one) for one in keys} if view else {}
        if self._stale():
            known = self._asked(key, known)
        return [(one, packed) for one, packed in known.items() if packed]

    def _asked(self, key: int, known: dict[int, bytes]) -> dict[int, bytes]:
        """What Redis has of the index and of the deals that are known; the newest first."""
        where, field = place(INDEX, key)
        words = (field, _PREFIX, str(BUCKETS), *map(str, known))
        try:
            index, *pairs = self._redis.eval(SCRIPT, where, words)
            deals = {int(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}
        except RedisDownError:
            return known
        except ValueError as error:
            self._warn(f"an answer of Redis about deals was not used: {error}")
            return known
        found = {
            one: self._ours(DEAL, one, value) or known.get(one, b"") for one, value in deals.items()
        }
        # The index in Redis has the newer ones, in its order; what only the file knows comes last.
        first = unpack_index(key, self._ours(INDEX, key, index))
        return {one: found[one] for one in (*first, *known) if one in found}

    def auto_connects(self) -> bool:
        """Whether there may be a deal with auto_connect."""
        view = self._view()
        return (view is not None and view.auto_connects) or self._stale()

    def say_corruption(self) -> None:
        """One line for each growth of the count of values that were not ours."""
        count = self._file.corrupt if self._file else 0
        if count != self._corrupt_said:
            self._corrupt_said = count
            self._warn(f"{count} values in the file of deals were not ours, and taken as unknown")

    def _ours(self, kind: str, key: int, value: bytes | None) -> bytes:
        """The value, or none where nobody of ours wrote it."""
        if not value:
            return b""
        if is_ours(kind, key, value):
            return value
        self._warn(f"foreign bytes in Redis were not used: {place(kind, key)[0]}")
        return b""

    def _view(self) -> DealView | None:
        view = self._file
        if view is None or view.superseded:
            return self._open(view)
        return view

    def _open(self, old: DealView | None) -> DealView | None:
        """Map the file under its name; keeps the old one, and tries again a second later, when it
        cannot be used.
        """
        now = time.monotonic()
        if now < self._next_open:
            return old
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                mapped = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
            view = DealView(memoryview(mapped))
        except (OSError, ValueError, CacheCorruptError) as error:
            self._next_open = now + RETRY_OPEN_S
            self._warn(f"{self._path.name} cannot be used: {error}")
            return old
        self._file, self._corrupt_said = view, 0
        return view
