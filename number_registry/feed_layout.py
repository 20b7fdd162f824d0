"""What changes are said in between publisher, Redis' feed and the mirrors: values and their fields
in an entry of the feed; pure, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from number_registry import deal_layout
from number_registry.cache_layout import group_is_ours, integer, number_is_ours
from number_registry.deal_layout import DEAL, INDEX
from number_registry.errors import CacheCorruptError

NUMBER, GROUP, DIRECTORY = "n", "g", "d"  # d: key 0, value = the generation now in DIRECTORY_KEY
EPOCH = "e"  # key 0, value = the new epoch: everything was written anew, readers have to start over
# What is pointed to comes before what points to it.
_ORDER = {DIRECTORY: 0, GROUP: 1, NUMBER: 2, DEAL: 3, INDEX: 4, EPOCH: 5}


class Change(NamedTuple):
    """One thing that changed, with its new value: what the feed carries.

    ``kind``: one of the constants here, or DEAL or INDEX, whose values are ``text``. Neither value
    nor text: it is gone.
    """

    kind: str
    key: int
    value: int = 0
    text: bytes = b""


def in_order(changes: Iterable[Change]) -> list[Change]:
    """What is pointed to before what points to it."""
    return sorted(changes, key=lambda change: _ORDER[change.kind])


def feed_fields(changes: list[Change]) -> dict[str, str | bytes]:
    """Fields of one feed entry: ``{"n74951230001": "6917...", "g7": "46..."}``; value 0, or no
    bytes, says that it is gone.
    """
    return {
        f"{kind}{key}": text if kind in (DEAL, INDEX) else str(value)
        for kind, key, value, text in changes
    }


def feed_changes(fields: dict[bytes, bytes]) -> list[Change]:
    """The changes in one feed entry.

    Raises CacheCorruptError for anything that feed_fields did not write.
    """
    changes = []
    for name, value in fields.items():
        kind, digits = name[:1].decode("ascii", "replace"), name[1:]
        if kind not in _ORDER or not digits.isdigit() or len(digits) > 19:
            raise CacheCorruptError(f"feed: {name[:24]!r} is not a change")
        change = _change(kind, int(digits), value)
        if not _is_ours(change):
            raise CacheCorruptError(f"feed: foreign value for {name[:24]!r}")
        changes.append(change)
    return changes


def _change(kind: str, key: int, value: bytes) -> Change:
    if kind in (DEAL, INDEX):
        return Change(kind, key, 0, value)
    return Change(kind, key, integer(value))


def _is_ours(change: Change) -> bool:
    kind, key, value, text = change
    if text:
        return deal_layout.is_ours(kind, key, text)
    if not value:
        return True
    if kind == NUMBER:
        return number_is_ours(key, value)
    return kind != GROUP or group_is_ours(key, value)
