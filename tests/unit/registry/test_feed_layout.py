"""Changes go through Redis' feed and come back; what nobody of ours wrote does not."""

from __future__ import annotations

import pytest

from number_registry import cache_layout as layout
from number_registry import feed_layout
from number_registry.cache_layout import GroupCell, NumberCell
from number_registry.errors import CacheCorruptError
from number_registry.feed_layout import Change


def test_changes_come_back_from_the_feed() -> None:
    number = layout.pack_number(74951230001, NumberCell(1, 1, 3))
    group = layout.pack_group(7, GroupCell(2))
    changes = [
        Change(feed_layout.DIRECTORY, 0, 99),
        Change(feed_layout.GROUP, 7, group),
        Change(feed_layout.NUMBER, 74951230001, number),
        Change(feed_layout.NUMBER, 74951230002, 0),
        Change(feed_layout.EPOCH, 0, 5),
    ]
    fields = {
        name.encode(): value.encode() for name, value in feed_layout.feed_fields(changes).items()
    }
    assert feed_layout.feed_changes(fields) == changes


@pytest.mark.parametrize(
    "fields", [{b"x1": b"1"}, {b"n": b"1"}, {b"nabc": b"1"}, {b"n7495": b"77"}, {b"g1": b"x"}]
)
def test_a_feed_entry_that_is_not_ours_is_corrupt(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(CacheCorruptError):
        feed_layout.feed_changes(fields)
