"""Holds the mapped snapshot files of this host, numbers and deals: opens, changes, and replaces
them; it knows neither Redis nor PostgreSQL.

Readers never see a half-written file: one is built aside, synced and renamed over, and the old one,
which they still have mapped, tells them to look again. The folder is locked, so that a file
has one writer.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import time
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from gateway.deal_file import DealFile, DealValues
from gateway.mapped_file import Mark, aside, mapped, mark
from number_registry.cache_layout import read_directory
from number_registry.deal_layout import DEAL, INDEX
from number_registry.errors import AbortError, CacheCorruptError
from number_registry.feed_layout import DIRECTORY, GROUP, NUMBER, Change
from number_registry.snapshot import (
    SnapshotTable,
    TableFullError,
    boot_cell,
    file_bytes,
    group_room,
    table_capacity,
)

Position = tuple[
    int, int, int
]  # epoch, milliseconds, sequence: the last feed entry that is in the file

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SnapshotLockedError(AbortError):
    """Another process writes this snapshot."""


class SnapshotFile:
    """numbers.map and directory.json of one folder, for their only writer.

    Not for use by two threads at once.
    """

    def __init__(self, folder: Path) -> None:
        """Raises SnapshotLockedError when another process has the folder."""
        self.numbers_map = folder / "numbers.map"
        self.directory_json = folder / "directory.json"
        self.deals = DealFile(folder)
        self.boot = boot_cell(_BOOT_ID.read_text("ascii"))
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise SnapshotLockedError(f"{folder} is written by another process") from None
        self._map: mmap.mmap | None = None
        self._marks: tuple[Mark, ...] = ()  # by which both files are known again
        self._table: SnapshotTable | None = None

    def open(self) -> bool:
        """Go on with the file that is there; False when there is none.

        Raises CacheCorruptError when it is not one of ours, or not whole: build it anew.
        """
        if not self.numbers_map.exists():
            return False
        with self.numbers_map.open("r+b") as file:
            found = mapped(file.fileno())
        self._use(SnapshotTable(memoryview(found), self.boot), found)
        try:
            generation = read_directory(self.directory_json.read_bytes()).generation
            self.deals.open()
        except (CacheCorruptError, OSError):
            # Numbers alone route nothing. In use all the same: readers have to be told of the next.
            self.placed((0, 0, 0))
            raise
        self.table.set_directory_generation(generation)
        self.table.supersede(False)  # said by one that died before it could rename
        self._mark_files()
        return True

    @property
    def table(self) -> SnapshotTable:
        """The table in use. Raises AbortError before the first open or build."""
        if self._table is None:
            raise AbortError("there is no snapshot yet")
        return self._table

    @property
    def built(self) -> bool:
        """Whether there is anything readers can use."""
        return self._table is not None

    @property
    def intact(self) -> bool:
        """Whether readers that look now find the two files that were written here.

        Asked at each beat: what is damaged or taken away would be noticed by the next fresh SIP
        worker only, which would then know no number at all.
        """
        try:
            found = mark(self.numbers_map), mark(self.directory_json)
        except OSError:
            return False
        return self.table.header_is_whole and found == self._marks and self.deals.intact

    @property
    def position(self) -> Position:
        """The last feed entry that is in the file; zeros when there is none."""
        return (self.table.epoch, *self.table.feed_position) if self.built else (0, 0, 0)

    def build(
        self,
        pairs: Callable[[], Iterable[tuple[int, int]]],
        count: int,
        groups: dict[int, int],
        blob: bytes,
        position: Position,
        deals: DealValues | None = None,
    ) -> None:
        """Replace the files by ones with exactly these numbers and groups, the directory, and these
        deals; None leaves deals as they are.

        ``pairs`` gives (number, packed value), about ``count`` of them; it is asked again when they
        do not fit.
        """
        if deals is not None:
            self.deals.build(deals)
        generation = self._write_directory(blob)
        rooms = group_room(max(groups, default=0))
        beside, found, table = self._filled(pairs, table_capacity(count), rooms)
        for index, packed in groups.items():
            table.set_group(index, packed)
        table.set_directory_generation(generation)
        table.set_position(*position)
        found.flush()
        # Before the rename: readers that look too early find the old file and look again at their
        # next call. After it, a crash in between would leave them with a file that nobody updates.
        if self._table is not None:
            self._table.supersede()
        beside.rename(self.numbers_map)
        self._use(table, found)
        self._mark_files()

    def _filled(
        self, pairs: Callable[[], Iterable[tuple[int, int]]], capacity: int, rooms: int
    ) -> tuple[Path, mmap.mmap, SnapshotTable]:
        while True:
            beside, found = aside(self.numbers_map, file_bytes(capacity, rooms))
            table = SnapshotTable.format(memoryview(found), capacity, rooms, secrets.randbits(63))
            try:
                table.fill(pairs())
            except TableFullError:
                # More came than was said, or some of them fall unluckily together.
                capacity += capacity // 4
                table.close()
                found.close()
                continue
            return beside, found, table

    def apply(self, changes: list[Change], blob: bytes | None = None) -> None:
        """Store new values in place, in the order given.

        ``blob`` goes with a change of the directory.

        Raises TableFullError when they do not fit: then `grow` with the same changes, some of which
        may be in already.
        """
        for kind, key, value, text in changes:
            if kind == NUMBER:
                self.table.set_number(key, value)
            elif kind == GROUP:
                self.table.set_group(key, value)
            elif kind in (DEAL, INDEX):
                self.deals.table.set(kind, key, text)
            elif kind == DIRECTORY and blob is not None:
                self.table.set_directory_generation(self._write_directory(blob))
                self._mark_files()

    def grow(self, changes: list[Change]) -> None:
        """Build anew from what is in the files and these changes, with room for more; only the file
        that has none left, or that changes.

        Takes seconds for a million.
        """
        kinds = {change.kind for change in changes}
        if kinds & {DEAL, INDEX} or self.deals.table.worth_rebuilding:
            self.deals.grow({c[:2]: c.text for c in changes if c.kind in (DEAL, INDEX)})
        if kinds & {NUMBER, GROUP} or self.table.worth_rebuilding:
            self._grow_numbers(changes)

    @property
    def worth_rebuilding(self) -> bool:
        """Whether one of the files should `grow`, though there is still room."""
        return self.table.worth_rebuilding or self.deals.table.worth_rebuilding

    def _grow_numbers(self, changes: list[Change]) -> None:
        table = self.table
        groups = dict(table.groups())
        groups.update({key: value for kind, key, value, _ in changes if kind == GROUP})
        numbers = {key: value for kind, key, value, _ in changes if kind == NUMBER}

        def pairs() -> Iterable[tuple[int, int]]:
            old = ((key, value) for key, value in table.numbers() if key not in numbers)
            return chain(old, ((key, value) for key, value in numbers.items() if value))

        blob = self.directory_json.read_bytes()
        self.build(pairs, table.count + len(numbers), groups, blob, self.position)

    def placed(self, position: Position) -> None:
        """Remember that everything up to this feed entry is in the file."""
        self.table.set_position(*position)

    def beat(self) -> None:
        """Tell readers that the copy is complete now."""
        self.table.beat(time.monotonic_ns(), self.boot)

    def close(self) -> None:
        """Unmap and unlock; the file stays and is the last resort."""
        if self._table is not None and self._map is not None:
            self._table.close()
            self._map.close()
        self._table = self._map = None
        self.deals.close()
        self._lock.close()

    def _mark_files(self) -> None:
        self._marks = mark(self.numbers_map), mark(self.directory_json)

    def _use(self, table: SnapshotTable, found: mmap.mmap) -> None:
        old, old_map = self._table, self._map
        self._table, self._map = table, found
        if old is not None and old_map is not None:
            old.close()
            old_map.close()

    def _write_directory(self, blob: bytes) -> int:
        generation = read_directory(blob).generation
        aside = self.directory_json.with_suffix(".new")
        # Accounts of PBXs are in it, as digests: for whoever runs the gateway alone.
        aside.unlink(missing_ok=True)
        aside.touch(0o600)
        with aside.open("wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self.directory_json)
        return generation
