"""Reads deals as they are published: packed deals, and the indices by which they are found; no
writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from number_registry.deal_layout import (
    DEAL,
    INDEX,
    auto_key,
    deal_key,
    pack_deal,
    pack_index,
    pair_key,
)
from number_registry.deals import Deal
from number_registry.e164 import E164
from number_registry.packed_deals import PackedDeals
from number_registry.store.pool import Connection, Record
from number_registry.store.queries import SQL

# Rows between two awaits: a full read of a million must not hold up what else runs here.
CHUNK = 2000


async def all_deals(connection: Connection) -> PackedDeals:
    """Everything that is published of deals. Needs a transaction."""
    found = PackedDeals()
    async for rows in _grouped(connection, SQL["all_deals"]):
        found.add(DEAL, packed(rows))
    async for rows in _grouped(connection, SQL["all_deal_indices"]):
        found.add(INDEX, _indices(rows))
    return found


async def some_deals(connection: Connection, keys: Iterable[int]) -> list[tuple[str, int, bytes]]:
    """What is published now of the ids that these deals (by the table's own key) have or had, and
    of every index that they stand or stood in; no bytes for what is gone.
    """
    wanted = list(keys)
    ids = [row["id"] for row in await connection.fetch(SQL["ids_of_deals"], wanted)]
    deals = dict.fromkeys(map(deal_key, ids), b"")
    deals.update(packed(await connection.fetch(SQL["some_deals"], ids)))
    places = await connection.fetch(SQL["indices_of_deals"], wanted)
    indices: dict[int, bytes] = {}
    for agent, number in places:
        indices[pair_key(agent, E164(str(number)))] = b""
        indices[auto_key(E164(str(number)))] = b""
    numbers = list({number for _, number in places})
    found = _indices(await connection.fetch(SQL["some_deal_indices"], numbers))
    indices.update((key, value) for key, value in found if key in indices)
    values = [(DEAL, key, value) for key, value in deals.items()]
    return values + [(INDEX, key, value) for key, value in indices.items()]


async def _grouped(connection: Connection, query: str) -> AsyncIterator[list[Record]]:
    """Rows in lists of about CHUNK, those with the same first column never in two lists."""
    cursor = await connection.cursor(query)
    waiting: list[Record] = []
    while rows := await cursor.fetch(CHUNK):
        last, cut = rows[-1][0], len(rows)
        while cut and rows[cut - 1][0] == last:
            cut -= 1
        if cut:
            yield waiting + rows[:cut]
            waiting = []
        waiting += rows[cut:]
    yield waiting


def packed(rows: Iterable[Record]) -> Iterator[tuple[int, bytes]]:
    """(key, bytes) of rows (id, agent, city, auto_connect, closed, expires, party, number): one for
    each number, in order, those of a deal together; its party is null where a deal has none.
    """
    for id, of_one in groupby(rows, itemgetter(0)):
        several = list(of_one)
        _, agent, city, auto, closed, expires, last, _ = several[-1]
        parties: list[tuple[E164, ...]] = [()] * (last or 0)
        for *_, party, number in several:
            if party is not None:
                parties[party - 1] += (E164(str(number)),)
        deal = Deal(id, agent, E164(str(city)), tuple(parties), auto, closed, expires)
        yield deal_key(id), pack_deal(deal)


def _indices(rows: Iterable[Record]) -> Iterator[tuple[int, bytes]]:
    """(key, bytes) of rows (number, agent, id, auto_connect) of open deals, those of a number
    together and newest first.
    """
    for number, of_one in groupby(rows, itemgetter(0)):
        outside = E164(str(number))
        ids: dict[int, list[int]] = {}
        for _, agent, id, auto in of_one:
            ids.setdefault(pair_key(agent, outside), []).append(deal_key(id))
            if auto:
                ids.setdefault(auto_key(outside), []).append(deal_key(id))
        for key, those in ids.items():
            yield key, pack_index(key, those)
