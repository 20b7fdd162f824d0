"""Nine cities move to another PBX in two months, lived in seconds: once all goes well, once the new
PBX starts to fail in the second city. Real PostgreSQL; the clock is the test's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

from .commands import on_database
from .conftest import Host, until
from .migrating import DAY, LOAD, ORDER, PLAN, T0, Quality, World, world_of

pytestmark = pytest.mark.asyncio
OF_KAZAN, OF_OREL, OF_OMSK = "+78432220000", "+73420100000", "+73420000000"


@pytest_asyncio.fixture
async def world(
    sql: Connection, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    yield await world_of(sql, on_database(dsn, tmp_path, monkeypatch), monkeypatch)


async def test_nine_cities_move_in_two_months_and_nobody_is_woken(world: World) -> None:
    planned = await world.json(*PLAN)
    assert [wave["city"] for wave in planned["waves"]] == ORDER, "the pilot, then by measured load"
    assert planned["waves"][0]["calls_per_day"] == LOAD["Kazan"]
    assert await world.at_new() == []
    before = await world.status()
    assert {wave["verdict"] for wave in before.values()} == {"waiting"}
    assert before["Moscow"]["baseline"]["calls"] == 28 * LOAD["Moscow"]
    assert before["Orel"]["baseline"]["asr_percent"] is None, "nobody ever calls there"

    await world.json("start")
    assert await world.at_new() == ["Kazan"]
    await world.live(29)
    assert "Kazan is watched until 2026-04-01" in await world.refused("go")
    await world.live(1)
    for moved, city in enumerate(ORDER[1:], 2):
        found = await world.json("status")
        assert found["migration"]["waits_for_go"] and found["migration"]["next"] == city
        went = await world.json("go")
        assert [one["city"] for one in went["changes"]] == [city]
        assert len(await world.at_new()) == moved
        await world.live(4)

    assert world.now - T0 <= 62 * DAY, "the pilot's month, and the rest within thirty days and two"
    assert world.told == [], "all went well: nothing was stopped"
    found = await world.json("status")
    assert {wave["verdict"] for wave in found["waves"]} <= {"ok", "too_few_calls", "no_baseline"}
    kazan = found["waves"][0]
    assert (kazan["city"], kazan["state"], kazan["verdict"]) == ("Kazan", "kept", "ok")
    assert abs(kazan["now"]["asr_percent"] - kazan["baseline"]["asr_percent"]) < 10
    assert kazan["baseline"]["calls_per_day"] == LOAD["Kazan"]
    assert set(kazan["now"]["failures"]) <= {"given_up", "out_of_service"}
    done = await world.json("go")
    assert done["state"] == "finished" and await world.at_new() == sorted(LOAD)
    assert "finished" in await world.refused("go")
    history = (await world.json("show"))["history"]
    assert [line["verb"] for line in history] == ["waves plan", "waves start", *["waves go"] * 9]
    assert [line["at"][:10] for line in history[:2]] == ["2026-03-02"] * 2
    assert {line["actor"] for line in history} == {"anna"}


async def test_a_pbx_that_starts_to_fail_in_the_second_city_stops_it_by_itself(
    world: World, host: Host
) -> None:
    world.quality["Omsk", "new"] = Quality(asr=0.3, failing=0.6)
    async with host.running():
        await world.json(*PLAN, "--city", "Omsk", "--city", "Moscow", "--city", "Ufa")
        await world.json("start")
        await until(lambda: host.pbx_of(OF_KAZAN) == "new")
        await world.live(30)
        assert world.told == []
        await world.json("go")
        await until(lambda: host.pbx_of(OF_OMSK) == "new")

        days = await world.live_until_stopped(10)

        assert days <= 8, "four calls a day: as soon as there are twenty"
        assert [one["cities"] for one in world.told] == [["Omsk"]]
        assert "calls failed (most: out of service)" in world.told[0]["why"]
        found = await world.json("status")
        omsk = next(wave for wave in found["waves"] if wave["city"] == "Omsk")
        assert (omsk["state"], omsk["verdict"]) == ("watching", "limit_crossed")
        assert omsk["now"]["failed_percent"] > 40 > 10 > omsk["baseline"]["failed_percent"]
        assert found["migration"]["state"] == "held"
        assert found["migration"]["held_why"].startswith("Omsk: ")
        held = await world.sql.fetch(SQL["stopped_migrations"])
        assert [row["held_why"][:6] for row in held] == ["Omsk: "], "what doctor says"
        await world.live(3)
        assert len(world.told) == 1, "told once, however often it is looked"
        assert "it is held" in await world.refused("go", "--city", "Ufa", "--anyway")
        assert await world.at_new() == ["Kazan", "Omsk"], "by default a person decides"

        back = await world.json("rollback", "--why", "no lines")

        await until(lambda: host.pbx_of(OF_OMSK) == "old")
        assert [one["city"] for one in back["changes"]] == ["Omsk"]
        assert host.pbx_of(OF_KAZAN) == "new", "the pilot stays"
        assert await world.sql.fetch(SQL["stopped_migrations"]) == [], "somebody has seen to it"
        assert await world.at_new() == ["Kazan"]
        again = await world.json("rollback")
        assert (again["applied"], await world.at_new()) == (False, ["Kazan"])
    # The vendor mends it; the same city goes again, and now well.
    world.quality.clear()
    await world.json("resume")
    went = await world.json("go")
    assert [one["city"] for one in went["changes"]] == ["Omsk"]
    await world.live(12)
    assert len(world.told) == 1
    history = (await world.json("show"))["history"]
    verbs = [line["verb"].removeprefix("waves ") for line in history]
    assert verbs == ["plan", "start", "go", "stop", "rollback", "resume", "go"]
    assert (history[3]["actor"], history[4]["why"]) == ("portgate", "no lines")


async def test_where_the_rules_say_so_it_also_rolls_back_by_itself(world: World) -> None:
    world.quality["Omsk", "new"] = Quality(asr=0.0, failing=1.0)
    await world.json(*PLAN, "--city", "Omsk", "--city", "Ufa", "--on-limit", "roll_back")
    await world.json("start")
    await world.live(30)
    await world.json("go")
    await world.live_until_stopped(8)
    assert world.told[0]["rolled_back"] == ["Omsk"] and await world.at_new() == ["Kazan"]
    status = await world.status()
    assert (status["Omsk"]["state"], status["Omsk"]["verdict"]) == ("rolled_back", "rolled_back")
    assert "calls failed" in status["Omsk"]["why"]
    calls = (await world.json("status"))["migration"]
    assert (calls["state"], calls["next"]) == ("held", "Omsk")


async def test_the_pilot_fails_a_month_after_its_watch_and_stops_the_others(world: World) -> None:
    await world.json(*PLAN, "--city", "Omsk", "--city", "Ufa", "--watch-days", "7")
    await world.json("start")
    await world.live(7)
    await world.json("go")
    await world.live(2)
    world.quality["Kazan", "new"] = Quality(asr=0.1, failing=0.8)
    assert await world.live_until_stopped(6) <= 4
    assert world.told[0]["cities"] == ["Kazan"]
    back = await world.json("rollback", "--all")
    assert sorted(one["city"] for one in back["changes"]) == ["Kazan", "Omsk"]
    assert await world.at_new() == []
