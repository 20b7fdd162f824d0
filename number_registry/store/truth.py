"""Reads the truth as it is published: packed numbers, packed groups, the directory; no writes."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from number_registry.cache_layout import (
    BUCKETS,
    LAYOUT,
    GroupCell,
    NumberCell,
    bucket,
    number_payload,
    pack_group,
    seal_number,
)
from number_registry.model import Scenario, State
from number_registry.packed_deals import PackedDeals
from number_registry.store.deals_truth import all_deals
from number_registry.store.pool import Connection, Record
from number_registry.store.queries import SQL

# Rows between two awaits: a full read of a million must not hold up what else runs here.
CHUNK = 2000
KNOWN_MOST = 20_000  # payloads kept while reading; some ten megabytes

_STATE = {state.label: state for state in State}
_SCENARIO = {scenario.name.lower(): int(scenario) for scenario in Scenario}
_RECORDING = {"by_role": 0, "always": 1, "never": 2}
# The tenancy that answers comes first; one that is over is published only when no other is left.
_RANK = {
    state: rank
    for rank, state in enumerate(
        (State.IN_SERVICE, State.PORTING_OUT, State.PORTING_IN, State.SUSPENDED, State.RESERVED,
         State.RELEASED, State.COOLING)
    )
}  # fmt: skip
_FIRST_OVER = _RANK[State.RELEASED]


async def all_numbers(connection: Connection) -> AsyncIterator[list[tuple[int, int]]]:
    """Every (number, packed value), ascending, in lists of about CHUNK. Needs a transaction."""
    cursor = await connection.cursor(SQL["all_numbers"])
    waiting: list[Record] = []
    known: dict[tuple[Any, ...], int] = {}
    coming = asyncio.ensure_future(cursor.fetch(CHUNK))
    while rows := await coming:
        # PostgreSQL reads the next rows while these are packed here.
        coming = asyncio.ensure_future(cursor.fetch(CHUNK))
        await asyncio.sleep(0)
        # Rows of one number are neighbours; the last one may go on in the next chunk.
        last = rows[-1][0]
        cut = len(rows)
        while cut and rows[cut - 1][0] == last:
            cut -= 1
        yield packed_numbers(waiting + rows[:cut], known)
        waiting = (waiting if not cut else []) + rows[cut:]
    yield packed_numbers(waiting, known)


async def some_numbers(connection: Connection, keys: Iterable[int]) -> dict[int, int]:
    """Packed values of these numbers; 0 for those that are gone."""
    wanted = list(keys)
    found = dict.fromkeys(wanted, 0)
    found.update(packed_numbers(await connection.fetch(SQL["some_numbers"], wanted)))
    return found


def packed_numbers(
    rows: Iterable[Record], known: dict[tuple[Any, ...], int] | None = None
) -> list[tuple[int, int]]:
    """(number, packed value) from rows (number, group, scenario, recording, carrier, state).

    There is one row per tenancy, and rows of one number are neighbours. ``known`` keeps payloads
    from one call to the next: a million numbers have some hundred different facts.
    """
    known = {} if known is None else known
    packed: list[tuple[int, int]] = []
    last = 0
    several: tuple[tuple[Any, ...], ...] = ()
    for row in rows:
        e164, facts = row[0], row[1:]
        if e164 != last:
            last, several = e164, (facts,)
            payload = known.get(facts)
            if payload is None:
                if len(known) >= KNOWN_MOST:
                    known.clear()
                payload = known[facts] = _payload(several)
            packed.append((e164, seal_number(e164, payload)))
        else:
            several += (facts,)
            packed[-1] = (e164, seal_number(e164, _payload(several)))
    return packed


def _payload(rows: tuple[tuple[Any, ...], ...]) -> int:
    """What is published of a number, by its rows (group, scenario, recording, carrier, state)."""
    group, scenario, recording, *_ = rows[0]
    tenancies = [(_STATE[state], carrier) for *_, carrier, state in rows if carrier is not None]
    tenancies.sort(key=lambda tenancy: _RANK[tenancy[0]])
    live = [tenancy for tenancy in tenancies if _RANK[tenancy[0]] < _FIRST_OVER]
    shown = [*(live or tenancies[:1]), (0, 0), (0, 0)]
    (state, carrier), (other_state, other_carrier) = shown[0], shown[1]
    return number_payload(
        NumberCell(
            group,
            carrier,
            state,
            other_carrier,
            other_state,
            _SCENARIO[scenario],
            _RECORDING[recording],
        )
    )


async def all_groups(connection: Connection) -> dict[int, int]:
    """Packed values of all attachment groups."""
    rows = await connection.fetch(SQL["all_groups"])
    return {group: pack_group(group, GroupCell(*cell)) for group, *cell in rows}


async def some_groups(connection: Connection, keys: Iterable[int]) -> dict[int, int]:
    """Packed values of these groups; 0 for those that are gone."""
    wanted = list(keys)
    found = dict.fromkeys(wanted, 0)
    for group, *cell in await connection.fetch(SQL["some_groups"], wanted):
        found[group] = pack_group(group, GroupCell(*cell))
    return found


async def directory(connection: Connection) -> dict[str, Any]:
    """The content of the directory, as cache_layout.Directory describes it."""
    people = await connection.fetch(SQL["directory_people"])
    sites = await connection.fetch(SQL["directory_sites"])
    roles = await connection.fetch(SQL["directory_roles"])
    emergency = await connection.fetch(SQL["directory_emergency"])
    return {
        "version": LAYOUT,
        "carriers": _by_index(
            await connection.fetch(SQL["directory_carriers"]), lambda row: row["name"]
        ),
        "pbxs": _by_index(await connection.fetch(SQL["directory_pbxs"]), _pbx),
        "people": {
            row["extension"]: {
                "person": row["person"],
                "role": row["role"],
                "shown": _digits(row["shown"]),
                "site": row["site"],
                "pbx": row["pbx"],
                "mobile": _digits(row["mobile"]),
                "mobile_carrier": row["mobile_carrier"],
            }
            for row in people
        },
        "roles": {row["name"]: dict(row) for row in roles},
        "sites": {
            row["name"]: {
                "city": row["city"],
                "carrier": row["carrier"],
                "callback": _digits(row["callback"]),
            }
            for row in sites
        },
        "emergency": sorted(row["digits"] for row in emergency),
    }


def _pbx(row: Record) -> dict[str, Any]:
    addresses = [
        {"uri": uri, "priority": priority}
        for uri, priority in zip(row["uris"], row["priorities"], strict=True)
    ]
    entry = {
        "name": row["name"],
        "state": row["state"],
        "addresses": addresses,
        "profile": row["profile"],
    }
    if row["username"]:
        digests = {name: row[name] for name in ("realm", "md5", "sha256")}
        entry["account"] = {"user": row["username"], **digests}
    return entry


def _by_index(rows: Iterable[Record], value: Any) -> list[Any]:
    by_index = {row["id"]: value(row) for row in rows}
    return [by_index.get(index) for index in range(max(by_index, default=0) + 1)]


def _digits(number: int | None) -> str:
    return str(number) if number else ""


class Truth:
    """Everything that is published, read at one time.

    ``buckets[i]`` holds number, value, number, value, ...
    """

    def __init__(self) -> None:
        self.buckets: list[array[int]] = [array("Q") for _ in range(BUCKETS)]
        self.count = 0
        self.groups: dict[int, int] = {}
        self.directory: dict[str, Any] = {}
        self.deals = PackedDeals()

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Every (number, packed value), in no order."""
        for cells in self.buckets:
            yield from zip(cells[::2], cells[1::2], strict=True)


async def read_all(connection: Connection) -> Truth:
    """The whole truth.

    Groups and directory are read after the numbers, so what a number points to is there.

    Statements may see different moments; what is committed meanwhile is in the outbox and comes
    afterwards.
    """
    truth = Truth()
    buckets = truth.buckets
    async with connection.transaction():
        async for chunk in all_numbers(connection):
            for e164, packed in chunk:
                cells = buckets[bucket(e164)]
                cells.append(e164)
                cells.append(packed)
            truth.count += len(chunk)
        truth.deals = await all_deals(connection)
        truth.groups = await all_groups(connection)
        truth.directory = await directory(connection)
    return truth
