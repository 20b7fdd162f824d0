"""Writes one batch of journal lines into PostgreSQL, all or nothing; it reads no file and decides
no call (fold.py does).

The events, the records folded from them and the place in each file move in one transaction: that is
the whole of "exactly once". A batch that is repeated finds the files elsewhere and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg
import msgspec

from gateway.calls import joining, porting
from gateway.calls.events import KINDS, Event
from gateway.calls.fold import Call, fold
from gateway.calls.record import at, record
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

RAW_KEPT = 65536
_decode = msgspec.json.Decoder(Call).decode


class MovedError(Exception):
    """Another writer has read these files on: what we know of their places is old."""


class Reject(NamedTuple):
    """Why a line is no event: kind is corrupt, truncated or refused (by PostgreSQL)."""

    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Item:
    """One line of one file: either an event with its JSON, or a reject."""

    file_id: int
    at: int
    end: int
    raw: bytes
    event: Event | None = None
    json: str = ""
    reject: Reject | None = None


class Place(NamedTuple):
    """A file's id, how far it has been read, and whether it was read to its end."""

    id: int
    read_to: int
    finished: bool


async def places(connection: Connection, names: Sequence[str]) -> dict[str, Place]:
    """Where reading goes on in each of these files; new files are made known."""
    await connection.execute(SQL["add_journal_files"], names)
    rows = await connection.fetch(SQL["journal_places"], names)
    return {row["name"]: Place(row["id"], row["read_to"], row["finished"]) for row in rows}


async def finish(connection: Connection, file_id: int) -> None:
    """The file has been read to its end and nobody will write into it."""
    await connection.execute(SQL["finish_journal_file"], file_id)


async def open_calls(connection: Connection) -> dict[str, Call]:
    """Every call that is not over, by its id."""
    rows = await connection.fetch(SQL["open_call_states"])
    return {row["id"]: _decode(row["state"]) for row in rows}


async def store(connection: Connection, items: Sequence[Item]) -> dict[str, Call]:
    """Write the lines; what is now known of each call they spoke of.

    `items` are the next lines of their files, without gaps. A line that PostgreSQL will not have
    becomes a reject, alone. Raises MovedError, and asyncpg's errors when PostgreSQL is away.
    """
    try:
        return await _store(connection, items)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError) as error:
        if len(items) == 1:
            return await _store(connection, [_refused(items[0], error)])
    # Some line is poison: halve until it stands alone.
    half = len(items) // 2
    first = await store(connection, items[:half])
    return first | await store(connection, items[half:])


async def _store(connection: Connection, items: Sequence[Item]) -> dict[str, Call]:
    async with connection.transaction():
        await connection.execute(SQL["hold_calls"])
        await _move(connection, items)
        events = [item for item in items if item.event is not None]
        rejects = [item for item in items if item.reject is not None]
        if rejects:
            await connection.execute(SQL["add_journal_rejects"], *_reject_columns(rejects))
        if not events:
            return {}
        await connection.execute(SQL["add_call_events"], *_event_columns(events))
        return await _fold_in(connection, [item.event for item in events if item.event])


async def _move(connection: Connection, items: Sequence[Item]) -> None:
    was: dict[int, int] = {}
    to: dict[int, int] = {}
    for item in items:
        was.setdefault(item.file_id, item.at)
        to[item.file_id] = item.end
    moved = await connection.fetch(
        SQL["move_journal_files"], list(was), list(was.values()), [to[id] for id in was]
    )
    if len(moved) != len(was):
        raise MovedError(f"{len(was) - len(moved)} of {len(was)} files have been read on")


async def _fold_in(connection: Connection, events: Sequence[Event]) -> dict[str, Call]:
    ids = list({event.c for event in events})
    rows = await connection.fetch(SQL["call_states"], ids)
    known = {row["id"]: _decode(row["state"]) for row in rows}
    for event in events:
        known[event.c] = fold(known.get(event.c), event)
    columns = zip(*(record(call) for call in known.values()), strict=True)
    await connection.execute(SQL["put_calls"], *(list(column) for column in columns))
    await joining.join(connection, known.values())
    await porting.arrived(connection, events)
    return known


def _refused(item: Item, error: Exception) -> Item:
    if item.reject is not None:
        raise error  # a reject is bytes and numbers: if that fails, the fault is ours
    return Item(item.file_id, item.at, item.end, item.raw, reject=Reject("refused", str(error)))


def _event_columns(items: Sequence[Item]) -> tuple[list[object], ...]:
    rows = [
        (item.file_id, item.at, item.event.c, at(item.event.t), KINDS[type(item.event)], item.json)
        for item in items
        if item.event is not None
    ]
    return tuple(list(column) for column in zip(*rows, strict=True))


def _reject_columns(items: Sequence[Item]) -> tuple[list[object], ...]:
    rows = [
        (item.file_id, item.at, item.reject.kind, item.end - item.at, item.raw[:RAW_KEPT],
         item.reject.why)
        for item in items
        if item.reject is not None
    ]  # fmt: skip
    return tuple(list(column) for column in zip(*rows, strict=True))
