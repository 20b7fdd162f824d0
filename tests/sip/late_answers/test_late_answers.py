"""A far side that was given up answers all the same: it is hung up, and the call goes on without it
(RFC 3261, 13.2.2.4).
"""

from __future__ import annotations

import asyncio
import re

import pytest

from gateway.endpoints.message import SipMessage
from gateway.kamailio_rpc import KamailioRpc
from tests.sip.people import CARRIERS, PBXS, World
from tests.sip.raw import Raw, inside, raw_socket, reply, request, sdp

pytestmark = pytest.mark.asyncio

Us = tuple[str, int]


async def _is_hung_up(late: Raw, invite: SipMessage, far: str, us: Us) -> None:
    """The late one gets the ACK and the BYE of its own dialog."""
    ack = await late.hears_only("ACK")
    bye = await late.hears_only("BYE")
    for heard, number in ((ack, 1), (bye, 2)):
        assert heard.uri == f"sip:raw@{far}"
        assert heard.call_id == invite.call_id
        assert heard.header("From") == invite.header("From")
        assert heard.header("To") == f"{invite.header('To')};tag=late"
        assert heard.header("CSeq") == f"{number} {heard.method}"
    late.sends(reply(bye, "200 OK", far), us)


@pytest.mark.parametrize("first_sign", ["", "100 Trying"])
async def test_the_next_one_rings_when_the_first_answers(world: World, first_sign: str) -> None:
    us, near = world.stack.address, world.stack.host(CARRIERS["northline"])
    far, other = world.stack.host(PBXS["old"]), world.stack.host(PBXS["old second"])
    async with (
        raw_socket(near) as carrier,
        raw_socket(far, 5060) as slow,
        raw_socket(other, 5060) as second,
    ):
        invite = request("INVITE", f"sip:+74951230001@{us[0]}", near, sdp=sdp(near, 4000))
        carrier.sends(invite, us)
        given_up = await slow.hears_only("INVITE")
        if first_sign:
            slow.sends(reply(given_up, first_sign, far), us)
        asked = await second.hears_only("INVITE")
        second.sends(reply(asked, "180 Ringing", other, "second"), us)
        await carrier.hears_only(180)
        slow.sends(reply(given_up, "183 Session Progress", far, "late", sdp(far, 5000)), us)
        slow.sends(reply(await slow.hears_only("CANCEL"), "200 OK", far), us)
        slow.sends(reply(given_up, "200 OK", far, "late", sdp(far, 5000)), us)
        await _is_hung_up(slow, given_up, far, us)
        second.sends(reply(asked, "200 OK", other, "second", sdp(other, 5010)), us)
        answered = await carrier.hears()
        assert answered.status == 200
        assert answered.header("To").endswith(";tag=second")
        carrier.sends(inside("ACK", answered, near, 1), us)
        await second.hears_only("ACK")
        carrier.sends(inside("BYE", answered, near, 2), us)
        second.sends(reply(await second.hears_only("BYE"), "200 OK", other), us)
        await carrier.hears_only(200)
    record = await world.stack.record(asked.call_id)
    assert (record["end_side"], record["end_how"]) == ("a", "bye")
    assert record["destination"] == f"sip:{other}:5060;transport=udp"


async def test_the_next_one_has_answered_when_the_first_does(world: World) -> None:
    us, near = world.stack.address, world.stack.host(CARRIERS["northline"])
    far, other = world.stack.host(PBXS["old"]), world.stack.host(PBXS["old second"])
    async with (
        raw_socket(near) as carrier,
        raw_socket(far, 5060) as slow,
        raw_socket(other, 5060) as second,
    ):
        invite = request("INVITE", f"sip:+74951230001@{us[0]}", near, sdp=sdp(near, 4000))
        carrier.sends(invite, us)
        given_up = await slow.hears_only("INVITE")
        asked = await second.hears_only("INVITE")
        second.sends(reply(asked, "200 OK", other, "second", sdp(other, 5010)), us)
        answered = await carrier.hears_only(200)
        carrier.sends(inside("ACK", answered, near, 1), us)
        await second.hears_only("ACK")
        slow.sends(reply(given_up, "200 OK", far, "late", sdp(far, 5000)), us)
        await _is_hung_up(slow, given_up, far, us)
        assert await carrier.hears_nothing(within=0.5)
        again = inside("INVITE", answered, near, 3, sdp=sdp(near, 4000))
        carrier.sends(again, us)
        refreshed = await second.hears_only("INVITE")
        second.sends(reply(refreshed, "200 OK", other, sdp=sdp(other, 5010)), us)
        kept = await carrier.hears_only(200)
        ports = [re.findall(r"m=audio (\d+)", one.body) for one in (answered, kept)]
        assert ports[0] == ports[1]
        carrier.sends(inside("ACK", kept, near, 3), us)
        carrier.sends(inside("BYE", answered, near, 4), us)
        second.sends(reply(await second.hears_only("BYE"), "200 OK", other), us)
        await carrier.hears_only(200)
    record = await world.stack.record(asked.call_id)
    assert (record["end_side"], record["end_how"]) == ("a", "bye")
    assert record["talk_ms"] >= 500


async def test_the_caller_was_told_when_the_last_one_answers(world: World) -> None:
    us, near = world.stack.address, world.stack.host(CARRIERS["northline"])
    far, other = world.stack.host(PBXS["old"]), world.stack.host(PBXS["old second"])
    async with (
        raw_socket(near) as carrier,
        raw_socket(far, 5060),
        raw_socket(other, 5060) as second,
    ):
        invite = request("INVITE", f"sip:+74951230001@{us[0]}", near, sdp=sdp(near, 4000))
        carrier.sends(invite, us)
        asked = await second.hears_only("INVITE")
        second.sends(reply(asked, "180 Ringing", other, "late"), us)
        await carrier.hears_only(180)
        told = await carrier.hears_only(408)
        heard = {"To": told.header("To"), "Call_ID": told.call_id, "Via": told.header("Via")}
        carrier.sends(request("ACK", f"sip:+74951230001@{us[0]}", near, **heard), us)
        await second.hears_only("CANCEL")
        second.sends(reply(asked, "200 OK", other, "late", sdp(other, 5010)), us)
        await _is_hung_up(second, asked, other, us)
        assert await carrier.hears_nothing(within=0.5)
    record = await world.stack.record(asked.call_id)
    assert (record["end_how"], record["answered_at"]) == ("timeout", None)
    await _nothing_is_left(world)


async def _nothing_is_left(world: World) -> None:
    """Kamailio has forgotten all transactions: an answer kept from tm holds none of them."""
    rpc = KamailioRpc(world.stack.home.kamailio_rpc)
    async with asyncio.timeout(20):
        while (await rpc.ask("tm.stats"))["current"]:
            pass
