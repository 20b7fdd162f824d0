"""A token leads on what belongs into a call, written as SIP demands, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.sip.people import CARRIERS, PBXS, World
from tests.sip.raw import Raw, RawCall, answer, raw_call, raw_socket, request

pytestmark = pytest.mark.asyncio


class Scene:
    """A carrier in an answered call with the PBX."""

    def __init__(self, world: World, carrier: Raw, pbx: Raw, call: RawCall) -> None:
        self.world, self.carrier, self.pbx, self.call = world, carrier, pbx, call
        self.far = f"sip:far@{world.stack.host(PBXS['old'])}:5060"

    def request(self, method: str, cseq: int = 2, **changes: str) -> bytes:
        host = self.world.stack.host(CARRIERS["northline"])
        return self.call.request(method, changes.pop("uri", self.far), host, cseq, **changes)

    async def refused(self, data: bytes) -> int | None:
        """The gateway's own answer; nothing of the request may reach the PBX."""
        status = (await self.carrier.asks(data, self.world.stack.address)).status
        assert await self.pbx.hears_nothing(within=0.2)
        return status


@asynccontextmanager
async def in_a_call(world: World, *headers: str) -> AsyncIterator[Scene]:
    near, far = world.stack.host(CARRIERS["northline"]), world.stack.host(PBXS["old"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    async with raw_socket(near, 5060) as carrier, raw_socket(far, 5060) as pbx:
        invite = request("INVITE", uri, f"{near}:5060")
        contact = f"Contact: <sip:far@{far}:5060>"
        call = await raw_call(carrier, pbx, invite, world.stack.address, *(headers or (contact,)))
        yield Scene(world, carrier, pbx, call)
        bye = call.request("BYE", f"sip:far@{far}:5060", near, 99)
        carrier.sends(bye, world.stack.address)
        while (heard := await pbx.hears()).method != "BYE":
            pass
        pbx.sends(answer(heard, 200), world.stack.address)
        while (await carrier.hears()).method != "BYE":
            pass


@pytest.mark.parametrize("cseq", ["-5 INFO", "x INFO", "7 BYE"])
async def test_a_broken_cseq_is_a_bad_request(world: World, cseq: str) -> None:
    async with in_a_call(world) as scene:
        assert await scene.refused(scene.request("INFO", CSeq=cseq)) == 400


async def test_a_demand_on_proxies_is_no_more_met_inside_a_call(world: World) -> None:
    async with in_a_call(world) as scene:
        assert await scene.refused(scene.request("INFO", Proxy_Require="magic")) == 420


@pytest.mark.parametrize("method", ["REFER", "REGISTER", "MESSAGE", "PUBLISH", "SUBSCRIBE", "XX"])
async def test_a_method_we_do_not_allow_is_not_led_on(world: World, method: str) -> None:
    async with in_a_call(world) as scene:
        assert await scene.refused(scene.request(method, Refer_To="<sip:evil@x>")) == 405


async def test_a_cancel_of_nothing_is_not_led_on(world: World) -> None:
    async with in_a_call(world) as scene:
        assert await scene.refused(scene.request("CANCEL")) == 481


async def test_nobody_is_named_anew_inside_a_call(world: World) -> None:
    names = {
        "P_Asserted_Identity": "<sip:+79990000000@x>",
        "Remote_Party_ID": "<sip:+79990000000@x>",
        "Privacy": "none",
    }
    async with in_a_call(world) as scene:
        scene.carrier.sends(scene.request("INFO", **names), scene.world.stack.address)
        while (heard := await scene.pbx.hears()).method != "INFO":
            pass
        scene.pbx.sends(answer(heard, 200), world.stack.address)
        assert "+79990000000" not in heard.text
        assert heard.header("Privacy") == ""


@pytest.mark.parametrize(
    "header",
    [
        "Contact: <sip:\udcff@far>",
        "Record-Route: <sip:\udcff@far;lr>\r\nContact: <sip:far@far>",
    ],
)
async def test_an_answer_with_foreign_bytes_is_still_an_answer(world: World, header: str) -> None:
    async with in_a_call(world, header) as scene:
        call_id = scene.call.ok.call_id
    record = await world.stack.record(call_id)
    assert record["answered_at"] is not None
    assert (record["end_side"], record["end_how"]) == ("a", "bye")


ILLEGIBLE = {
    "a value": "Retry-After: x(",
    "no value": "no value",
    "a blank in a name": "X Y: z",
    "a zero": "X\0Y: z",
    "a second Via": "Via: junk",
}


@pytest.mark.parametrize("what", sorted(ILLEGIBLE))
async def test_what_cannot_be_read_carries_nobody_past_us(world: World, what: str) -> None:
    """Kamailio finds no header behind one that it cannot read, so it could take none out."""
    odd, named = ILLEGIBLE[what], "P-Asserted-Identity: <sip:leak@x>"
    near, far = world.stack.host(CARRIERS["northline"]), world.stack.host(PBXS["old"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    async with raw_socket(near, 5060) as carrier, raw_socket(far, 5060) as pbx:
        branch = f"SIP/2.0/UDP {near}:5060;branch=z9hG4bK{len(what)}{near}"
        own = {"Via": branch, "Call_ID": f"{what.replace(' ', '-')}@{near}"}
        carrier.sends(request("INVITE", uri, f"{near}:5060", **own), world.stack.address)
        heard = await pbx.hears_only("INVITE")
        pbx.sends(answer(heard, 180, odd, named), world.stack.address)
        pbx.sends(answer(heard, 486), world.stack.address)
        while (back := await carrier.hears()).status != 486:
            assert "leak" not in back.text
        own.update(To=back.header("To"), CSeq="1 ACK")
        carrier.sends(request("ACK", uri, f"{near}:5060", **own), world.stack.address)


@pytest.mark.parametrize("what", ["a value", "no value", "a second Via"])
@pytest.mark.parametrize("method", ["INFO", "ACK"])
async def test_a_request_that_cannot_be_read_is_not_led_on(
    world: World, what: str, method: str
) -> None:
    async with in_a_call(world) as scene:
        data = scene.request(method, X=f"y\r\n{ILLEGIBLE[what]}")
        scene.carrier.sends(data, world.stack.address)
        assert await scene.pbx.hears_nothing(within=0.3)
        told = [await scene.carrier.hears() for _ in range(scene.carrier.replies.qsize())]
        assert {one.status for one in told if one.method == "INFO"} <= {400}


async def test_a_cseq_beyond_all_bounds_loses_no_record(world: World) -> None:
    host = world.stack.host(CARRIERS["northline"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    data = request("INVITE", uri, host, CSeq="4294967296 INVITE")
    async with world.pbx(how="busy"), raw_socket(host) as carrier:
        reply = await carrier.asks(data, world.stack.address)
    record = await world.stack.record(reply.call_id)
    assert record["final_status"] == 486


@pytest.mark.parametrize("way", ["Request-URI", "second Route", "alias", "maddr"])
async def test_nobody_is_led_to_a_stranger_inside_a_call(world: World, way: str) -> None:
    stranger = world.stack.host(98)
    async with in_a_call(world) as scene, raw_socket(stranger, 5060) as victim:
        route = scene.call.ok.header("Record-Route")
        changes = {
            "Request-URI": {"uri": f"sip:x@{stranger}:5060"},
            "second Route": {"Route": f"{route}, <sip:{stranger}:5060;lr>"},
            "maddr": {"uri": f"{scene.far};maddr={stranger}"},
            "alias": {"uri": f"{scene.far};alias={stranger}~5060~1"},
        }[way]
        scene.carrier.sends(scene.request("INFO", **changes), world.stack.address)
        assert await victim.hears_nothing(within=0.5)
