"""The layout of the file of deals beside the snapshot (deals.map), and how it is read and changed
in place; it never opens or maps a file.

A header of 64 cells of 64 bits, an open-addressing table of (key, where) pairs with linear probing,
then the values. A value is written once and never changed: a change writes a new one behind the
last and turns the pointer to it, which is one aligned 8-byte store. One writer, any number of
readers, no lock; whoever reads what is being written finds check bits that do not fit. When there
is no room left, a new file without what is not pointed to any more takes its place, and the old one
says `superseded`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from number_registry.deal_layout import DEAL, INDEX, is_auto, is_ours, unpack_index
from number_registry.errors import CacheCorruptError
from number_registry.snapshot import PROBE_LIMIT, TableFullError, table_capacity

MAGIC = int.from_bytes(b"PGDEAL\x00\x01", "little")  # the last byte is the version of this layout
HEADER_CELLS = 64
REBUILD_LOAD = 0.85
LONGEST = 4095  # bytes of a value

_MAGIC, _CAPACITY, _ROOM, _BUILD, _CHECK = 0, 1, 2, 3, 4  # written once, covered by the check
_SUPERSEDED, _COUNT, _USED, _END, _AUTO = 5, 6, 7, 8, 9
_MASK64 = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15
_DEAL = 1 << 62  # an index's key is smaller


def file_bytes(capacity: int, room: int) -> int:
    """Size of the file; ``room``: bytes for values."""
    return 8 * (HEADER_CELLS + 2 * (capacity + PROBE_LIMIT)) + room


def room_for(values: int) -> int:
    """Bytes for so many bytes of values: half as much again, so that changes find room."""
    return (values + values // 2) // 8 * 8 + (1 << 18)


def slot_key(kind: str, key: int) -> int:
    """One space of keys for both kinds."""
    return key | _DEAL if kind == DEAL else key


def kind_and_key(slot: int) -> tuple[str, int]:
    """The inverse of `slot_key`."""
    return (DEAL, slot ^ _DEAL) if slot & _DEAL else (INDEX, slot)


class DealView:
    """Reads a mapped file of deals; `value` never raises. ``corrupt`` counts values that were not
    ours.
    """

    def __init__(self, buffer: memoryview | bytes | bytearray) -> None:
        """Raises CacheCorruptError when the bytes are not a whole file of this layout."""
        view = memoryview(buffer)
        if len(view) < 8 * HEADER_CELLS or len(view) % 8:
            raise CacheCorruptError(f"deals: {len(view)} bytes are no file of deals")
        self._bytes = view.cast("B")
        self._cells = cells = self._bytes.cast("Q")
        self._capacity, self._room = cells[_CAPACITY], cells[_ROOM]
        if not self.header_is_whole:
            raise CacheCorruptError("deals: the header is not of this layout")
        if len(view) != file_bytes(self._capacity, self._room):
            raise CacheCorruptError(f"deals: {len(view)} bytes, the header says otherwise")
        self._first = 8 * (HEADER_CELLS + 2 * (self._capacity + PROBE_LIMIT))
        self.corrupt = 0

    def value(self, kind: str, key: int) -> bytes:
        """The bytes published for this key; empty when there are none."""
        slot = key | _DEAL if kind == DEAL else key
        at = self._slot(slot)
        where = self._cells[at + 1] if at else 0
        if not where:
            return b""
        first = self._first + (where >> 12)
        value = bytes(self._bytes[first : first + (where & LONGEST)])
        if is_ours(kind, key, value):
            return value
        self.corrupt += 1
        return b""

    def _slot(self, slot: int) -> int:
        """The cell of this key, or 0."""
        cells = self._cells
        start = HEADER_CELLS + 2 * ((slot * _SPREAD & _MASK64) * self._capacity >> 64)
        for at in range(start, start + 2 * PROBE_LIMIT, 2):
            key = cells[at]
            if key == slot:
                return at
            if not key:
                return 0
        return 0

    @property
    def superseded(self) -> bool:
        """Whether a newer file lies under the same name: open that one."""
        return self._cells[_SUPERSEDED] != 0

    @property
    def header_is_whole(self) -> bool:
        """Whether one who opens this file now would take it."""
        cells = self._cells
        return cells[_MAGIC] == MAGIC and cells[_CHECK] == _header_check(cells)

    @property
    def count(self) -> int:
        """How many values there are, of both kinds."""
        return self._cells[_COUNT]

    @property
    def auto_connects(self) -> bool:
        """Whether any open deal connects by itself."""
        return self._cells[_AUTO] != 0

    @property
    def build(self) -> int:
        """Which build of the file this is."""
        return self._cells[_BUILD]

    def values(self) -> Iterator[tuple[str, int, bytes]]:
        """Every (kind, key, value), in no order; for rebuilding and tests, not calls."""
        cells = self._cells
        for at in range(HEADER_CELLS, HEADER_CELLS + 2 * (self._capacity + PROBE_LIMIT), 2):
            slot, where = cells[at], cells[at + 1]
            if slot and where:
                first = self._first + (where >> 12)
                kind, key = kind_and_key(slot)
                yield kind, key, bytes(self._bytes[first : first + (where & LONGEST)])

    def close(self) -> None:
        """Let go of the buffer, so that the map below may be closed."""
        self._cells.release()
        self._bytes.release()


class FileOfDeals:
    """A file of deals as CompactDirectory asks it, with nothing besides."""

    def __init__(self, view: DealView) -> None:
        self._view = view

    def deal(self, key: int) -> bytes:
        """See compact_directory.PackedDeals."""
        return self._view.value(DEAL, key)

    def named(self, key: int) -> list[tuple[int, bytes]]:
        keys = unpack_index(key, self._view.value(INDEX, key))
        found = ((one, self._view.value(DEAL, one)) for one in keys)
        return [(one, value) for one, value in found if value]

    def auto_connects(self) -> bool:
        return self._view.auto_connects


class DealTable(DealView):
    """The one writer of a file of deals. Values are stored as given: pack them with deal_layout."""

    @classmethod
    def format(
        cls, buffer: memoryview | bytearray, capacity: int, room: int, build: int
    ) -> DealTable:
        """Lay an empty table into a zeroed buffer of file_bytes(capacity, room)."""
        cells = memoryview(buffer).cast("B").cast("Q")
        cells[_MAGIC], cells[_CAPACITY], cells[_ROOM], cells[_BUILD] = MAGIC, capacity, room, build
        cells[_CHECK] = _header_check(cells)
        cells.release()
        return cls(buffer)

    def set(self, kind: str, key: int, value: bytes) -> None:
        """Insert, update, or with no bytes delete.

        Raises TableFullError when only a new file can hold it.
        """
        cells, slot = self._cells, slot_key(kind, key)
        at = self._slot(slot)
        if not at:
            if value:
                self._insert(slot, value)
            return
        before = cells[at + 1]
        cells[at + 1] = self._written(value) if value else 0
        self._counted(slot, bool(value) - (before != 0))

    def _insert(self, slot: int, value: bytes) -> None:
        cells = self._cells
        if cells[_USED] >= REBUILD_LOAD * self._capacity:
            raise TableFullError(f"{cells[_USED]} of {self._capacity} slots are used")
        at = HEADER_CELLS + 2 * ((slot * _SPREAD & _MASK64) * self._capacity >> 64)
        end = at + 2 * PROBE_LIMIT
        while cells[at] and at < end:
            at += 2
        if at >= end:
            raise TableFullError(f"no free slot within {PROBE_LIMIT}")
        cells[at + 1] = self._written(value)
        cells[at] = slot
        cells[_USED] += 1
        self._counted(slot, 1)

    def _counted(self, slot: int, more: int) -> None:
        self._cells[_COUNT] += more
        if is_auto(slot):
            self._cells[_AUTO] += more

    def _written(self, value: bytes) -> int:
        """Write it behind the last one; where, as its pointer says it."""
        end, size = self._cells[_END], len(value)
        if size > LONGEST:
            raise ValueError(f"a value of {size} bytes")
        if end + size > self._room:
            raise TableFullError(f"{end} of {self._room} bytes are used")
        first = self._first + end
        self._bytes[first : first + size] = value
        self._cells[_END] = end + size
        return end << 12 | size

    def fill(self, values: Iterable[tuple[str, int, bytes]]) -> None:
        """Insert many that are not there yet. Raises TableFullError."""
        insert = self._insert
        for kind, key, value in values:
            insert(key | _DEAL if kind == DEAL else key, value)

    def supersede(self, yes: bool = True) -> None:
        """Send readers to the newer file, or call them back when there is none after all."""
        self._cells[_SUPERSEDED] = yes

    @property
    def worth_rebuilding(self) -> bool:
        """Whether the table is nearly full, or a quarter of it holds nothing any more."""
        cells = self._cells
        used, count = cells[_USED], cells[_COUNT]
        return used > REBUILD_LOAD * self._capacity or used - count > self._capacity // 4


def capacity_for(values: int) -> int:
    """Slots for so many values."""
    return table_capacity(values)


def _header_check(cells: memoryview[int]) -> int:
    fixed = b"".join(cells[at].to_bytes(8, "little") for at in (_MAGIC, _CAPACITY, _ROOM, _BUILD))
    return int.from_bytes(blake2b(fixed, digest_size=8, person=b"pg-deals").digest(), "little")
