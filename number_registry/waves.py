"""A migration from one PBX to another, city by city: its states, and what may follow what; pure,
time is given, nothing is moved here.

    migration  planned ─▶ running ◀─▶ held, running ─▶ finished    cancelled: from all but finished
    wave       planned ─▶ watching ─▶ kept                    a city each; one is watched at a time
                  │           └──┬──────┘
                  ▼              ▼
               skipped      rolled_back ─▶ watching again

Every step gives the migration as it is afterwards, the same object where there is nothing to do, or
raises RefuseError. Which cities change their PBX is what `turned` says of before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from number_registry.call_quality import Limits
from number_registry.errors import BadValueError, RefuseError

OPEN = ("planned", "running", "held")
HOLD, ROLL_BACK = "hold", "roll_back"


@dataclass(frozen=True, slots=True)
class Rules:
    """How a migration goes. ``watch_days``: of the pilot; the other cities share ``rest_days``.

    ``on_limit``: a crossed limit holds the migration, and rolls that city back where this says so.
    """

    watch_days: float = 30.0
    rest_days: float = 30.0
    baseline_days: int = 28
    on_limit: str = HOLD
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.watch_days <= 366 or not 0 <= self.rest_days <= 366:
            raise BadValueError("watch days and rest days are from 0 to 366")
        if not 7 <= self.baseline_days <= 84 or self.baseline_days % 7:
            raise BadValueError("a baseline is of whole weeks, from 7 to 84 days")
        if self.on_limit not in (HOLD, ROLL_BACK):
            raise BadValueError(f"{self.on_limit!r} is neither {HOLD} nor {ROLL_BACK}")


@dataclass(frozen=True, slots=True)
class Wave:
    """One city. ``measured_from``: calls before it do not count; ``trouble``: the crossed limit."""

    city: str
    state: str = "planned"
    moved_at: datetime | None = None
    measured_from: datetime | None = None
    watch_until: datetime | None = None
    trouble: str = ""

    @property
    def at_new(self) -> bool:
        """Whether its numbers are at the new PBX."""
        return self.state in ("watching", "kept")


@dataclass(frozen=True, slots=True)
class Migration:
    """All of it. The first wave is the pilot's."""

    old: str
    new: str
    waves: tuple[Wave, ...]
    rules: Rules = field(default_factory=Rules)
    state: str = "planned"
    started_at: datetime | None = None
    held_at: datetime | None = None
    held_why: str = ""

    def wave(self, city: str) -> Wave:
        """Raises RefuseError for a city that is no part of it."""
        for one in self.waves:
            if one.city == city:
                return one
        there = ", ".join(one.city for one in self.waves)
        raise RefuseError(f"{city} is no part of this migration: {there}")

    @property
    def watched(self) -> Wave | None:
        """The city that was moved last and is not kept yet."""
        return next((one for one in self.waves if one.state == "watching"), None)

    @property
    def next(self) -> Wave | None:
        """The city that goes next: the first in order that is not at the new PBX."""
        return next((one for one in self.waves if one.state in ("planned", "rolled_back")), None)

    def watch_of(self, city: str) -> timedelta:
        """How long this city is watched."""
        if city == self.waves[0].city:
            return timedelta(days=self.rules.watch_days)
        return timedelta(days=self.rules.rest_days / (len(self.waves) - 1))

    def due(self, now: datetime) -> dict[str, datetime]:
        """When each city that has not moved may, at the earliest, if all goes well."""
        watched, found = self.watched, {}
        at = max(now, watched.watch_until) if watched and watched.watch_until else now
        for one in self.waves:
            if one.state in ("planned", "rolled_back"):
                found[one.city] = at
                at += self.watch_of(one.city)
        return found


def turned(before: Migration, after: Migration) -> tuple[list[str], list[str]]:
    """(cities that go to the new PBX, cities that go back)."""
    pairs = list(zip(before.waves, after.waves, strict=True))
    forward = [two.city for one, two in pairs if two.at_new and not one.at_new]
    back = [two.city for one, two in pairs if one.at_new and not two.at_new]
    return forward, back


def in_order(pilot: str, load: Mapping[str, float]) -> list[str]:
    """The pilot, then the others, least load first. Raises RefuseError."""
    if pilot not in load:
        there = ", ".join(sorted(load)) or "none"
        raise RefuseError(f"no number of {pilot} is at that PBX; cities with numbers: {there}")
    rest = sorted((calls, city) for city, calls in load.items() if city != pilot)
    return [pilot, *(city for _, city in rest)]


def start(migration: Migration, now: datetime) -> Migration:
    """The pilot moves."""
    if migration.state != "planned":
        return _only(migration, "running", "held", doing="started")
    running = replace(migration, state="running", started_at=now)
    return _changed(running, migration.waves[0].city, _mover(migration, now))


