"""How a migration stands, as scripts and people read it; it changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from number_registry.operations import wave_judge, wave_rows
from number_registry.operations.wave_rows import Stored
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL
from number_registry.waves import Wave


async def status(connection: Connection, number: int, now: datetime) -> dict[str, Any]:
    """``{migration, waves[]}``; each wave with city, state, baseline, now, verdict and more."""
    stored = await wave_rows.load(connection, number)
    due = stored.migration.due(now)
    there = {
        row["city"]: row["numbers"]
        for row in await connection.fetch(
            SQL["wave_cities"], stored.migration.old, list(stored.cities)
        )
    }
    waves = []
    for one in stored.migration.waves:
        at_old = set(there.get(one.city, ()))
        waves.append(await _wave(connection, stored, one, now, due.get(one.city), at_old))
    return {"migration": _migration(stored, now), "waves": waves}


def _migration(stored: Stored, now: datetime) -> dict[str, Any]:
    one = stored.migration
    watched, following = one.watched, one.next
    return {
        "id": stored.id,
        "old": one.old,
        "new": one.new,
        "state": one.state,
        "held_at": one.held_at,
        "held_why": one.held_why,
        "planned_at": stored.planned_at,
        "started_at": one.started_at,
        "actor": stored.actor,
        "watching": watched.city if watched else None,
        "next": following.city if following else None,
        "waits_for_go": one.state == "running"
        and (watched is None or watched.watch_until is None or watched.watch_until <= now),
        "rules": wave_rows.rules_json(one.rules),
    }


async def _wave(
    connection: Connection,
    stored: Stored,
    wave: Wave,
    now: datetime,
    due: datetime | None,
    at_old: set[int],
) -> dict[str, Any]:
    judged = await wave_judge.judge(connection, stored, wave, now)
    city = stored.cities[wave.city]
    where = await connection.fetch(SQL["numbers_of_moves_at"], stored.id, wave.city)
    return {
        "city": wave.city,
        "state": wave.state,
        "baseline": wave_judge.shown(judged.baseline),
        "now": wave_judge.shown(judged.now),
        "verdict": judged.verdict,
        "why": judged.told or wave.trouble,
        "limits_crossed": [one._asdict() for one in judged.crossed],
        "pilot": wave.city == stored.migration.waves[0].city,
        "numbers": len(city.numbers),
        "numbers_at": {row["pbx"]: row["numbers"] for row in where},
        # Came to the city's numbers at the old PBX since it was planned, or since it moved.
        "left_at_old" if wave.at_new else "new_since_plan": len(at_old - set(city.numbers)),
        "calls_per_day": round(city.calls_per_day, 1),
        "moved_at": wave.moved_at,
        "measured_from": wave.measured_from,
        "watch_until": wave.watch_until,
        "due_at": due,
    }


async def history(connection: Connection, number: int) -> list[dict[str, Any]]:
    """Every step, dated, with who took it and what took it back."""
    return [dict(row) for row in await connection.fetch(SQL["wave_history_of"], number)]
