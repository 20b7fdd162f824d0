"""The layout of the snapshot file (numbers.map) and how it is read and changed in place; it never
opens or maps a file.

The file is an array of 64-bit cells: a header of 512 cells, the attachment groups (one cell each),
then an open-addressing table of (number, packed value) pairs with linear probing. Sixteen bytes a
slot at 70 % load are 23 bytes a number. One writer, any number of readers in other processes, no
lock: each change is one aligned 8-byte store, which x86-64 and ARMv8 make atomic, and the check
bits of a value belong to its number.

    insert   value first, then the number            update   one store of the value
    delete   value 0, the number stays (tombstone)   growth   a new file is renamed over;
                                                              the old one says `superseded`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from math import inf

from number_registry.cache_layout import group_is_ours, number_is_ours
from number_registry.errors import CacheCorruptError, PortgateError

MAGIC = int.from_bytes(b"PGNUMS\x00\x01", "little")  # the last byte is the version of this layout
HEADER_CELLS = 512
# Slots. The table has as many spare ones at its end, so probing never wraps around.
PROBE_LIMIT = 512
BUILD_LOAD = 0.70
REBUILD_LOAD = 0.85

_MAGIC, _CAPACITY, _GROUPS, _BUILD, _CHECK = 0, 1, 2, 3, 4  # written once, covered by the check
_HEARTBEAT, _BOOT, _SUPERSEDED, _DIRECTORY = 5, 6, 7, 8
_COUNT, _USED, _FEED_MS, _FEED_SEQ, _EPOCH = 9, 10, 11, 12, 13

_MASK64 = (1 << 64) - 1
# Fibonacci hashing: blocks of consecutive numbers, which is what is rented, land far apart and
# evenly.
_SPREAD = 0x9E3779B97F4A7C15


class TableFullError(PortgateError):
    """The change does not fit in place: build a larger file."""


def boot_cell(boot_id: str) -> int:
    """The system's boot id (/proc/sys/kernel/random/boot_id) as a cell; the monotonic clock means
    nothing without it.
    """
    return int.from_bytes(blake2b(boot_id.strip().encode(), digest_size=8).digest(), "little")


def group_room(highest: int) -> int:
    """How many group cells a file for groups up to this index gets: a quarter more, in steps of
    512.
    """
    return (highest + highest // 4) // 512 * 512 + 1024


def table_capacity(numbers: int) -> int:
    """Slots for this many numbers: 70 % full when built, so a fifth more may come before the next
    build.
    """
    return max(1024, int(numbers / BUILD_LOAD) + 1)


def file_bytes(capacity: int, groups: int) -> int:
    """Size of the file in bytes."""
    return 8 * (HEADER_CELLS + groups + 2 * (capacity + PROBE_LIMIT))


class SnapshotView:
    """Reads a mapped snapshot. Fast and safe for the call path: `number` and `group` never raise.

    ``corrupt`` counts cells that were not ours; each was answered as a miss, and the caller logs
    the growth.
    """

    def __init__(self, buffer: memoryview | bytes | bytearray, boot: int = 0) -> None:
        """``boot``: boot_cell() of this machine; without it no heartbeat is believed.

        Raises CacheCorruptError when the bytes are not a whole snapshot of this layout.
        """
        view = memoryview(buffer)
        if len(view) < 8 * HEADER_CELLS or len(view) % 8:
            raise CacheCorruptError(f"snapshot: {len(view)} bytes are no snapshot")
        self._cells = cells = view.cast("B").cast("Q")
        self._capacity, self._group_count = cells[_CAPACITY], cells[_GROUPS]
        if cells[_MAGIC] != MAGIC or cells[_CHECK] != _header_check(cells):
            raise CacheCorruptError("snapshot: the header is not of this layout")
        if len(view) != file_bytes(self._capacity, self._group_count):
            raise CacheCorruptError(f"snapshot: {len(view)} bytes, the header says otherwise")
        self._first = HEADER_CELLS + self._group_count
        self._boot = boot
        self.corrupt = 0

    def number(self, e164: int) -> int:
        """The packed value of this number (cache_layout.unpack_number), or 0 when it is not known
        here.
        """
        cells = self._cells
        start = self._first + 2 * ((e164 * _SPREAD & _MASK64) * self._capacity >> 64)
        for at in range(start, start + 2 * PROBE_LIMIT, 2):
            key = cells[at]
            if key == e164:
                packed = cells[at + 1]
                if not packed or number_is_ours(e164, packed):
                    return packed
                self.corrupt += 1
                return 0
            if not key:
                return 0
        return 0

    def group(self, index: int) -> int:
        """The packed value of this attachment group (cache_layout.unpack_group), or 0 when it is
        not known here.
        """
        if not 0 < index < self._group_count:
            return 0
        packed = self._cells[HEADER_CELLS + index]
        if not packed or group_is_ours(index, packed):
            return packed
        self.corrupt += 1
        return 0

    def heartbeat_age_s(self, now_monotonic_ns: int) -> float:
        """Seconds since the copy was last known to be complete; infinite after a reboot or before
        the first beat.
        """
        cells = self._cells
        beat = cells[_HEARTBEAT]
        if not beat or not self._boot or cells[_BOOT] != self._boot or beat > now_monotonic_ns:
            return inf
        return (now_monotonic_ns - beat) / 1e9

    @property
    def superseded(self) -> bool:
        """Whether a newer file lies under the same name: open that one."""
        return self._cells[_SUPERSEDED] != 0

    @property
    def directory_generation(self) -> int:
        """Generation of directory.json beside this file; when it differs from the one in memory,
        read it again.
        """
        return self._cells[_DIRECTORY]

    @property
    def header_is_whole(self) -> bool:
        """Whether one who opens this file now would take it."""
        cells = self._cells
        return cells[_MAGIC] == MAGIC and cells[_CHECK] == _header_check(cells)

    @property
    def build(self) -> int:
        """Which build of the file this is."""
        return self._cells[_BUILD]

    @property
    def count(self) -> int:
        """How many numbers are known here."""
        return self._cells[_COUNT]

    @property
    def epoch(self) -> int:
        """The publisher's epoch that this copy was built from."""
        return self._cells[_EPOCH]

    @property
    def feed_position(self) -> tuple[int, int]:
        """Id (milliseconds, sequence) of the last feed entry that was applied."""
        return self._cells[_FEED_MS], self._cells[_FEED_SEQ]

    def numbers(self) -> Iterator[tuple[int, int]]:
        """Every (number, packed value), in no order; for rebuilding and tests, not calls."""
        cells = self._cells
        for at in range(self._first, len(cells), 2):
            if cells[at] and cells[at + 1]:
                yield cells[at], cells[at + 1]

    def groups(self) -> Iterator[tuple[int, int]]:
        """Every (group, packed value)."""
        for index in range(1, self._group_count):
            if packed := self._cells[HEADER_CELLS + index]:
                yield index, packed

    def close(self) -> None:
        """Let go of the buffer, so that the map below may be closed."""
        self._cells.release()


