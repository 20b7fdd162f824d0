"""A PBX that is a proxy and rings several phones: more than one may answer (RFC 3261, 13.2.2.4)."""

from __future__ import annotations

import re

import pytest

from tests.sip.people import CARRIERS, PBXS, World
from tests.sip.raw import Raw, inside, raw_socket, reply, request, sdp

pytestmark = pytest.mark.asyncio

PHONES = {"one": 5000, "two": 5010}


async def test_the_caller_keeps_one_of_two_answers(world: World) -> None:
    us, near = world.stack.address, world.stack.host(CARRIERS["northline"])
    far = world.stack.host(PBXS["old"])
    async with raw_socket(near) as carrier, raw_socket(far, 5060) as pbx:
        invite = request("INVITE", f"sip:+74951230001@{us[0]}", near, sdp=sdp(near, 4000))
        carrier.sends(invite, us)
        asked = await pbx.hears_only("INVITE")
        answers = {}
        for phone, port in PHONES.items():
            pbx.sends(reply(asked, "200 OK", far, phone, sdp(far, port)), us)
            answers[phone] = await carrier.hears_only(200)
            carrier.sends(inside("ACK", answers[phone], near, 1), us)
            await pbx.hears_only("ACK")
        ports = [re.findall(r"m=audio (\d+)", answer.body) for answer in answers.values()]
        assert ports[0] != ports[1]
        await _hangs_up(carrier, pbx, inside("BYE", answers["one"], near, 2), far, us)
        # The audio of the other answer is still there: the relay knows its ports.
        again = inside("INVITE", answers["two"], near, 3, sdp=sdp(near, 4000))
        carrier.sends(again, us)
        refreshed = await pbx.hears_only("INVITE")
        pbx.sends(reply(refreshed, "200 OK", far, sdp=sdp(far, PHONES["two"])), us)
        kept = await carrier.hears_only(200)
        assert re.findall(r"m=audio (\d+)", kept.body) == ports[1]
        carrier.sends(inside("ACK", answers["two"], near, 3), us)
        assert await carrier.hears_nothing(within=1)
        await _hangs_up(carrier, pbx, inside("BYE", answers["two"], near, 4), far, us)
    record = await world.stack.record(asked.call_id)
    assert (record["end_side"], record["end_how"]) == ("a", "bye")
    assert record["talk_ms"] >= 1000


async def _hangs_up(carrier: Raw, pbx: Raw, bye: bytes, far: str, us: tuple[str, int]) -> None:
    carrier.sends(bye, us)
    pbx.sends(reply(await pbx.hears_only("BYE"), "200 OK", far), us)
    await carrier.hears_only(200)
