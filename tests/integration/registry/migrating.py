"""Nine cities that move to another PBX, their calls, and a clock that a test turns: two months pass
in seconds, over a real PostgreSQL.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from gateway.cli import registry
from number_registry.operations import wave_watch
from number_registry.store.pool import Connection

from .commands import Portgate

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
# Calls a day; the pilot is Kazan, which is neither the least nor the most loaded.
LOAD = {
    "Kazan": 12, "Ufa": 9, "Moscow": 30, "Perm": 6, "Omsk": 4, "Tver": 7, "Tula": 5, "Orel": 0,
    "Pskov": 16,
}  # fmt: skip
ORDER = ["Kazan", "Orel", "Omsk", "Tula", "Perm", "Tver", "Ufa", "Pskov", "Moscow"]
PLAN = ("plan", "old", "new", "--pilot", "Kazan")
SHORT = (*PLAN, "--city", "Omsk", "--city", "Ufa", "--watch-days", "7", "--rest-days", "8")
_COLUMNS = (
    "id", "phase", "direction", "pbx", "called", "verdict", "started_at", "ring_at", "answered_at",
    "ended_at", "end_side", "end_how", "final_status", "pdd_ms", "talk_ms",
)  # fmt: skip


class Quality(NamedTuple):
    """How calls to a PBX go."""

    asr: float = 0.7
    failing: float = 0.02
    talk_s: float = 90.0


GOOD, DEAD = Quality(), Quality(0.0, 1.0)


def call(
    dice: random.Random, number: int, pbx: str, at: datetime, how: Quality, name: str
) -> tuple[Any, ...]:
    """One row of the table calls, in the order of _COLUMNS."""
    luck, ring = dice.random(), at + timedelta(milliseconds=900)
    head = (name, "ended", "in", pbx, f"+{number}", "pbx", at)
    if luck < how.asr:
        talk = timedelta(seconds=dice.expovariate(1 / how.talk_s))
        answer = ring + timedelta(seconds=8)
        times = (ring, answer, answer + talk)
        return (*head, *times, "a", "bye", 200, 900, int(talk.total_seconds() * 1000))
    if luck > 1 - how.failing:
        end = at + timedelta(milliseconds=50)
        return (*head, None, None, end, "b", "failed", 503, None, None)
    return (*head, ring, None, ring + timedelta(seconds=20), "a", "cancel", 487, 900, None)


@dataclass
class World:
    """The company, its command line, and the time it is."""

    sql: Connection
    portgate: Portgate
    now: datetime = T0
    quality: dict[tuple[str, str], Quality] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    _calls: int = 0

    async def founded(self) -> World:
        """The demo company's three cities and six more; four weeks of calls through the old PBX."""
        await self.sql.execute(
            "ALTER TABLE calls ALTER state SET DEFAULT '{}'"
        )  # no fold made them
        for at, city in enumerate(sorted(set(LOAD) - {"Kazan", "Ufa", "Moscow"})):
            first = 73420000000 + at * 100000
            await self.sql.execute("INSERT INTO cities (name) VALUES ($1)", city)
            await self.sql.execute(
                "INSERT INTO numbers (e164, city_id, group_id) SELECT n, c.id, g.id"
                " FROM generate_series($1::bigint, $1 + 2) n, cities c, attachment_groups g"
                " WHERE c.name = $2 AND g.id = (SELECT group_id FROM numbers WHERE e164 = $3)",
                first, city, 78432220000,
            )  # fmt: skip
        await self.sql.execute(  # all nine begin at the old one
            "UPDATE numbers SET group_id = (SELECT group_id FROM numbers WHERE e164 = 78432220000)"
        )
        self.now = T0 - 28 * DAY
        await self.live(28, look=False)
        return self

    async def json(self, *words: object, status: int = 0) -> Any:
        """A command at this time."""
        return await asyncio.to_thread(self.portgate.json, "waves", *words, status=status)

    async def refused(self, *words: object) -> str:
        """Why a command is refused."""
        with pytest.raises(Exception) as error:
            await asyncio.to_thread(self.portgate, "waves", *words)
        return str(error.value)

    async def status(self) -> dict[str, dict[str, Any]]:
        """What `waves status` says, by city."""
        found = await self.json("status")
        return {wave["city"]: wave for wave in found["waves"]}

    async def pbxs(self) -> dict[str, str]:
        """Which PBX answers in each city."""
        rows = await self.sql.fetch(
            "SELECT DISTINCT c.name, p.name AS pbx FROM numbers n JOIN cities c ON c.id = n.city_id"
            " JOIN attachment_groups g ON g.id = n.group_id JOIN pbxs p ON p.id = g.pbx_id"
        )
        assert len(rows) == len({row["name"] for row in rows}), "a city is in two places"
        return {row["name"]: row["pbx"] for row in rows}

    async def at_new(self) -> list[str]:
        return sorted(city for city, pbx in (await self.pbxs()).items() if pbx == "new")

    async def live(self, days: int, *, look: bool = True) -> None:
        """So many days go by: calls come, and the daemon looks every six hours."""
        for _ in range(days):
            await self.calls_of_a_day()
            for _ in range(4):
                self.now += DAY / 4
                if look:
                    self.told += await wave_watch.look(self.sql, self.now)

    async def live_until_stopped(self, most: int) -> int:
        """How many days it took the watch to stop something."""
        before = len(self.told)
        for days in range(1, most + 1):
            await self.live(1)
            if len(self.told) > before:
                return days
        raise AssertionError(f"nothing was stopped in {most} days")

    async def calls_of_a_day(self) -> None:
        """To every city, through the PBX that answers there."""
        pbxs = await self.pbxs()
        rows = await self.sql.fetch(
            "SELECT c.name, array_agg(n.e164 ORDER BY n.e164) AS numbers"
            " FROM numbers n JOIN cities c ON c.id = n.city_id GROUP BY c.name"
        )
        numbers = {row["name"]: row["numbers"] for row in rows}
        made: list[tuple[Any, ...]] = []
        for city, pbx in pbxs.items():
            how = self.quality.get((city, pbx), GOOD)
            for _ in range(LOAD[city]):
                self._calls += 1
                at = self.now + self.dice.random() * DAY * 0.4
                number = self.dice.choice(numbers[city])
                made.append(call(self.dice, number, pbx, at, how, f"{self._calls:032x}"))
        await self.store(made)

    async def store(self, rows: Iterable[tuple[Any, ...]]) -> None:
        await self.sql.copy_records_to_table("calls", records=list(rows), columns=_COLUMNS)


async def world_of(sql: Connection, portgate: Portgate, monkeypatch: pytest.MonkeyPatch) -> World:
    """Founded, with the commands on its clock."""
    world = World(sql, portgate)
    monkeypatch.setattr(registry, "now", lambda: world.now)
    return await world.founded()


async def moved_pilot(world: World, *words: str) -> None:
    """A migration is planned, with these words or SHORT, and started."""
    await world.json(*(words or SHORT))
    await world.json("start")
