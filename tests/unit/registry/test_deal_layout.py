"""Deals as bytes, and the file that holds them: what was written is read, whatever else lies there
is a miss.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from number_registry import deal_layout as layout
from number_registry.compact_directory import CompactDirectory
from number_registry.deal_layout import DEAL, INDEX
from number_registry.deal_table import (
    DealTable,
    DealView,
    FileOfDeals,
    capacity_for,
    file_bytes,
    room_for,
)
from number_registry.deals import Deal
from number_registry.directory import MemoryDirectory
from number_registry.e164 import E164
from number_registry.errors import CacheCorruptError
from number_registry.snapshot import TableFullError

CITY, CLIENT, OWNER = E164("74951230000"), E164("79161234567"), E164("79037654321")
DEAL_4711 = Deal("4711", "203", CITY, ((CLIENT,), (OWNER, E164("4930123456"))), True, False, 99)

numbers = st.integers(10**6, 10**15 - 1).map(lambda number: E164(str(number)))
parties = st.lists(st.lists(numbers, max_size=9).map(tuple), max_size=9).map(tuple)
ids = st.text("0123456789", min_size=3, max_size=9)
deals = st.builds(
    Deal,
    ids,
    st.text("0123456789", min_size=2, max_size=6),
    numbers,
    parties,
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)


@given(deals)
def test_a_deal_comes_back_as_it_was_packed(deal: Deal) -> None:
    packed = layout.pack_deal(deal)
    assert layout.unpack_deal(layout.deal_key(deal.id), packed) == deal
    assert len(packed) < 4096


def test_a_deal_with_one_client_is_packed_into_29_bytes() -> None:
    assert len(layout.pack_deal(DEAL_4711._replace(parties=((CLIENT,),)))) == 29


@given(deals, st.data())
def test_a_changed_byte_or_a_foreign_key_is_noticed(deal: Deal, data: st.DataObject) -> None:
    packed, key = layout.pack_deal(deal), layout.deal_key(deal.id)
    at = data.draw(st.integers(0, len(packed) - 1))
    changed = (
        packed[:at] + bytes([packed[at] ^ 1 << data.draw(st.integers(0, 7))]) + packed[at + 1 :]
    )
    for damaged in (changed, packed[:-1], packed + b"\0", b""):
        assert not layout.is_ours(DEAL, key, damaged)
        with pytest.raises(CacheCorruptError):
            layout.unpack_deal(key, damaged)
    assert not layout.is_ours(DEAL, key + 1, packed)
    assert not layout.is_ours(INDEX, key, packed)


def test_leading_zeros_of_an_id_count() -> None:
    keys = {layout.deal_key(id) for id in ("471", "0471", "00471")}
    assert len(keys) == 3
    assert {layout.id_of(key) for key in keys} == {"471", "0471", "00471"}


def test_an_index_names_the_newest_sixteen() -> None:
    key = layout.pair_key("203", CLIENT)
    many = [layout.deal_key(str(n)) for n in range(100, 140)]
    assert layout.unpack_index(key, layout.pack_index(key, many)) == many[:16]
    assert layout.pack_index(key, []) == b"" and layout.unpack_index(key, b"") == []
    with pytest.raises(CacheCorruptError):
        layout.unpack_index(key + 1, layout.pack_index(key, many))


@given(numbers, st.text("0123456789", min_size=2, max_size=6), ids)
def test_keys_of_every_kind_are_apart(outside: E164, agent: str, id: str) -> None:
    pair, auto = layout.pair_key(agent, outside), layout.auto_key(outside)
    assert layout.is_auto(auto) and not layout.is_auto(pair)
    assert pair < 1 << 62 and layout.deal_key(id) < 1 << 32


def table(values: int = 10, size: int = 4000) -> DealTable:
    capacity, room = capacity_for(values), room_for(size)
    return DealTable.format(bytearray(file_bytes(capacity, room)), capacity, room, 1)


@settings(max_examples=50)
@given(st.lists(st.tuples(deals, st.booleans()), max_size=30))
def test_the_file_answers_as_a_dictionary_would(steps: list[tuple[Deal, bool]]) -> None:
    file, wanted = table(), {}
    for deal, stays in steps:
        key, packed = layout.deal_key(deal.id), layout.pack_deal(deal) if stays else b""
        file.set(DEAL, key, packed)
        wanted[key] = packed
        assert file.value(DEAL, key) == packed
    kept = {(DEAL, key, packed) for key, packed in wanted.items() if packed}
    assert set(file.values()) == kept and file.count == len(kept)


def test_a_file_without_room_says_so_and_keeps_what_it_has() -> None:
    file = table(size=0)
    key, packed = layout.deal_key("4711"), layout.pack_deal(DEAL_4711)
    with pytest.raises(TableFullError):
        while True:
            file.set(DEAL, key, packed)
    assert file.value(DEAL, key) == packed


def test_damaged_values_are_a_miss_and_counted() -> None:
    file = table()
    key, packed = layout.deal_key("4711"), layout.pack_deal(DEAL_4711)
    file.set(DEAL, key, packed)
    file._bytes[file._first + 3] ^= 1
    assert file.value(DEAL, key) == b"" and file.corrupt == 1


@pytest.mark.parametrize("size", [0, 8, 511, 512, 4096])
def test_what_is_no_file_of_deals_is_refused(size: int) -> None:
    with pytest.raises(CacheCorruptError):
        DealView(bytearray(size))


def test_a_truncated_file_is_refused() -> None:
    capacity, room = capacity_for(1), room_for(1)
    whole = bytearray(file_bytes(capacity, room))
    DealTable.format(whole, capacity, room, 1).close()
    DealView(whole)
    with pytest.raises(CacheCorruptError):
        DealView(whole[:-8])


def _published(*found: Deal) -> CompactDirectory:
    file = table()
    for deal in found:
        file.set(DEAL, layout.deal_key(deal.id), layout.pack_deal(deal))
        for number in {number for party in deal.parties for number in party}:
            indices = [layout.pair_key(deal.agent, number)]
            indices += [layout.auto_key(number)] if deal.auto_connect else []
            for index in indices:
                keys = layout.unpack_index(index, file.value(INDEX, index))
                keys.insert(0, layout.deal_key(deal.id))
                file.set(INDEX, index, layout.pack_index(index, keys))
    content = {"carriers": [], "pbxs": [], "people": {}, "sites": {}, "emergency": [], "roles": {}}
    return CompactDirectory(None, content, deals=FileOfDeals(file), clock=lambda: 50)  # type: ignore[arg-type]


# Few agents and numbers, so that they meet; at time 50 some have expired.
_people = st.sampled_from(["203", "204"])
_outside = st.sampled_from([CLIENT, OWNER, E164("79160000001")])
_some = st.builds(
    Deal,
    st.sampled_from(["4711", "4712", "0471", "100"]),
    _people,
    st.just(CITY),
    st.lists(st.lists(_outside, max_size=2, unique=True).map(tuple), max_size=2).map(tuple),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 40, 60]),
)


@given(st.lists(_some, unique_by=lambda deal: deal.id), _people, _outside)
def test_the_published_directory_answers_as_the_one_in_memory(
    found: list[Deal], agent: str, outside: E164
) -> None:
    memory = MemoryDirectory(deals={deal.id: deal for deal in found}, time=50)
    published = _published(*found)
    for id in ("4711", "4712", "0471", "100", "999"):
        assert published.deal(id) == memory.deal(id)
    assert published.deal_between(agent, outside) == memory.deal_between(agent, outside)
    assert published.deal_of(outside) == memory.deal_of(outside)
    assert published.auto_connects or memory.deal_of(outside) is None


def test_an_index_that_leads_to_another_pair_is_believed_in_nothing() -> None:
    file = table()
    file.set(DEAL, layout.deal_key("4711"), layout.pack_deal(DEAL_4711))
    for index in (layout.pair_key("204", CLIENT), layout.pair_key("203", E164("79160000001"))):
        file.set(INDEX, index, layout.pack_index(index, [layout.deal_key("4711")]))
    content = {"carriers": [], "pbxs": [], "people": {}, "sites": {}, "emergency": [], "roles": {}}
    directory = CompactDirectory(None, content, deals=FileOfDeals(file), clock=lambda: 50)  # type: ignore[arg-type]
    assert directory.deal_between("204", CLIENT) is None
    assert directory.deal_between("203", E164("79160000001")) is None
