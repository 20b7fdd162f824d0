"""A migration in waves as callers notice it: the pilot city's calls ring the new PBX, those of the
next city the old one still; rolled back, they ring the old one again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.endpoints.script import AnswerScript
from gateway.waves import LOOK_S
from number_registry.e164 import E164
from tests.sip.people import World

pytestmark = pytest.mark.asyncio
OF_KAZAN, OF_MOSCOW = "+78432220003", "+74951230000"
CARRIERS = {OF_KAZAN: "volga_city", OF_MOSCOW: "northline"}


class Moving:
    """The commands, and waiting until calls notice."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def run(self, *words: str, status: int = 0) -> Any:
        done = await asyncio.to_thread(self.world.stack.command, "waves", *words, "--json")
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)

    async def until_at(self, number: str, pbx: str) -> None:
        """SIP workers read what we read: the mapped snapshot."""
        async with asyncio.timeout(10):
            while True:
                route = self.world.stack.known().directory.number(E164(number[1:]))
                if route is not None and route.pbx == pbx:
                    return
                await asyncio.sleep(0.01)


@pytest.fixture
def moving(world: World) -> Iterator[Moving]:
    """Whatever a story leaves behind, nothing is moved and no migration is open afterwards."""
    yield Moving(world)
    world.stack.command("waves", "rollback", "--all")
    world.stack.command("waves", "cancel")


async def rings(world: World, number: str, pbx: str) -> str:
    """Call it, talk, hang up: it rang there. The PBX of the call record."""
    async with world.pbx(pbx) as there, world.carrier(CARRIERS[number]) as carrier:
        caller = await carrier.calls(number)
        assert await caller.until_final() == 200
        callee = await there.call()
        await caller.bye()
        await callee.until_over()
    return str((await world.record(caller))["pbx"])


async def test_the_pilot_rings_the_new_pbx_and_after_a_rollback_the_old_one(
    world: World, moving: Moving
) -> None:
    await moving.run("plan", "old", "new", "--pilot", "Kazan", "--city", "Moscow")
    assert await rings(world, OF_KAZAN, "old") == "old", "a plan moves nothing"

    started = await moving.run("start")
    await moving.until_at(OF_KAZAN, "new")

    assert started["changes"] == [
        {"city": "Kazan", "before": "old", "after": "new", "numbers": 10, "live_calls": 0}
    ]
    assert await rings(world, OF_KAZAN, "new") == "new"
    assert await rings(world, OF_MOSCOW, "old") == "old"
    status = await moving.run("status")
    kazan, moscow = status["waves"]
    assert (kazan["city"], kazan["state"]) == ("Kazan", "watching")
    assert kazan["verdict"] == "too_few_calls"
    assert kazan["baseline"]["calls"] >= 1 == kazan["now"]["calls"]
    assert kazan["now"]["asr_percent"] == 100 and kazan["now"]["acd_s"] is not None
    assert (moscow["state"], moscow["now"]) == ("planned", None)

    await moving.run("rollback", "--why", "the story wants it")
    await moving.until_at(OF_KAZAN, "old")

    assert await rings(world, OF_KAZAN, "old") == "old"
    shown = await moving.run("show")
    told = [(line["verb"], line["why"]) for line in shown["history"]]
    assert told[-1] == ("waves rollback", "the story wants it")


@pytest.mark.slow
async def test_the_daemon_stops_a_migration_whose_calls_fail_and_one_step_brings_them_back(
    world: World, moving: Moving
) -> None:
    await moving.run("plan", "old", "new", "--pilot", "Kazan", "--city", "Moscow")
    await moving.run("start")
    await moving.until_at(OF_KAZAN, "new")
    broken = AnswerScript(steps=("503 Service Unavailable",))
    async with world.pbx("new", broken), world.carrier("volga_city") as carrier:
        for _ in range(12):
            caller = await carrier.calls(OF_KAZAN)
            assert await caller.until_final() >= 500

    async with asyncio.timeout(LOOK_S + 20):
        while (status := await moving.run("status"))["migration"]["state"] != "held":
            await asyncio.sleep(1)

    assert status["migration"]["held_why"].startswith("Kazan: 100 % of 12 calls failed")
    assert status["waves"][0]["verdict"] == "limit_crossed"
    assert "wave stopped" in (world.stack.home.log / "gateway.log").read_text("utf-8")
    told = await asyncio.to_thread(world.stack.command, "doctor")
    assert "waves: migration" in told.stdout and "rollback" in told.stdout
    await moving.run("rollback")
    await moving.until_at(OF_KAZAN, "old")
    assert await rings(world, OF_KAZAN, "old") == "old"
