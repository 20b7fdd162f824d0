"""Reads what a plan of a migration needs, and writes the plan down; nothing is moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from number_registry.errors import RefuseError
from number_registry.operations import ledger, wave_rows
from number_registry.operations.selection import known, names
from number_registry.operations.values import Applied
from number_registry.operations.wave_plan import NewMigration, WavesFacts, WavesPlan
from number_registry.operations.wave_rows import image
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL


async def read(connection: Connection, request: NewMigration, now: datetime) -> WavesFacts:
    """What `plan` needs. Raises UnknownError for a name that is not there."""
    there = await names(connection)
    for name in (request.old, request.new):
        known("PBX", name, there.pbxs)
    for city in (request.pilot, *request.cities):
        known("city", city, there.cities)
    chosen = sorted({request.pilot, *request.cities}) if request.cities else None
    rows = await connection.fetch(SQL["wave_cities"], request.old, chosen)
    numbers = {row["city"]: tuple(row["numbers"]) for row in rows}
    since, until = wave_rows.weeks_before(request.rules, now)
    load = await connection.fetch(SQL["wave_load"], request.old, since, until)
    elsewhere: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(SQL["wave_elsewhere"], list(numbers), request.old):
        elsewhere.setdefault(row["city"], {})[row["pbx"]] = row["numbers"]
    open_ones = await connection.fetch(SQL["list_pbx_migrations"], 1000)
    planned = [
        await wave_rows.load(connection, row["id"])
        for row in open_ones
        if row["state"] == "planned"
    ]
    return WavesFacts(
        await wave_rows.pbx(connection, request.old),
        await wave_rows.pbx(connection, request.new),
        numbers,
        {row["city"]: row["calls"] / request.rules.baseline_days for row in load},
        elsewhere,
        await taken(connection, [one for some in numbers.values() for one in some]),
        tuple(planned),
    )


async def taken(
    connection: Connection, numbers: Sequence[int], but: int = 0
) -> tuple[int, str] | None:
    """One of these numbers that another open migration (not `but`) is about, and which that is."""
    row = await connection.fetchrow(SQL["numbers_in_migrations"], list(numbers), but)
    return (row["e164"], f"migration {row['id']} ({row['from']} to {row['to']})") if row else None


async def add(connection: Connection, plan: WavesPlan) -> tuple[int, Applied]:
    """Write the plan down: (the migration's id, what was done). Nothing moves.

    Raises RefuseError when somebody has planned the same numbers meanwhile.
    """
    if plan.there is not None:
        return plan.there, Applied(None, f"migration {plan.there} is that already")
    migration = plan.migration
    async with connection.transaction():
        await ledger.begin(connection, plan.actor)
        found = await taken(connection, [one for wave in plan.waves for one in wave.numbers])
        if found is not None:
            raise RefuseError(f"+{found[0]} is part of {found[1]} by now")
        rules = wave_rows.rules_json(migration.rules)
        number = await connection.fetchval(
            SQL["add_pbx_migration"],
            migration.old, migration.new, rules, plan.planned_at, plan.actor,
        )  # fmt: skip
        for position, wave in enumerate(plan.waves):
            await connection.execute(
                SQL["add_wave"], number, position, wave.city, wave.calls_per_day
            )
            await connection.execute(SQL["put_wave_numbers"], number, wave.city, list(wave.numbers))
        operation = await ledger.record(connection, plan.actor, "waves plan", plan.summary)
        await connection.execute(
            SQL["add_wave_history"],
            number, operation, plan.planned_at, "planned", "", None, image(migration),
        )  # fmt: skip
    return number, Applied(operation, f"migration {number}: {plan.summary}", len(plan.waves))
