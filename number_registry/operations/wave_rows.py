"""Migrations in waves as the database holds them: reading, writing, measuring calls; it decides
nothing (number_registry/waves.py does).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from number_registry.call_quality import (
    PEOPLE,
    Limits,
    Tally,
    as_json,
    by_hour_of_week,
    cause,
    of_json,
)
from number_registry.operations.move_plan import PbxFacts
from number_registry.operations.values import UnknownError
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL
from number_registry.waves import Migration, Rules, Wave

HOUR_S = 3600
_TIMES = ("moved_at", "measured_from", "watch_until")


@dataclass(frozen=True, slots=True)
class City:
    """What is stored of a wave beside its state. ``baseline``: by hour of the week."""

    numbers: tuple[int, ...]
    calls_per_day: float
    move: int | None
    baseline: Mapping[int, Tally] | None
    baseline_from: datetime | None
    baseline_to: datetime | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A migration with its id and what is stored beside its states."""

    id: int
    migration: Migration
    planned_at: datetime
    actor: str
    cities: Mapping[str, City]


def rules_json(rules: Rules) -> dict[str, Any]:
    """As rules_of reads them."""
    return asdict(rules)


def rules_of(value: Mapping[str, Any]) -> Rules:
    return Rules(**{**value, "limits": Limits(**value["limits"])})


def image(migration: Migration) -> dict[str, Any]:
    """All of it that steps change, as JSON: equal migrations have equal images."""
    return {
        "state": migration.state,
        "started_at": _text(migration.started_at),
        "held_at": _text(migration.held_at),
        "held_why": migration.held_why,
        "waves": [
            {
                "city": one.city,
                "state": one.state,
                "trouble": one.trouble,
                **{name: _text(getattr(one, name)) for name in _TIMES},
            }
            for one in migration.waves
        ],
    }


def of_image(migration: Migration, value: Mapping[str, Any]) -> Migration:
    """The migration as it was when this image was made."""
    waves = tuple(
        Wave(**{**one, **{name: _time(one[name]) for name in _TIMES}}) for one in value["waves"]
    )
    return replace(
        migration,
        state=value["state"],
        started_at=_time(value["started_at"]),
        held_at=_time(value["held_at"]),
        held_why=value["held_why"],
        waves=waves,
    )


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


async def load(connection: Connection, number: int) -> Stored:
    """One migration. Raises UnknownError."""
    found = await connection.fetchrow(SQL["pbx_migration"], number)
    if found is None:
        raise UnknownError(f"there is no migration {number}: see ./portgate waves list")
    rows = await connection.fetch(SQL["waves_of"], number)
    numbers: dict[str, list[int]] = {row["city"]: [] for row in rows}
    for row in await connection.fetch(SQL["wave_numbers_of"], number):
        numbers[row["city"]].append(row["e164"])
    waves = tuple(
        Wave(
            row["city"], row["state"], row["moved_at"], row["measured_from"], row["watch_until"],
            row["trouble"],
        )
        for row in rows
    )  # fmt: skip
    migration = Migration(
        found["from"], found["to"], waves, rules_of(found["rules"]), found["state"],
        found["started_at"], found["held_at"], found["held_why"],
    )  # fmt: skip
    cities = {
        row["city"]: City(
            tuple(numbers[row["city"]]), row["calls_per_day"], row["move_id"],
            None if row["baseline"] is None else of_json(row["baseline"]),
            row["baseline_from"], row["baseline_to"],
        )
        for row in rows
    }  # fmt: skip
    return Stored(number, migration, found["planned_at"], found["actor"], cities)


async def save(connection: Connection, number: int, migration: Migration) -> None:
    """Its states; needs a transaction."""
    await connection.execute(
        SQL["set_pbx_migration"],
        number, migration.state, migration.started_at, migration.held_at, migration.held_why,
    )  # fmt: skip
    # One is watched at a time: the one that was goes first.
    for one in sorted(migration.waves, key=lambda one: one.state == "watching"):
        await connection.execute(
            SQL["set_wave"],
            number, one.city, one.state, *(getattr(one, name) for name in _TIMES), one.trouble,
        )  # fmt: skip


async def save_move(
    connection: Connection,
    number: int,
    city: str,
    move: int,
    numbers: Sequence[int],
    baseline: tuple[Mapping[int, Tally], datetime, datetime],
) -> None:
    """What a city has moved with, and what it is compared with; needs a transaction."""
    hours, since, until = baseline
    await connection.execute(SQL["put_wave_numbers"], number, city, list(numbers))
    await connection.execute(
        SQL["set_wave_move"], number, city, move, as_json(by_hour_of_week(hours)), since, until
    )


async def pbx(connection: Connection, name: str) -> PbxFacts:
    """A PBX that the registry knows."""
    return PbxFacts(*await connection.fetchrow(SQL["move_pbx"], name))


async def calls(
    connection: Connection, numbers: Iterable[int], since: datetime, until: datetime, pbx: str
) -> dict[int, Tally]:
    """The calls of these numbers through this PBX, by hour since 1970."""
    rows = await connection.fetch(SQL["wave_calls"], list(numbers), since, until, pbx)
    found: dict[int, Tally] = {}
    for row in rows:
        hour = int(row["hour"].timestamp()) // HOUR_S
        found[hour] = found.get(hour, Tally()) + _tally(row)
    return found


def _tally(row: Mapping[str, Any]) -> Tally:
    count = row["calls"]
    if row["answered"]:
        talk = (row["talks"], row["talk_s"], row["talk_s2"])
        return Tally(count, count, 0, *talk, row["pdd_ms"], row["pdd_calls"])
    why = cause(row["status"], row["how"], row["verdict"], row["rang"])
    failed = 0 if why in PEOPLE else count
    return Tally(count, 0, failed, 0, 0.0, 0.0, row["pdd_ms"], row["pdd_calls"], {why: count})


def weeks_before(rules: Rules, at: datetime) -> tuple[datetime, datetime]:
    """Which calls make the baseline of a city that moves at this time."""
    return at - timedelta(days=rules.baseline_days), at
