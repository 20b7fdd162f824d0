"""Baseline and present of each wave side by side, and what they say of it; it stops nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from number_registry import call_quality
from number_registry.call_quality import Crossing, Tally, by_hour_of_week, percent, total
from number_registry.errors import RefuseError
from number_registry.operations import wave_rows
from number_registry.operations.wave_rows import HOUR_S, Stored
from number_registry.store.pool import Connection
from number_registry.waves import Wave

NOW_DAYS = 28  # what is older says nothing of how it goes now


@dataclass(frozen=True, slots=True)
class Period:
    """Calls of some time, added up."""

    since: datetime
    until: datetime
    tally: Tally


@dataclass(frozen=True, slots=True)
class Judged:
    """A wave and what its calls say. ``now`` is None before it has moved."""

    baseline: Period
    now: Period | None
    crossed: tuple[Crossing, ...]
    verdict: str

    @property
    def told(self) -> str:
        """The crossed limits for a person, each in the first window that it was seen in."""
        first: dict[str, str] = {}
        for one in self.crossed:
            first.setdefault(one.limit, f"{one.told} ({one.window})")
        return "; ".join(first.values())


async def judge(connection: Connection, stored: Stored, wave: Wave, now: datetime) -> Judged:
    """Of a city that has not moved the baseline is what it would be compared with today."""
    migration, city = stored.migration, stored.cities[wave.city]
    limits = migration.rules.limits
    if wave.moved_at is None or wave.measured_from is None or city.baseline is None:
        since, until = wave_rows.weeks_before(migration.rules, now)
        hours = await wave_rows.calls(connection, city.numbers, since, until, migration.old)
        state = "skipped" if wave.state == "skipped" else "waiting"
        return Judged(Period(since, until, total(hours.values())), None, (), state)
    since = max(wave.measured_from, now - timedelta(days=NOW_DAYS))
    seen = await wave_rows.calls(connection, city.numbers, since, now, migration.new)
    before = Period(
        city.baseline_from or since, city.baseline_to or since, total(city.baseline.values())
    )
    present = Period(since, now, total(seen.values()))
    if not wave.at_new:
        return Judged(before, present, (), wave.state)
    hour = int(now.timestamp()) // HOUR_S
    baseline = by_hour_of_week(city.baseline)
    crossed = tuple(call_quality.crossings(limits, baseline, seen, hour))
    said = call_quality.verdict(limits, before.tally, present.tally, crossed)
    return Judged(before, present, crossed, said)


async def troubles(connection: Connection, stored: Stored, now: datetime) -> dict[str, str]:
    """City -> why it has to be stopped, of those that are at the new PBX."""
    moved = [one for one in stored.migration.waves if one.at_new]
    pbx = await wave_rows.pbx(connection, stored.migration.new)
    if pbx.state != "in_service" or not pbx.addresses:
        why = "is suspended" if pbx.state != "in_service" else "has no address in service"
        return {one.city: f"PBX {pbx.name} {why}" for one in moved}
    found = {}
    for one in moved:
        judged = await judge(connection, stored, one, now)
        if judged.crossed:
            found[one.city] = judged.told
    return found


async def refusals(
    connection: Connection, stored: Stored, now: datetime, *, sure: bool
) -> list[str]:
    """What a person should know before the next city goes; raises RefuseError where a limit is
    crossed and nobody is `sure`.
    """
    found = await troubles(connection, stored, now)
    told = [f"{city}: {why}" for city, why in found.items()]
    if told and not sure:
        raise RefuseError(
            f"{'; '.join(told)}: ./portgate waves rollback, or --city CITY --anyway to go on"
        )
    watched = stored.migration.watched
    if watched is not None:
        judged = await judge(connection, stored, watched, now)
        if judged.verdict in ("too_few_calls", "no_baseline"):
            count = judged.now.tally.calls if judged.now else 0
            why = judged.verdict.replace("_", " ")
            told.append(f"{watched.city}: {why} to tell ({count} since it moved)")
    return told


def shown(period: Period | None) -> dict[str, Any] | None:
    """A period as scripts read it: ASR and failures in percent, ACD in seconds, PDD in ms."""
    if period is None:
        return None
    one = period.tally
    days = max((period.until - period.since).total_seconds(), HOUR_S) / 86400
    return {
        "from": period.since,
        "to": period.until,
        "calls": one.calls,
        "calls_per_day": round(one.calls / days, 1),
        "answered": one.answered,
        "asr_percent": round(percent(one.answered, one.calls), 1) if one.calls else None,
        "acd_s": round(one.acd_s, 1) if one.acd_s is not None else None,
        "pdd_ms": round(one.pdd_ms / one.pdd_calls) if one.pdd_calls else None,
        "failed": one.failed,
        "failed_percent": round(percent(one.failed, one.calls), 1) if one.calls else None,
        "failures": _sorted(one.causes),
    }


def _sorted(causes: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(causes.items(), key=lambda pair: (-pair[1], pair[0])))
