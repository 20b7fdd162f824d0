"""What may come between a plan and its end: other people, other PBXs, numbers that come and go; a
migration in waves is refused, goes on, or is held, and is never half done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from number_registry.operations import wave_watch
from number_registry.store.pool import Connection

from .commands import on_database
from .migrating import DAY, DEAD, GOOD, PLAN, SHORT, World, call, moved_pilot, world_of

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def world(
    sql: Connection, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    yield await world_of(sql, on_database(dsn, tmp_path, monkeypatch), monkeypatch)


# -- planning --------------------------------------------------------------------------------------


async def test_a_plan_that_is_written_down_twice_is_written_once(world: World) -> None:
    assert (await world.json(*PLAN, "--plan", status=2))["applied"] is False
    assert (await world.json("list"))["migrations"] == []
    assert await world.json("status") == {"migration": None, "waves": []}
    first = await world.json(*PLAN)
    again = await world.json(*PLAN)
    assert (first["applied"], again["applied"]) == (True, False)
    assert again["migration"] == first["migration"]
    assert len((await world.json("list"))["migrations"]) == 1


async def test_two_migrations_cannot_be_about_the_same_numbers(world: World) -> None:
    await world.json(*SHORT)
    await world.sql.execute("INSERT INTO pbxs (name) VALUES ('cloud')")
    await world.sql.execute(
        "INSERT INTO pbx_addresses (pbx_id, uri) SELECT id, 'sip:192.0.2.9' FROM pbxs"
        " WHERE name = 'cloud'"
    )
    other = ("plan", "old", "cloud", "--pilot", "Omsk")
    told = await world.refused(*other)
    assert "is part of migration 1 (old to new): finish or cancel that first" in told
    assert (await world.json("plan", "old", "cloud", "--pilot", "Perm", "--city", "Tver"))[
        "applied"
    ]
    assert "say which migration: 1, 2 are open" in await world.refused("start")
    await world.json("cancel", 1)
    assert "is part of migration 2" in await world.refused(*SHORT, "--city", "Perm")
    await world.json("start", 2)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("plan", "old", "old", "--pilot", "Kazan"), "cannot be left for itself"),
        (("plan", "old", "nwe", "--pilot", "Kazan"), "Did you mean 'new'"),
        (("plan", "old", "new", "--pilot", "Kazn"), "Did you mean 'Kazan'"),
        (("plan", "new", "old", "--pilot", "Kazan"), "no number of Kazan is at that PBX"),
        (("status", "7"), "there is no migration 7"),
        (("start",), "no migration is planned yet"),
    ],
)
async def test_slips_are_refused_with_what_was_meant(
    world: World, words: tuple[str, ...], why: str
) -> None:
    assert why in await world.refused(*words)


async def test_every_command_shows_first_and_changes_nothing_with_plan(world: World) -> None:
    await moved_pilot(world)
    await world.live(7)
    before = await world.json("show")
    for words in (("go",), ("hold",), ("rollback",), ("skip", "--city", "Ufa")):
        shown = await world.json(*words, "--plan", status=2)
        assert (shown["applied"], shown["undo"]) == (False, None)
        assert shown["summary"]
    assert await world.json("show") == before
    for words in (("start",), ("go", "--city", "Kazan"), ("resume",)):
        assert (await world.json(*words))["applied"] is False, "it is so already"
    with_anyway = await asyncio.to_thread(world.portgate, "waves", "go", "--anyway")
    assert with_anyway.exit_code == 2 and "--anyway needs --city" in with_anyway.output
    table = await asyncio.to_thread(world.portgate, "waves", "status")
    assert "Kazan" in table.stdout and "waits for your go: Omsk" in table.stderr


# -- numbers, cities and PBXs that change meanwhile ------------------------------------------------


async def test_what_is_there_when_a_city_goes_is_what_moves(world: World) -> None:
    await moved_pilot(world)
    await world.live(7)
    await world.sql.execute(
        "INSERT INTO numbers (e164, city_id, group_id)"
        " SELECT 73420000009, city_id, group_id FROM numbers WHERE e164 = 73420000000"
    )
    await world.sql.execute("DELETE FROM numbers WHERE e164 = 73420000001")
    assert (await world.status())["Omsk"]["new_since_plan"] == 1
    went = await world.json("go")
    assert went["notes"][-2:] == [
        "Omsk: 1 numbers new since the plan: +73420000009",
        "Omsk: 1 numbers not at the PBX any more: +73420000001",
    ]
    assert went["changes"][0]["numbers"] == 3 and await world.at_new() == ["Kazan", "Omsk"]
    await world.sql.execute(
        "INSERT INTO numbers (e164, city_id, group_id) SELECT 73420000010, c.city_id, g.group_id"
        " FROM numbers c, numbers g WHERE c.e164 = 73420000000 AND g.e164 = 73472660000"
    )
    assert (await world.status())["Omsk"]["left_at_old"] == 1
    await world.json("skip", "--city", "Ufa")
    world.now += 8 * DAY
    done = await world.json("go")
    assert done["state"] == "finished"
    assert any("pbx swap old new --city Omsk" in note for note in done["notes"])


async def test_a_city_that_is_partly_elsewhere_moves_only_what_is_at_the_old_pbx(
    world: World,
) -> None:
    await world.sql.execute(
        "UPDATE numbers SET group_id = NULL WHERE e164 BETWEEN 78432220000 AND 78432220001"
    )
    planned = await world.json(*SHORT)
    assert planned["waves"][0]["elsewhere"] == {"": 2} and planned["waves"][0]["numbers"] == 8
    await world.json("start")
    kazan = (await world.status())["Kazan"]
    assert kazan["numbers_at"] == {"new": 8}
    await world.json("rollback")
    assert (await world.status())["Kazan"]["numbers_at"] == {"old": 8}


async def test_a_city_without_numbers_by_now_is_left_out(world: World) -> None:
    await moved_pilot(world)
    await world.live(7)
    await asyncio.to_thread(world.portgate, "pbx", "swap", "old", "new", "--city", "Omsk")
    told = await world.refused("go")
    assert "no number of Omsk is at old any more: ./portgate waves skip --city Omsk" in told
    skipped = await world.json("skip", "--city", "Omsk")
    assert (await world.json("skip", "--city", "Omsk"))["applied"] is False
    await world.json("undo", skipped["undo"])
    await world.json("skip", "--city", "Omsk")
    assert (await world.json("go"))["changes"][0]["city"] == "Ufa"


async def test_a_suspended_pbx_holds_the_migration_and_takes_no_city_back(world: World) -> None:
    await moved_pilot(world, *SHORT, "--on-limit", "roll_back")
    for name in ("new", "old"):
        await asyncio.to_thread(world.portgate, "pbx", "suspend", name)
    (told,) = await wave_watch.look(world.sql, world.now)
    assert told["why"] == "Kazan: PBX new is suspended" and told["rolled_back"] == []
    assert "PBX old is suspended" in told["cannot_roll_back"]
    assert await wave_watch.look(world.sql, world.now) == []
    assert await world.at_new() == ["Kazan"]
    assert "PBX old is suspended: its calls would fail" in await world.refused("rollback")
    await asyncio.to_thread(world.portgate, "pbx", "resume", "old")
    await world.json("rollback")
    assert await world.at_new() == []
    await world.json("resume")
    assert "PBX new is suspended: resume it first" in await world.refused("go")


async def test_a_city_that_never_had_a_call_is_held_by_the_ceiling(world: World) -> None:
    await world.json("plan", "old", "new", "--pilot", "Orel", "--city", "Kazan")
    await world.json("start")
    rows = [
        call(world.dice, 73420100000, "new", world.now + n * DAY / 100, DEAD, f"{10**9 + n:032x}")
        for n in range(25)
    ]
    await world.store(rows[:9])
    assert await wave_watch.look(world.sql, world.now + DAY) == []
    assert (await world.status())["Orel"]["verdict"] == "too_few_calls"
    await world.store(rows[9:])
    (told,) = await wave_watch.look(world.sql, world.now + DAY)
    assert "100 % of 25 calls failed" in told["why"] and "there is no baseline" in told["why"]


async def test_calls_that_we_refuse_and_calls_out_of_the_city_count_too(world: World) -> None:
    await moved_pilot(world)
    good = [
        call(world.dice, 78432220000, "new", world.now + n * DAY / 100, GOOD, f"{10**9 + n:032x}")
        for n in range(5)
    ]
    await world.store(good)
    await world.sql.execute(
        "INSERT INTO calls (id, phase, direction, called, shown, pbx, verdict, started_at,"
        " ended_at, end_side, end_how, final_status)"
        " SELECT lpad(n::text, 32, 'e'), 'ended', 'in', '+78432220001', '', '', 'reject', at, at,"
        " 'gw', 'reject', 480 FROM generate_series(1, 3) n, (VALUES ($1::timestamptz)) v (at)"
        " UNION ALL SELECT lpad(n::text, 32, 'f'), 'ended', 'out', '112', '+78432220002', 'new',"
        " 'carrier', at, at, 'b', 'failed', 503"
        " FROM generate_series(1, 2) n, (VALUES ($1::timestamptz)) v (at)",
        world.now + DAY / 2,
    )
    world.now += DAY
    now = (await world.status())["Kazan"]["now"]
    assert (now["calls"], now["failed"]) == (10, 5 + now["failures"].get("out_of_service", 2) - 2)
    await world.sql.execute(
        "UPDATE calls SET phase = 'live', ended_at = NULL, talk_ms = NULL, answered_at = started_at"
        " WHERE id = lpad('1', 32, 'f')"
    )
    live = (await world.status())["Kazan"]["now"]
    assert (live["calls"], live["answered"]) == (10, now["answered"] + 1), "one talks still"
    assert live["failures"]["out_of_service"] == now["failures"]["out_of_service"] - 1
    assert live["acd_s"] == now["acd_s"]
    assert now["failures"]["refused_here"] == 3 and now["failures"]["out_of_service"] >= 2


async def test_numbers_that_somebody_took_elsewhere_are_not_turned(world: World) -> None:
    await moved_pilot(world, *SHORT, "--on-limit", "roll_back")
    await asyncio.to_thread(world.portgate, "pbx", "swap", "new", "old", "--city", "Kazan")
    shown = await asyncio.to_thread(world.portgate, "waves", "status")
    assert "! Kazan: 10 of its numbers are at old by now" in shown.stdout
    back = await world.json("rollback")
    assert back["applied"] and await world.at_new() == [], "somebody was there before"
    await world.json("resume")
    await world.json("go", "--city", "Kazan")
    await world.sql.execute("INSERT INTO pbxs (name) VALUES ('cloud')")
    await world.sql.execute(
        "UPDATE attachment_groups SET pbx_id = (SELECT id FROM pbxs WHERE name = 'cloud')"
        " WHERE pbx_id = (SELECT id FROM pbxs WHERE name = 'new')"
    )
    assert "was moved again since" in await world.refused("rollback")
    await asyncio.to_thread(world.portgate, "pbx", "suspend", "new")
    (told,) = await wave_watch.look(world.sql, world.now)
    assert told["rolled_back"] == [] and "was moved again since" in told["cannot_roll_back"]
    assert (await world.json("status"))["migration"]["state"] == "held"


# -- taking back -----------------------------------------------------------------------------------


async def test_every_step_is_taken_back_by_one_command(world: World) -> None:
    planned = await world.json(*SHORT)
    started = await world.json("start")
    await world.json("undo")
    assert await world.at_new() == [] and (await world.status())["Kazan"]["state"] == "planned"
    started = await world.json("start")
    await world.live(7)
    went = await world.json("go")
    back = await world.json("rollback", "--all")
    assert await world.at_new() == []
    await world.json("undo", back["undo"])
    assert await world.at_new() == ["Kazan", "Omsk"]
    await world.json("undo", went["undo"])
    status = await world.status()
    assert (status["Kazan"]["state"], status["Omsk"]["state"]) == ("watching", "planned")
    assert "taken back already" in await world.refused("undo", went["undo"])
    held = await world.json("hold", "--why", "holidays")
    assert "went on since, by operation" in await world.refused("undo", started["undo"])
    with pytest.raises(Exception, match=f"no undo here: ./portgate waves undo {held['undo']}"):
        await asyncio.to_thread(world.portgate, "pbx", "undo", held["undo"])
    shown = await world.json("undo", "--plan", status=2)
    assert shown["summary"].startswith(f"would take back {held['undo']}: ")
    assert (await world.json("status"))["migration"]["state"] == "held", "only shown"
    for _ in range(2):
        await world.json("undo")
    assert await world.at_new() == []
    await world.json("undo", planned["undo"])
    assert (await world.json("status"))["migration"]["state"] == "cancelled"


async def test_what_the_watch_did_is_not_undone_but_resumed(world: World) -> None:
    world.quality["Kazan", "new"] = DEAD
    await moved_pilot(world)
    await world.live_until_stopped(4)
    assert "went on since" in await world.refused("undo")
    stop = world.told[0]["operation"]
    assert "./portgate waves resume, or rollback" in await world.refused("undo", stop)
    assert (await world.json("resume"))["state"] == "running"
    assert (await world.status())["Kazan"]["verdict"] == "too_few_calls", "counted from here on"
    await world.live_until_stopped(4)
