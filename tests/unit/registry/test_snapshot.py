"""The snapshot's table against a plain dictionary, its header, and what readers do with damage."""

from __future__ import annotations

import random
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from number_registry.cache_layout import GroupCell, NumberCell, pack_group, pack_number
from number_registry.errors import CacheCorruptError
from number_registry.snapshot import (
    HEADER_CELLS,
    SnapshotTable,
    SnapshotView,
    TableFullError,
    boot_cell,
    file_bytes,
    group_room,
    table_capacity,
)

BOOT = boot_cell("0b7d4b36-1f8c-4c0d-9d53-4b1b1a8c1b11")
# Few keys, close together, so that rules meet the same slots again and again.
keys = st.integers(74950000000, 74950000000 + 40)


def table(capacity: int = 1024, groups: int = 1024) -> tuple[bytearray, SnapshotTable]:
    buffer = bytearray(file_bytes(capacity, groups))
    return buffer, SnapshotTable.format(buffer, capacity, groups, build=1)


def value(e164: int, group: int) -> int:
    return pack_number(e164, NumberCell(group, 1, 3))


class LikeADictionary(RuleBasedStateMachine):
    """Whatever is stored, updated and deleted in a table of 48 slots, a reader sees what a
    dictionary holds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.buffer, self.table = table(capacity=48, groups=16)
        self.reader = SnapshotView(self.buffer)
        self.model: dict[int, int] = {}
        self.groups: dict[int, int] = {}

    @rule(e164=keys, group=st.integers(0, 1000))
    def store(self, e164: int, group: int) -> None:
        try:
            self.table.set_number(e164, value(e164, group))
        except TableFullError:
            assert e164 not in self.model  # an update always has room
        else:
            self.model[e164] = value(e164, group)

    @rule(e164=keys)
    def delete(self, e164: int) -> None:
        self.table.set_number(e164, 0)
        self.model.pop(e164, None)

    @rule(group=st.integers(1, 15), pbx=st.integers(0, 9))
    def point(self, group: int, pbx: int) -> None:
        self.groups[group] = pack_group(group, GroupCell(pbx))
        self.table.set_group(group, self.groups[group])

    @invariant()
    def reads_the_same(self) -> None:
        for e164 in range(74950000000, 74950000000 + 41):
            assert self.reader.number(e164) == self.model.get(e164, 0)
        assert self.reader.count == len(self.model)
        assert dict(self.reader.numbers()) == self.model
        assert dict(self.reader.groups()) == self.groups
        assert self.reader.corrupt == 0


LikeADictionary.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestLikeADictionary = LikeADictionary.TestCase


def test_a_hundred_thousand_numbers_fit_and_are_all_found() -> None:
    blocks = [74950000000, 78430000000, 73470000000, 49301234000, 15550100000]
    wanted = {block + n: value(block + n, n % 50) for block in blocks for n in range(20_000)}
    buffer, filled = table(table_capacity(len(wanted)), group_room(50))
    filled.fill(wanted.items())
    view = SnapshotView(buffer)
    assert view.count == len(wanted)
    assert all(view.number(e164) == packed for e164, packed in wanted.items())
    assert view.number(74950020000) == 0
    assert not filled.worth_rebuilding


def test_a_million_numbers_take_less_than_24_bytes_each() -> None:
    assert file_bytes(table_capacity(1_000_000), group_room(1000)) < 24_000_000


def test_a_full_table_says_so_and_keeps_what_it_has() -> None:
    buffer, small = table(capacity=100)
    with pytest.raises(TableFullError):
        small.fill((74950000000 + n, value(74950000000 + n, 1)) for n in range(100))
    buffer, small = table(capacity=100)
    stored = []
    with pytest.raises(TableFullError):
        for n in range(100):
            small.set_number(74950000000 + n, value(74950000000 + n, 1))
            stored.append(74950000000 + n)
    assert len(stored) == 85
    assert all(SnapshotView(buffer).number(e164) for e164 in stored)


def test_a_group_beyond_the_room_needs_a_larger_file() -> None:
    _, small = table(groups=16)
    with pytest.raises(TableFullError):
        small.set_group(16, pack_group(16, GroupCell(1)))
    small.set_group(16, 0)  # forgetting what was never there is nothing


def test_tombstones_make_a_table_worth_rebuilding() -> None:
    _, churned = table(capacity=1000)
    for n in range(400):
        churned.set_number(74950000000 + n, value(74950000000 + n, 1))
        churned.set_number(74950000000 + n, 0)
    assert churned.count == 0
    assert churned.worth_rebuilding


def test_a_deleted_number_comes_back_in_its_old_slot() -> None:
    buffer, stored = table()
    for group in range(1, 2000):
        stored.set_number(74950000000, value(74950000000, group))
        stored.set_number(74950000000, 0)
    assert not stored.worth_rebuilding
    assert SnapshotView(buffer).number(74950000000) == 0


def test_a_reader_between_the_two_stores_of_an_insert_sees_no_number() -> None:
    buffer, stored = table()
    stored.set_number(74950000000, value(74950000000, 1))
    cells = memoryview(buffer).cast("Q")
    at = list(cells).index(74950000000)
    cells[at] = 0  # the value is there, the number not yet
    assert SnapshotView(buffer).number(74950000000) == 0


def test_a_damaged_value_is_a_miss_and_is_counted() -> None:
    buffer, stored = table()
    stored.set_number(74950000000, value(74950000000, 1))
    stored.set_group(3, pack_group(3, GroupCell(2)))
    cells = memoryview(buffer).cast("Q")
    cells[list(cells).index(74950000000) + 1] ^= 1 << 55
    cells[HEADER_CELLS + 3] = 12345
    view = SnapshotView(buffer)
    assert view.number(74950000000) == 0
    assert view.group(3) == 0
    assert view.corrupt == 2


def test_noise_in_the_table_never_raises_and_never_invents() -> None:
    noise = random.Random(7)
    buffer, stored = table(capacity=200, groups=64)
    stored.fill((74950000000 + n, value(74950000000 + n, n)) for n in range(100))
    buffer[8 * HEADER_CELLS :] = noise.randbytes(len(buffer) - 8 * HEADER_CELLS)
    view = SnapshotView(buffer)
    found = sum(view.number(74950000000 + n) != 0 for n in range(5000))
    found += sum(view.group(n) != 0 for n in range(-5, 5000))
    assert found <= 3


def test_a_table_full_of_foreign_numbers_ends_the_search() -> None:
    buffer, _ = table(capacity=100)
    cells = memoryview(buffer).cast("Q")
    for at in range(HEADER_CELLS, len(cells)):
        cells[at] = 1
    assert SnapshotView(buffer).number(74950000000) == 0


@pytest.mark.parametrize("length", [0, 8, 4095, 4096, 5000, 36856])
def test_a_file_that_was_cut_is_refused(length: int) -> None:
    buffer, _ = table()
    with pytest.raises(CacheCorruptError):
        SnapshotView(bytes(buffer[:length]))


@pytest.mark.parametrize("cell", [0, 1, 2, 3, 4])
def test_a_header_that_was_changed_is_refused(cell: int) -> None:
    buffer, _ = table()
    memoryview(buffer).cast("Q")[cell] ^= 4
    with pytest.raises(CacheCorruptError):
        SnapshotView(buffer)


def test_a_heartbeat_ages() -> None:
    buffer, stored = table()
    view = SnapshotView(buffer, BOOT)
    assert view.heartbeat_age_s(10**12) == inf
    stored.beat(10**12, BOOT)
    assert view.heartbeat_age_s(10**12 + 500_000_000) == 0.5


def test_a_heartbeat_from_before_a_reboot_is_not_believed() -> None:
    buffer, stored = table()
    stored.beat(10**12, BOOT)
    after = SnapshotView(buffer, boot_cell("another boot"))
    assert after.heartbeat_age_s(10**12) == inf
    assert SnapshotView(buffer, BOOT).heartbeat_age_s(10**11) == inf  # a clock that went back
    assert (
        SnapshotView(buffer).heartbeat_age_s(10**12) == inf
    )  # a reader that does not know its boot


def test_readers_learn_of_a_new_file_and_a_new_directory() -> None:
    buffer, stored = table()
    view = SnapshotView(buffer)
    assert (view.superseded, view.directory_generation) == (False, 0)
    stored.set_directory_generation(77)
    stored.supersede()
    assert (view.superseded, view.directory_generation) == (True, 77)


def test_the_place_in_the_feed_is_kept() -> None:
    buffer, stored = table()
    stored.set_position(5, 1700000000000, 3)
    view = SnapshotView(buffer)
    assert (view.epoch, view.feed_position) == (5, (1700000000000, 3))
