"""Stops a migration in which a limit is crossed, as the daemon does by itself; no person's step is
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from number_registry.errors import RefuseError
from number_registry.operations import wave_judge, wave_rows, waves
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL
from number_registry.waves import ROLL_BACK, stop, turned

ACTOR = "portgate"


async def look(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Judge every city that has moved and stop what crosses a limit; what was stopped, to be told.

    Looking again at what is stopped changes nothing, and so does looking twice at once.
    """
    told = []
    for row in await connection.fetch(SQL["watched_pbx_migrations"]):
        stored = await wave_rows.load(connection, row["id"])
        troubles = await wave_judge.troubles(connection, stored, now)
        if not troubles:
            continue
        cannot = ""
        if stored.migration.rules.on_limit == ROLL_BACK:
            try:
                told += await _stop(connection, row["id"], troubles, now, back=True)
                continue
            except RefuseError as error:
                # Then at least nothing more moves; it is told, and a person can mend it.
                cannot = str(error)
        stopped = await _stop(connection, row["id"], troubles, now, back=False)
        told += [{**one, "cannot_roll_back": cannot} for one in stopped]
    return told


async def _stop(
    connection: Connection, number: int, troubles: Mapping[str, str], now: datetime, *, back: bool
) -> list[dict[str, Any]]:
    """Raises RefuseError where the old PBX cannot take the calls, or not these numbers."""
    stored = await wave_rows.load(connection, number)
    after = stop(stored.migration, now, troubles, back=back)
    _, gone = turned(stored.migration, after)
    if gone:
        await waves.answers(connection, stored.migration.old)
    step = waves.Step(ACTOR, "stop", stored, after, after.held_why, back=tuple(gone))
    if step.empty:
        return []
    try:
        applied = await waves.apply(connection, step, now)
    except waves.WentOnError:
        return []  # somebody took a step at this moment: the next look sees what it made of it
    new = [one.city for one in after.waves if one != stored.migration.wave(one.city)]
    return [{
        "migration": number, "operation": applied.undo, "cities": new, "why": after.held_why,
        "rolled_back": gone,
    }]  # fmt: skip
