"""Takes what changed out of the outbox and looks up what it is now; it never touches Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from number_registry import deal_layout
from number_registry.cache_layout import directory_bytes
from number_registry.deal_layout import DEAL
from number_registry.feed_layout import DIRECTORY, GROUP, NUMBER, Change
from number_registry.store import deals_truth, truth
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

CHANNEL = "portgate_publish"
LOCK = 0x7075626C  # "publ": one publisher at a time, so values reach Redis in the order of commits
AT_ONCE = 5000
ALL_AT_ONCE = 50_000  # beyond this, publishing everything is cheaper; as in sql/schema.sql

_EVERYTHING = "a"


class Batch(NamedTuple):
    """What to publish now. ``everything``: a bulk change, publish all of the truth."""

    changes: list[Change]
    blob: bytes | None = None
    everything: bool = False

    @property
    def empty(self) -> bool:
        return not self.changes and not self.everything


@asynccontextmanager
async def taken(connection: Connection) -> AsyncIterator[Batch]:
    """The next batch, out of the outbox if the block ends well and still in it if not.

    The current values are read after the rows are taken, so they are at least as new; a crash
    between publishing and the commit only means that the same values are published again.
    """
    async with connection.transaction():
        rows = await connection.fetch(SQL["take_changes"], AT_ONCE)
        yield await batch(connection, [(kind, key) for kind, key in rows])


async def batch(connection: Connection, rows: Iterable[tuple[str, int]]) -> Batch:
    """The present values of what these rows (kind, key) name."""
    kinds = (NUMBER, GROUP, DIRECTORY, DEAL, _EVERYTHING)
    keys: dict[str, set[int]] = {kind: set() for kind in kinds}
    for kind, key in rows:
        keys[kind].add(key)
    if keys[_EVERYTHING]:
        return Batch([], everything=True)
    changes: list[Change] = []
    # Numbers are read first and written last: whatever they point to is then there already.
    if keys[NUMBER]:
        found = await truth.some_numbers(connection, keys[NUMBER])
        changes = [Change(NUMBER, e164, packed) for e164, packed in found.items()]
    if keys[GROUP]:
        found = await truth.some_groups(connection, keys[GROUP])
        changes = [Change(GROUP, group, packed) for group, packed in found.items()] + changes
    if keys[DEAL]:
        values = await deals_truth.some_deals(connection, keys[DEAL])
        changes += [Change(kind, key, 0, value) for kind, key, value in values]
    blob = None
    if keys[DIRECTORY]:
        generation, blob = directory_bytes(await truth.directory(connection))
        changes = [Change(DIRECTORY, 0, generation), *changes]
    return Batch(changes, blob)


async def waiting(connection: Connection, seen: set[int]) -> Batch:
    """What is in the outbox and not in ``seen`` (ids, added to here), without taking it."""
    rows = [row for row in await connection.fetch(SQL["see_changes"]) if row["id"] not in seen]
    found = await batch(connection, [(row["kind"], row["key"]) for row in rows])
    seen.update(row["id"] for row in rows)
    return found


async def ask_again(connection: Connection, changes: list[Change]) -> None:
    """Put these into the outbox, as if they had just changed."""
    if len(changes) > ALL_AT_ONCE:
        await connection.execute(SQL["ask_again"], _EVERYTHING, [0])
        return
    async with connection.transaction():
        for kind in (DIRECTORY, GROUP, NUMBER):
            keys = [change.key for change in changes if change.kind == kind]
            if keys:
                await connection.execute(SQL["ask_again"], kind, keys)
        ids = {deal_layout.id_of(change.key) for change in changes if change.kind == DEAL}
        if ids and await connection.fetchval(SQL["ask_again_deals"], list(ids)) < len(ids):
            # One that never was: only who compares everything alone may take it away.
            await connection.execute(SQL["ask_again"], _EVERYTHING, [0])
