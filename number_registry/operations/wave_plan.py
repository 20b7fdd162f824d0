"""What a migration in waves would be: its cities in order, what stays behind, whether it may be
made at all; pure, waves.py does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from number_registry.errors import RefuseError
from number_registry.operations.move_plan import PbxFacts
from number_registry.operations.wave_rows import Stored, rules_json
from number_registry.waves import Migration, Rules, Wave, in_order


@dataclass(frozen=True, slots=True)
class NewMigration:
    """What is asked for. ``cities``: only these beside the pilot; none means every city."""

    old: str
    new: str
    pilot: str
    cities: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class WavesFacts:
    """What is there: both PBXs, the numbers of each city at the old one, their calls a day.

    ``elsewhere``: numbers of these cities at other PBXs. ``taken``: a number that is part of
    another open migration, and which that is. ``same``: the migration that is this one already.
    """

    old: PbxFacts
    new: PbxFacts
    numbers: Mapping[str, tuple[int, ...]]
    calls_per_day: Mapping[str, float]
    elsewhere: Mapping[str, Mapping[str, int]]
    taken: tuple[int, str] | None
    planned: tuple[Stored, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedWave:
    """One city of a plan, with the earliest time at which it could move."""

    city: str
    numbers: tuple[int, ...]
    calls_per_day: float
    elsewhere: Mapping[str, int]
    due_at: datetime


@dataclass(frozen=True, slots=True)
class WavesPlan:
    """A migration before it is written down. ``there``: its id where it is planned already."""

    actor: str
    migration: Migration
    waves: tuple[PlannedWave, ...]
    planned_at: datetime
    there: int | None = None

    @property
    def empty(self) -> bool:
        return self.there is not None

    @property
    def summary(self) -> str:
        count = sum(len(one.numbers) for one in self.waves)
        way = f"from {self.migration.old} to {self.migration.new}"
        return f"{count} numbers of {len(self.waves)} cities {way}"


def plan(actor: str, request: NewMigration, facts: WavesFacts, now: datetime) -> WavesPlan:
    """The pilot, then the other cities from the least loaded to the most. Raises RefuseError."""
    new = facts.new
    if facts.old.id == new.id:
        raise RefuseError(f"PBX {new.name} cannot be left for itself")
    missing = [city for city in request.cities if city not in facts.numbers]
    if missing:
        raise RefuseError(f"no number of {', '.join(missing)} is at {facts.old.name}")
    load = {city: facts.calls_per_day.get(city, 0.0) for city in facts.numbers}
    order = in_order(request.pilot, load)
    migration = Migration(
        request.old, request.new, tuple(Wave(city) for city in order), request.rules
    )
    there = next((one.id for one in facts.planned if _same(one, migration, facts)), None)
    if there is None:
        _may(facts)
    due = migration.due(now)
    waves = tuple(
        PlannedWave(city, facts.numbers[city], load[city], facts.elsewhere.get(city, {}), due[city])
        for city in order
    )
    return WavesPlan(actor, migration, waves, now, there)


def _same(one: Stored, wanted: Migration, facts: WavesFacts) -> bool:
    """Whether this migration, which has not started, is what is asked for."""
    there = one.migration
    if (there.old, there.new, there.rules) != (wanted.old, wanted.new, wanted.rules):
        return False
    numbers = {city: stored.numbers for city, stored in one.cities.items()}
    return there.waves[0].city == wanted.waves[0].city and numbers == dict(facts.numbers)


def _may(facts: WavesFacts) -> None:
    if facts.taken is not None:
        number, where = facts.taken
        raise RefuseError(f"+{number} is part of {where}: finish or cancel that first")
    if not facts.new.addresses:
        raise RefuseError(f"PBX {facts.new.name} has no address in service: its calls would fail")
    if facts.new.state != "in_service":
        raise RefuseError(f"PBX {facts.new.name} is suspended: resume it first")


def as_json(plan: WavesPlan) -> dict[str, Any]:
    """What scripts read of a plan."""
    return {
        "old": plan.migration.old,
        "new": plan.migration.new,
        "rules": rules_json(plan.migration.rules),
        "numbers": sum(len(one.numbers) for one in plan.waves),
        "waves": [
            {
                "city": one.city,
                "numbers": len(one.numbers),
                "calls_per_day": round(one.calls_per_day, 1),
                "elsewhere": dict(one.elsewhere),
                "due_at": one.due_at,
            }
            for one in plan.waves
        ],
    }