class SnapshotTable(SnapshotView):
    """The one writer of a snapshot. Values are stored as given: pack them with cache_layout."""

    @classmethod
    def format(
        cls, buffer: memoryview | bytearray, capacity: int, groups: int, build: int
    ) -> SnapshotTable:
        """Lay an empty table into a zeroed buffer of file_bytes(capacity, groups)."""
        cells = memoryview(buffer).cast("B").cast("Q")
        cells[_MAGIC], cells[_CAPACITY], cells[_GROUPS] = MAGIC, capacity, groups
        cells[_BUILD] = build
        cells[_CHECK] = _header_check(cells)
        cells.release()
        return cls(buffer)

    def set_number(self, e164: int, packed: int) -> None:
        """Insert, update, or with a value of 0 delete.

        Raises TableFullError when only a larger file can hold it.
        """
        cells = self._cells
        start = self._first + 2 * ((e164 * _SPREAD & _MASK64) * self._capacity >> 64)
        for at in range(start, start + 2 * PROBE_LIMIT, 2):
            key = cells[at]
            if key == e164:
                cells[_COUNT] += (packed != 0) - (cells[at + 1] != 0)
                cells[at + 1] = packed
                return
            if not key:
                if packed:
                    self._insert(at, e164, packed)
                return
        if packed:
            raise TableFullError(f"no free slot within {PROBE_LIMIT} for {e164}")

    def _insert(self, at: int, e164: int, packed: int) -> None:
        cells = self._cells
        if cells[_USED] >= REBUILD_LOAD * self._capacity:
            raise TableFullError(f"{cells[_USED]} of {self._capacity} slots are used")
        cells[at + 1] = packed
        cells[at] = e164
        cells[_USED] += 1
        cells[_COUNT] += 1

    def fill(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Insert many numbers that are not there yet, before any reader looks.

        Raises TableFullError as set_number.
        """
        cells, first, capacity = self._cells, self._first, self._capacity
        room = int(REBUILD_LOAD * capacity) - cells[_USED]
        added = 0
        for e164, packed in pairs:
            at = first + 2 * ((e164 * _SPREAD & _MASK64) * capacity >> 64)
            end = at + 2 * PROBE_LIMIT
            while cells[at] and at < end:
                at += 2
            if at >= end or added >= room:
                raise TableFullError(f"{added} numbers fill this table")
            cells[at + 1] = packed
            cells[at] = e164
            added += 1
        cells[_USED] += added
        cells[_COUNT] += added

    def set_group(self, index: int, packed: int) -> None:
        """Point a group elsewhere, or with 0 forget it.

        Raises TableFullError for an index beyond the room.
        """
        if not 0 < index < self._group_count:
            if packed:
                raise TableFullError(f"group {index} is beyond {self._group_count} cells")
            return
        self._cells[HEADER_CELLS + index] = packed

    def beat(self, now_monotonic_ns: int, boot: int) -> None:
        """Say that the copy is complete now."""
        cells = self._cells
        if cells[_BOOT] != boot:
            cells[_HEARTBEAT] = (
                0  # a beat of the old boot must never be read with the new boot's id
            )
            cells[_BOOT] = boot
        cells[_HEARTBEAT] = now_monotonic_ns

    def set_directory_generation(self, generation: int) -> None:
        """Tell readers which directory.json lies beside; call it after the rename."""
        self._cells[_DIRECTORY] = generation

    def set_position(self, epoch: int, milliseconds: int, sequence: int) -> None:
        """Remember the last applied feed entry.

        Sequence first: an older position is only repeated work.
        """
        cells = self._cells
        cells[_EPOCH] = epoch
        cells[_FEED_SEQ] = sequence
        cells[_FEED_MS] = milliseconds

    def supersede(self, yes: bool = True) -> None:
        """Send readers to the newer file, or call them back when there is none after all."""
        self._cells[_SUPERSEDED] = yes

    @property
    def worth_rebuilding(self) -> bool:
        """Whether the table is nearly full or a quarter of it are tombstones."""
        cells = self._cells
        used, count = cells[_USED], cells[_COUNT]
        return used > REBUILD_LOAD * self._capacity or used - count > self._capacity // 4


def _header_check(cells: memoryview[int]) -> int:
    fixed = b"".join(cells[at].to_bytes(8, "little") for at in (_MAGIC, _CAPACITY, _GROUPS, _BUILD))
    return int.from_bytes(blake2b(fixed, digest_size=8, person=b"pg-snapshot").digest(), "little")
