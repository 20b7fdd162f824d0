"""A wave that two people, two daemons or a kill -9 meet in the middle is moved once or not at all,
and whoever comes next goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway import waves as duty
from gateway.stack.render import REPO
from number_registry import waves as core
from number_registry.operations import wave_watch, waves
from number_registry.operations.values import ConflictError
from number_registry.store.pool import Connection, connect

from .commands import on_database
from .conftest import until
from .migrating import DAY, DEAD, SHORT, T0, World, moved_pilot, world_of

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def world(
    sql: Connection, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    yield await world_of(sql, on_database(dsn, tmp_path, monkeypatch), monkeypatch)


async def flips(sql: Connection) -> int:
    return int(await sql.fetchval("SELECT count(*) FROM attachment_history"))


async def test_of_two_who_start_at_once_one_starts(world: World, dsn: str) -> None:
    await world.json(*SHORT)
    two = [await connect(dsn), await connect(dsn)]
    steps = [
        await waves.step(one, "anna", "start", 1, lambda was: core.start(was, T0), T0)
        for one in two
    ]
    done = await asyncio.gather(
        *(waves.apply(one, step, T0) for one, step in zip(two, steps, strict=True)),
        return_exceptions=True,
    )
    for one in two:
        await one.close()
    assert sorted(type(one).__name__ for one in done) == ["Applied", "WentOnError"]
    assert issubclass(waves.WentOnError, ConflictError)
    assert await flips(world.sql) == 1 and await world.at_new() == ["Kazan"]


async def test_two_daemons_that_look_at_once_stop_a_wave_once(world: World, dsn: str) -> None:
    world.quality["Kazan", "new"] = DEAD
    await moved_pilot(world, *SHORT, "--on-limit", "roll_back")
    world.told.clear()
    await world.calls_of_a_day()
    await world.calls_of_a_day()
    two = [await connect(dsn), await connect(dsn)]
    told = await asyncio.gather(*(wave_watch.look(one, world.now + DAY) for one in two))
    for one in two:
        await one.close()
    assert sorted(map(len, told)) == [0, 1] and await world.at_new() == []
    assert (
        await world.sql.fetchval("SELECT count(*) FROM operations WHERE verb = 'waves stop'") == 1
    )


_KILLED = """
import asyncio, os, signal, sys
from datetime import datetime
from number_registry import waves as core
from number_registry.operations import ledger, moves, wave_rows, wave_watch, waves
from number_registry.store.pool import connect

WHERE, NOW = sys.argv[2], datetime.fromisoformat(sys.argv[3])
moves.BATCH = 3

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(what, done, total):
    if WHERE == "gathering" and done == 6:
        kill()

async def main():
    connection = await connect(sys.argv[1])
    if WHERE == "measured":
        ledger.begin = kill
    elif WHERE == "turned":
        wave_rows.save = kill
    elif WHERE == "committed":
        published = moves.published
        async def late(*words, **named):
            if await connection.fetchval("SELECT count(*) FROM attachment_history"):
                kill()
            return await published(*words, **named)
        moves.published = late
    if sys.argv[4] == "look":
        await wave_watch.look(connection, NOW)
    else:
        step = await waves.step(connection, "anna", "start", 1, lambda m: core.start(m, NOW), NOW)
        await waves.apply(connection, step, NOW, progress)

asyncio.run(main())
"""


async def killed(dsn: str, where: str, world: World, what: str) -> None:
    command = [sys.executable, "-c", _KILLED, dsn, where, world.now.isoformat(), what]
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    done = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("where", ["gathering", "turned", "committed"])
async def test_a_command_that_is_killed_has_moved_a_city_or_not_and_goes_on(
    world: World, dsn: str, where: str
) -> None:
    await world.json(*SHORT)
    await killed(dsn, where, world, "start")
    happened = where == "committed"
    assert await world.at_new() == (["Kazan"] if happened else [])
    state = (await world.json("status"))["migration"]["state"]
    assert state == ("running" if happened else "planned")
    assert (await world.json("start"))["applied"] is not happened
    assert await world.at_new() == ["Kazan"] and await flips(world.sql) == 1
    assert await world.sql.fetchval("SELECT count(*) FROM moves") == 1
    history = (await world.json("show"))["history"]
    assert [line["verb"] for line in history] == ["waves plan", "waves start"]


@pytest.mark.parametrize("where", ["measured", "turned", "committed"])
async def test_a_daemon_that_is_killed_while_it_stops_a_wave_stops_it_once(
    world: World, dsn: str, where: str
) -> None:
    world.quality["Kazan", "new"] = DEAD
    await moved_pilot(world, *SHORT, "--on-limit", "roll_back")
    for _ in range(2):
        await world.calls_of_a_day()
    await world.sql.execute("DELETE FROM attachment_history")
    world.now += DAY
    await killed(dsn, where, world, "look")
    assert await world.at_new() == ([] if where == "committed" else ["Kazan"])
    told = await wave_watch.look(world.sql, world.now)
    assert len(told) == (0 if where == "committed" else 1)
    assert await world.at_new() == [] and await flips(world.sql) == 1
    assert (await world.json("status"))["migration"]["state"] == "held"


async def test_the_daemons_duty_stops_a_wave_and_ends_when_it_is_told_to(
    world: World, dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.quality["Kazan", "new"] = DEAD
    await moved_pilot(world)
    stop, now = asyncio.Event(), world.now + DAY
    running = asyncio.create_task(duty.watch(dsn, stop, look_s=0.01, now=lambda: now))
    for _ in range(2):
        await world.calls_of_a_day()
    seen = ""

    def told() -> bool:
        nonlocal seen
        captured = capsys.readouterr()
        seen += captured.out + captured.err
        return "wave stopped" in seen

    await until(told)
    assert "rollback" in seen and "Kazan" in seen
    stop.set()
    await asyncio.wait_for(running, 5)
    assert (await world.json("status"))["migration"]["state"] == "held"


async def test_a_look_that_hangs_does_not_keep_the_daemon(world: World, dsn: str) -> None:
    await moved_pilot(world)
    other = await connect(dsn)
    async with other.transaction():
        await other.execute("LOCK calls, waves IN ACCESS EXCLUSIVE MODE")
        stop = asyncio.Event()
        running = asyncio.create_task(duty.watch(dsn, stop))
        waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'portgate waves'"
        async with asyncio.timeout(10):
            while not await world.sql.fetchval(f"{waits} AND wait_event_type = 'Lock'"):
                await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(running, 3)
    await other.close()
