"""Published values: they come back as they went in, and what we did not write is noticed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from number_registry import cache_layout as layout
from number_registry.cache_layout import GroupCell, NumberCell
from number_registry.errors import CacheCorruptError

numbers = st.integers(min_value=10**6, max_value=10**15 - 1)
cells = st.builds(
    NumberCell,
    group=st.integers(0, layout.MAX_GROUP),
    carrier=st.integers(0, layout.MAX_CARRIER),
    state=st.integers(0, 7),
    other_carrier=st.integers(0, layout.MAX_CARRIER),
    other_state=st.integers(0, 7),
    scenario=st.integers(0, 3),
    recording=st.integers(0, 3),
)
groups = st.builds(
    GroupCell,
    pbx=st.integers(0, layout.MAX_PBX),
    other_pbx=st.integers(0, layout.MAX_PBX),
    percent=st.integers(0, 100),
)


@given(numbers, cells)
def test_a_number_comes_back_as_it_was_published(e164: int, cell: NumberCell) -> None:
    packed = layout.pack_number(e164, cell)
    assert layout.number_is_ours(e164, packed)
    assert layout.unpack_number(packed) == cell


@given(numbers, cells)
def test_a_published_number_fits_what_redis_packs_as_an_integer(
    e164: int, cell: NumberCell
) -> None:
    assert 0 < layout.pack_number(e164, cell) < 1 << 63


@given(st.integers(1, layout.MAX_GROUP), groups)
def test_a_group_comes_back_as_it_was_published(group: int, cell: GroupCell) -> None:
    packed = layout.pack_group(group, cell)
    assert layout.group_is_ours(group, packed)
    assert layout.unpack_group(packed) == cell


@given(numbers, cells, st.integers(0, 62))
def test_one_flipped_bit_is_noticed_nearly_always(e164: int, cell: NumberCell, bit: int) -> None:
    packed = layout.pack_number(e164, cell) ^ 1 << bit
    payload = packed & (1 << 50) - 1
    # Twelve check bits let one in 4096 damaged payloads through; damage to the check itself never
    # passes.
    if layout.number_is_ours(e164, packed):
        assert bit < 50 and layout.seal_number(e164, payload) == packed


def test_values_stored_under_each_others_numbers_are_noticed() -> None:
    cell = NumberCell(group=7, carrier=1, state=3)
    wrong = sum(
        layout.number_is_ours(74950000000 + n, layout.pack_number(74950000001 + n, cell))
        for n in range(20_000)
    )
    assert wrong < 20  # one in 4096 would be five


@pytest.mark.parametrize(
    "cell",
    [
        NumberCell(group=1 << 20, carrier=0, state=0),
        NumberCell(group=0, carrier=1024, state=0),
        NumberCell(group=0, carrier=0, state=8),
        NumberCell(group=-1, carrier=0, state=0),
    ],
)
def test_a_field_that_does_not_fit_is_refused(cell: NumberCell) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        layout.pack_number(74950000000, cell)


def test_a_share_over_a_hundred_percent_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        layout.pack_group(1, GroupCell(pbx=1, other_pbx=2, percent=101))


def test_nil_from_redis_is_no_number() -> None:
    assert layout.number_from_redis(74950000000, None) == 0


@pytest.mark.parametrize(
    "value",
    [b"", b"12", b"hello", b"-5", b"1" * 20, b"\xff\x00", b" 1", b"1_0", b"4611686018427387904"],
)
def test_foreign_bytes_in_redis_are_corrupt(value: bytes) -> None:
    with pytest.raises(CacheCorruptError):
        layout.number_from_redis(74950000000, value)
    with pytest.raises(CacheCorruptError):
        layout.group_from_redis(5, value)


@given(st.dictionaries(st.binary(max_size=16), st.binary(max_size=20)))
def test_a_hash_of_foreign_bytes_gives_no_number(fields: dict[bytes, bytes]) -> None:
    good, bad = layout.numbers_from_hash(fields)
    assert len(good) + len(bad) == len(fields)
    assert all(layout.number_is_ours(e164, packed) for e164, packed in good)


@given(st.lists(st.tuples(numbers, cells), unique_by=lambda pair: pair[0]))
def test_a_hash_of_ours_is_read_whole(pairs: list[tuple[int, NumberCell]]) -> None:
    packed = [(e164, layout.pack_number(e164, cell)) for e164, cell in pairs]
    good, bad = layout.numbers_from_hash({b"%d" % key: b"%d" % value for key, value in packed})
    assert (good, bad) == (packed, [])


def test_numbers_are_spread_over_all_buckets_evenly() -> None:
    held = [0] * layout.BUCKETS
    for e164 in range(74950000000, 74950000000 + 200_000):
        held[layout.bucket(e164)] += 1
    assert max(held) < layout.LISTPACK_ENTRIES
    assert max(held) < 3 * 200_000 / layout.BUCKETS


def test_a_number_is_asked_for_by_its_digits() -> None:
    key, field = layout.number_place(74951230001)
    assert key == f"pg1:n:{layout.bucket(74951230001)}"
    assert field == "74951230001"


CONTENT = {"version": 1, "carriers": [None, "northline"], "people": {"101": {"person": "Вера"}}}


def test_a_directory_comes_back_with_its_generation() -> None:
    generation, blob = layout.directory_bytes(CONTENT)
    assert layout.read_directory(blob) == (generation, CONTENT)
    assert generation and blob.isascii()


def test_the_same_content_is_the_same_generation() -> None:
    shuffled = json.loads(json.dumps(dict(reversed(CONTENT.items()))))
    assert layout.directory_bytes(shuffled) == layout.directory_bytes(CONTENT)
    assert layout.directory_bytes({**CONTENT, "x": 1})[0] != layout.directory_bytes(CONTENT)[0]


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_in_the_directory_is_noticed(at: int, byte: int) -> None:
    _, blob = layout.directory_bytes(CONTENT)
    at %= len(blob)
    damaged = blob[:at] + bytes([byte]) + blob[at + 1 :]
    if damaged != blob:
        with pytest.raises(CacheCorruptError):
            layout.read_directory(damaged)


@pytest.mark.parametrize("length", [0, 1, 20, 60, 100])
def test_a_directory_that_was_cut_is_noticed(length: int) -> None:
    with pytest.raises(CacheCorruptError):
        layout.read_directory(layout.directory_bytes(CONTENT)[1][:length])


def test_a_directory_of_another_layout_is_refused() -> None:
    with pytest.raises(CacheCorruptError, match="layout"):
        layout.read_directory(layout.directory_bytes({**CONTENT, "version": 2})[1])
