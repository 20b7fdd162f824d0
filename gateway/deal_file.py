"""Holds the mapped file of deals beside the snapshot: opens, changes and replaces it for its only
writer; where values come from is not known here.
"""

from __future__ import annotations

import mmap
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway.mapped_file import Mark, aside, mapped, mark
from number_registry.deal_table import DealTable, capacity_for, file_bytes, room_for
from number_registry.errors import AbortError
from number_registry.snapshot import TableFullError

Value = tuple[str, int, bytes]  # kind, key, bytes: as deal_layout packs them


class DealValues(NamedTuple):
    """All deals: ``values`` may be asked for more than once, about ``count`` with so many bytes."""

    values: Callable[[], Iterable[Value]]
    count: int
    size: int


class DealFile:
    """deals.map of one folder. Locked with the snapshot beside it (gateway/snapshot_file.py)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "deals.map"
        self._map: mmap.mmap | None = None
        self._table: DealTable | None = None
        self._mark: Mark | None = None

    def open(self) -> None:
        """Go on with the file that is there. Raises OSError, CacheCorruptError: build it anew."""
        with self.path.open("r+b") as file:
            found = mapped(file.fileno())
        self._use(DealTable(memoryview(found)), found)
        self.table.supersede(False)  # said by one that died before it could rename

    @property
    def table(self) -> DealTable:
        """The table in use. Raises AbortError before the first open or build."""
        if self._table is None:
            raise AbortError("there is no file of deals yet")
        return self._table

    @property
    def built(self) -> bool:
        """Whether there is anything readers can use."""
        return self._table is not None

    @property
    def intact(self) -> bool:
        """Whether readers that look now find the file that was written here."""
        try:
            return mark(self.path) == self._mark and self.table.header_is_whole
        except (OSError, AbortError):
            return False

    def build(self, deals: DealValues) -> None:
        """Replace the file by one with exactly these."""
        capacity, room = capacity_for(deals.count), room_for(deals.size)
        while True:
            beside, found = aside(self.path, file_bytes(capacity, room))
            table = DealTable.format(memoryview(found), capacity, room, secrets.randbits(63))
            try:
                table.fill(deals.values())
                break
            except TableFullError:  # more came than was said
                capacity, room = capacity + capacity // 4, room + room // 32 * 8
                table.close()
                found.close()
        found.flush()
        # Before the rename: see SnapshotFile.build.
        if self._table is not None:
            self._table.supersede()
        beside.rename(self.path)
        self._use(table, found)

    def grow(self, changed: Mapping[tuple[str, int], bytes]) -> None:
        """Build anew from what is in the file and these changes, with room for more."""
        table = self.table

        def values() -> Iterable[Value]:
            for kind, key, value in table.values():
                if (kind, key) not in changed:
                    yield kind, key, value
            for (kind, key), value in changed.items():
                if value:
                    yield kind, key, value

        size = sum(len(value) for *_, value in values())
        self.build(DealValues(values, table.count + len(changed), size))

    def close(self) -> None:
        """Unmap; the file stays and is the last resort."""
        if self._table is not None and self._map is not None:
            self._table.close()
            self._map.close()
        self._table = self._map = None

    def _use(self, table: DealTable, found: mmap.mmap) -> None:
        self.close()
        self._table, self._map = table, found
        self._mark = mark(self.path)
