"""`pbx check` asks the real PBX, `pbx test` calls in and out through it."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.sip.people import PBXS, World
from tests.sip.raw import Raw, raw_socket, reply, sdp
from tests.sip.registered.shop import made

pytestmark = pytest.mark.asyncio


async def test_a_test_call_goes_in_and_out_of_each_pbx(world: World) -> None:
    for pbx in ("old", "new"):
        done = await asyncio.to_thread(world.stack.command, "pbx", "test", pbx, "--json")
        found = json.loads(done.stdout)
        assert (done.returncode, found["ok"]) == (0, True), found
        assert [call["way"] for call in found["calls"]] == ["in", "out"]


async def test_a_check_tells_silence_answers_and_codecs(world: World) -> None:
    stack, here = world.stack, world.stack.host(PBXS["new"])
    done = await asyncio.to_thread(stack.command, "pbx", "check", "new", "--json")
    assert done.returncode == 1 and "is silent" in done.stdout

    async def answers(pbx: Raw) -> None:
        while True:
            asked = await pbx.hears_only("OPTIONS", within=30)
            host, port = asked.header("Via").split()[1].split(";")[0].split(":")
            pbx.sends(reply(asked, "200 OK", here, "pbx", sdp(here, 4000)), (host, int(port)))

    async with raw_socket(here, 5060) as pbx:
        task = asyncio.create_task(answers(pbx))
        try:
            done = await asyncio.to_thread(stack.command, "pbx", "check", "new", "--json")
        finally:
            task.cancel()
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"]) == (0, True), found
    assert [one["said"] for one in found["checks"]][1:] == ["answers", "PCMA"]


async def test_a_check_tells_who_has_not_registered(world: World) -> None:
    made(world.stack, "unheard", "--trust", "register")
    done = await asyncio.to_thread(world.stack.command, "pbx", "check", "unheard", "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)["checks"][1]["said"]
    assert said.startswith("nowhere yet: let it register with ")
