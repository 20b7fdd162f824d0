"""The registry as a SIP worker sees it: the mapped snapshot first, Redis once where that cannot
know; it never blocks long.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

from kemi.deal_lookup import DealLookup
from kemi.redis_lookup import RedisDownError, RedisLookup
from number_registry import cache_layout
from number_registry.compact_directory import CompactDirectory
from number_registry.errors import CacheCorruptError
from number_registry.names import NO_NAMES, Names
from number_registry.snapshot import SnapshotView, boot_cell
from number_registry.steady_clock import SteadyClock

STALE_S = 2.0
RETRY_OPEN_S = 1.0
Warn = Callable[[str], None]


class Registry:
    """Packed numbers for CompactDirectory. One per process; `refresh` before each decision costs
    two cell reads.
    """

    def __init__(self, folder: Path, redis_path: str, warn: Warn) -> None:
        self._map, self._json = folder / "numbers.map", folder / "directory.json"
        self._redis = RedisLookup(redis_path)
        self._warn = warn
        self._boot = boot_cell(Path("/proc/sys/kernel/random/boot_id").read_text())
        self._view: SnapshotView | None = None
        self._next_open = 0.0
        self._generation = 0
        self._stale = True
        self._corrupt_said = 0
        self.directory: CompactDirectory | None = None
        # grows with each new directory, so that what was derived from it is derived again
        self.version = 0
        self.names: Names = NO_NAMES
        self._deals = DealLookup(folder, self._redis, warn, lambda: self._stale)
        self._clock = SteadyClock()

    def refresh(self) -> CompactDirectory | None:
        """The directory to decide with; None only while no snapshot has ever been readable."""
        view = self._view
        if view is None or view.superseded:
            view = self._open(view)
            if view is None:
                return self.directory
        if view.directory_generation != self._generation:
            self._read_directory(view)
        self._stale = view.heartbeat_age_s(time.monotonic_ns()) > STALE_S
        return self.directory

    def lead(self, names: Names) -> None:
        """Names lead elsewhere: the directory is read anew before the next decision."""
        self.names, self._generation = names, 0

    # -- PackedNumbers -------------------------------------------------------------------------

    def number(self, e164: int) -> int:
        """Snapshot first; Redis on a miss, or when the snapshot's heartbeat is old."""
        known = self._view.number(e164) if self._view else 0
        if known and not self._stale:
            return known
        try:
            key, field = cache_layout.number_place(e164)
            # A nil must not beat the snapshot: Redis may be empty because it is being written anew.
            return cache_layout.number_from_redis(e164, self._redis.hget(key, field)) or known
        except RedisDownError:
            return known
        except CacheCorruptError as error:
            self._warn(f"foreign bytes in Redis were not used: {error}")
            return known

    def group(self, index: int) -> int:
        """As `number`, for an attachment group."""
        known = self._view.group(index) if self._view else 0
        if known and not self._stale:
            return known
        try:
            value = self._redis.hget(cache_layout.GROUPS_KEY, str(index))
            return cache_layout.group_from_redis(index, value) or known
        except RedisDownError:
            return known
        except CacheCorruptError as error:
            self._warn(f"foreign bytes in Redis were not used: {error}")
            return known

    def say_corruption(self) -> None:
        """One line for each growth of the count of cells and values that were not ours."""
        self._deals.say_corruption()
        count = self._view.corrupt if self._view else 0
        if count != self._corrupt_said:
            self._corrupt_said = count
            self._warn(f"{count} cells of the snapshot were not ours and were taken as unknown")

    # -- files ---------------------------------------------------------------------------------

    def _open(self, old: SnapshotView | None) -> SnapshotView | None:
        """Map the file under its name; keeps the old one, and tries again a second later, when it
        cannot be used.
        """
        now = time.monotonic()
        if now < self._next_open:
            return old
        try:
            with self._map.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                view = SnapshotView(
                    memoryview(mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)), self._boot
                )
        except (OSError, ValueError, CacheCorruptError) as error:
            self._next_open = now + RETRY_OPEN_S
            self._warn(f"{self._map.name} cannot be used: {error}")
            return old
        self._view, self._corrupt_said = view, 0
        return view

    def _read_directory(self, view: SnapshotView) -> None:
        now = time.monotonic()
        if now < self._next_open:
            return
        wanted = view.directory_generation
        try:
            read = cache_layout.read_directory(self._json.read_bytes())
            self.directory = CompactDirectory(
                self, read.content, self.names, self._deals, self._clock
            )
        except (OSError, ValueError, CacheCorruptError) as error:
            self._next_open = now + RETRY_OPEN_S
            self._warn(f"{self._json.name} cannot be used: {error}")
            return
        # A still newer file may lie there already; what was read is what counts.
        self._generation = read.generation
        self.version += 1
        if read.generation != wanted:
            self._next_open = now + 0.05