def go(
    migration: Migration, now: datetime, city: str | None = None, *, anyway: bool = False
) -> Migration:
    """A person's go: the city that was watched is kept, the next one (or this one) moves; after the
    last one it is finished. `anyway`: before the watch is over.
    """
    if city is not None and migration.wave(city).at_new:
        return migration
    if migration.state == "planned":
        raise RefuseError("it has not started: ./portgate waves start")
    if migration.state == "held":
        raise RefuseError(f"it is held ({migration.held_why}): ./portgate waves resume, then go")
    _only(migration, "running", doing="moved on")
    watched = migration.watched
    if watched is not None:
        if watched.watch_until and now < watched.watch_until and not anyway:
            raise RefuseError(
                f"{watched.city} is watched until {watched.watch_until:%Y-%m-%d %H:%M} UTC;"
                " to go on before that: --city CITY --anyway"
            )
        migration = _changed(migration, watched.city, lambda one: replace(one, state="kept"))
    following = migration.wave(city) if city is not None else migration.next
    if following is None:
        return replace(migration, state="finished")
    return _changed(migration, following.city, _mover(migration, now))


def hold(migration: Migration, now: datetime, why: str) -> Migration:
    """No city moves until somebody resumes it."""
    if migration.state == "held":
        return migration
    _only(migration, "running", doing="held")
    return replace(migration, state="held", held_at=now, held_why=why)


def resume(migration: Migration, now: datetime) -> Migration:
    """It runs again. The time it was held is added to the watch, and where a limit was crossed only
    calls from now on count: what was mended shows, and what was not is seen again.
    """
    if migration.state == "running":
        return migration
    _only(migration, "held", doing="resumed")
    held = max(timedelta(), now - (migration.held_at or now))

    def on(one: Wave) -> Wave:
        if one.watch_until is not None and one.state == "watching":
            one = replace(one, watch_until=one.watch_until + held)
        return replace(one, trouble="", measured_from=now) if one.trouble and one.at_new else one

    waves = tuple(map(on, migration.waves))
    return replace(migration, state="running", held_at=None, held_why="", waves=waves)


def roll_back(
    migration: Migration, now: datetime, cities: Iterable[str] | None = None
) -> Migration:
    """These cities back to the old PBX, without any the one that moved last; it is held then.

    A city that is at the old PBX already stays, so asking twice takes nothing more back.
    """
    _only(migration, "running", "held", "finished", "planned", doing="rolled back")
    if cities is None:
        moved = [one for one in migration.waves if one.moved_at is not None]
        chosen = {max(moved, key=lambda one: one.moved_at or now).city} if moved else set()
    else:
        chosen = {migration.wave(city).city for city in cities}
    going = [one.city for one in migration.waves if one.city in chosen and one.at_new]
    if not going:
        return migration
    for city in going:
        migration = _changed(migration, city, lambda one: replace(one, state="rolled_back"))
    why = f"rolled back {', '.join(going)}"
    return replace(migration, state="held", held_at=migration.held_at or now, held_why=why)


def stop(
    migration: Migration, now: datetime, troubles: Mapping[str, str], *, back: bool
) -> Migration:
    """A limit is crossed in these cities: it is held, and with `back` they are rolled back.

    What was told of a city before is not told again.
    """
    if migration.state not in ("running", "held"):
        return migration
    new = [one.city for one in migration.waves if one.at_new and one.city in troubles]
    new = [city for city in new if not migration.wave(city).trouble]
    if not new:
        return migration
    stopped = tuple(
        replace(one, state="rolled_back" if back else one.state, trouble=troubles[one.city])
        if one.city in new
        else one
        for one in migration.waves
    )
    why = "; ".join(f"{city}: {troubles[city]}" for city in new)
    at = migration.held_at or now
    return replace(migration, state="held", held_at=at, held_why=why, waves=stopped)


def skip(migration: Migration, city: str) -> Migration:
    """This city is left out; `go --city` takes it in again."""
    _only(migration, *OPEN, doing="changed")
    wave = migration.wave(city)
    if wave.at_new:
        raise RefuseError(f"{city} has moved: roll it back first")
    if wave.state == "skipped":
        return migration
    if migration.state == "planned" and city == migration.waves[0].city:
        raise RefuseError(f"{city} is the pilot: plan again with another")
    return _changed(migration, city, lambda one: replace(one, state="skipped"))


def cancel(migration: Migration, *, keep: bool = False) -> Migration:
    """The end of it. Cities that have moved stay only where `keep` says so."""
    if migration.state == "cancelled":
        return migration
    _only(migration, *OPEN, doing="cancelled")
    moved = [one.city for one in migration.waves if one.at_new]
    if moved and not keep:
        raise RefuseError(
            f"{migration.new} answers for {', '.join(moved)}: ./portgate waves rollback --all"
            " first, or --keep to leave them there"
        )
    return replace(migration, state="cancelled", held_at=None, held_why="")


def _mover(migration: Migration, now: datetime) -> Callable[[Wave], Wave]:
    def moved(one: Wave) -> Wave:
        return Wave(one.city, "watching", now, now, now + migration.watch_of(one.city))

    return moved


def _changed(migration: Migration, city: str, change: Callable[[Wave], Wave]) -> Migration:
    waves = tuple(change(one) if one.city == city else one for one in migration.waves)
    return replace(migration, waves=waves)


def _only(migration: Migration, *states: str, doing: str) -> Migration:
    if migration.state not in states:
        raise RefuseError(f"the migration is {migration.state}: it cannot be {doing}")
    return migration
