"""Puts a number that is being ported into service when its new carrier brings the first real call;
it is asked for each batch of events, and asking again changes nothing.

It works in the transaction that stores the events, so a call counts for this exactly as often as it
counts at all. A call counts when it was let in to a PBX, whether or not somebody answered: it
proves that the network hands the number over to this carrier now.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from gateway.calls.events import Event, Start
from gateway.calls.record import at
from number_registry.e164 import E164
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

_log = structlog.get_logger("gateway.calls")


async def arrived(connection: Connection, events: Iterable[Event]) -> None:
    """Note who brought calls to which numbers. Needs a transaction."""
    calls = [
        (called, event.src, at(event.t), event.c)
        for event in events
        if isinstance(event, Start) and event.dir == "in" and event.kind == "pbx"
        and (called := _number(event.called)) is not None
    ]  # fmt: skip
    if not calls:
        return
    columns = (list(column) for column in zip(*calls, strict=True))
    for row in await connection.fetch(SQL["ported_by_calls"], *columns):
        # History tells which call it was.
        await connection.execute(SQL["act_as"], f"call {row['call_id']}")
        await connection.execute(SQL["ported"], row["tenancy"])
        _log.info("number ported in", number=f"+{row['e164']}", call=row["call_id"])


def _number(called: str) -> int | None:
    found = E164.maybe(called.removeprefix("+"))
    return int(found) if found is not None else None
