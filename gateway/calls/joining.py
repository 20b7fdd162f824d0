"""Joins legs that a PBX sent on to the conversations they belong to, where the leg itself did not
say so; it is asked for each batch of events, and asking again changes nothing.

A leg that came back with our correlation was joined when it was recorded. For the others PostgreSQL
is asked, in the transaction that stores the events: the call that was at that PBX at that time, of
the same client, or to the number that diverted the leg. A leg is looked at again with each of its
events, since the call it belongs to may be told of later, by another worker's file.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.calls.fold import Call
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL


async def join(connection: Connection, calls: Iterable[Call]) -> None:
    """Join those of these calls that a PBX sent. Needs a transaction."""
    legs = [call.start for call in calls if call.start is not None and call.start.dir == "out"]
    if not legs:
        return
    silent = [leg for leg in legs if not leg.conv and (leg.client or leg.did)]
    if silent:
        columns = zip(*((leg.c, leg.client, leg.did) for leg in silent), strict=True)
        await connection.execute(SQL["join_legs"], *(list(column) for column in columns))
    await connection.execute(SQL["join_onwards"], [leg.c for leg in legs])
