"""Calls that are not answered: busy, nobody there, the caller gives up."""

from __future__ import annotations

import pytest

from tests.sip.people import CARRIERS, PBXS, World
from tests.sip.raw import inside, raw_socket, reply, request

pytestmark = pytest.mark.asyncio


async def test_busy_reaches_the_caller(world: World) -> None:
    async with world.pbx(how="busy"), world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        assert await call.until_final() == 486
        await call.until_over()
    assert call.received(180) is not None
    record = await world.record(call)
    assert (record["final_status"], record["answered_at"]) == (486, None)


async def test_a_call_that_nobody_answers_is_ended_on_both_sides(world: World) -> None:
    async with world.pbx(how="noanswer") as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        assert await call.until_final(within=10) == 408
        await far.until_received("CANCEL")
        await far.until_over()
    assert far.final_status == 487
    assert (await world.record(call))["end_how"] == "timeout"


async def test_a_caller_who_gives_up_ends_the_ringing(world: World) -> None:
    async with world.pbx(how="noanswer") as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_received(180)
        await call.cancel()
        assert await call.until_final() == 487
        await far.until_over()
    assert far.received("CANCEL") is not None
    assert far.final_status == 487
    record = await world.record(call)
    assert (record["end_how"], record["final_status"]) == ("cancel", 487)


@pytest.mark.parametrize("status", ["503 Service Unavailable", "500 Server Error", "480 Gone"])
async def test_who_cancelled_hears_487_whatever_the_far_side_says(
    world: World, status: str
) -> None:
    """A 503 would reach it as 500, and look like a failure of ours (RFC 3261, 9.2 and 16.7)."""
    us, near = world.stack.address, world.stack.host(CARRIERS["northline"])
    far = world.stack.host(PBXS["old"])
    async with raw_socket(near) as carrier, raw_socket(far, 5060) as pbx, world.pbx("old second"):
        uri, branch = f"sip:+74951230001@{us[0]}", f"z9hG4bK{status[:3]}cancelled"
        call = {"Via": f"SIP/2.0/UDP {near};rport;branch={branch}", "Call_ID": branch}
        carrier.sends(request("INVITE", uri, near, **call), us)
        ringing = await pbx.hears_only("INVITE")
        pbx.sends(reply(ringing, "180 Ringing", far, "far"), us)
        await carrier.hears_only(180)
        carrier.sends(request("CANCEL", uri, near, **call), us)
        pbx.sends(reply(await pbx.hears_only("CANCEL"), "200 OK", far, "far"), us)
        pbx.sends(reply(ringing, status, far, "far"), us)
        await pbx.hears_only("ACK")
        while (told := await carrier.hears()).header("CSeq") == "1 CANCEL":
            pass
        carrier.sends(request("ACK", uri, near, **call, To=told.header("To")), us)
    assert told.status == 487
    record = await world.stack.record(ringing.call_id)
    assert (record["end_how"], record["final_status"]) == ("cancel", 487)


async def test_a_cancel_is_not_tried_at_the_second_address(world: World) -> None:
    async with (
        world.pbx(how="noanswer"),
        world.pbx("old second") as second,
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        await call.until_received(180)
        await call.cancel()
        assert await call.until_final() == 487
    assert second.legs == {}


async def test_a_person_who_declines_ends_the_call_out(world: World) -> None:
    async with world.phone_network(how="decline"), world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567")
        assert await call.until_final() == 603
        await call.until_over()


@pytest.mark.parametrize("routed", [True, False])
async def test_a_reinvite_is_cancelled_as_it_was_written(world: World, routed: bool) -> None:
    """By the called side, which knows the caller under another name than the caller itself."""
    us, near = world.stack.address, world.stack.host(PBXS["old"])
    far = world.stack.host(CARRIERS["northline"])
    async with raw_socket(near, 5060) as pbx, raw_socket(far, 5060) as carrier:
        asked = {"From": f"<sip:101@{near}>;tag=caller", "Contact": f"<sip:101@{near}>"}
        pbx.sends(request("INVITE", f"sip:+79161234567@{us[0]}", near, **asked), us)
        invite = await carrier.hears_only("INVITE")
        carrier.sends(reply(invite, "200 OK", far, "called"), us)
        answered = await pbx.hears_only(200)
        pbx.sends(inside("ACK", answered, near, 1), us)
        again = {
            "Via": f"SIP/2.0/UDP {far};branch=z9hG4bK{invite.call_id}",
            "From": f"{invite.header('To')};tag=called",
            "To": invite.header("From"),
            "Call_ID": invite.call_id,
            "Route": ", ".join(invite.all("Record-Route")),
        }
        uri = f"sip:101@{near}"
        carrier.sends(request("INVITE", uri, far, CSeq="9 INVITE", **again), us)
        ringing = await pbx.hears_only("INVITE")
        pbx.sends(reply(ringing, "180 Ringing", near), us)
        await carrier.hears_only(180)
        if not routed:
            again["Route"] = ""
        carrier.sends(request("CANCEL", uri, far, CSeq="9 CANCEL", **again), us)
        cancel = await pbx.hears_only("CANCEL")
        pbx.sends(reply(cancel, "200 OK", near), us)
        pbx.sends(reply(ringing, "487 Request Terminated", near), us)
        await carrier.hears_only(487)
        carrier.sends(request("ACK", uri, far, CSeq="9 ACK", **again), us)
        pbx.sends(inside("BYE", answered, near, 2), us)
        carrier.sends(reply(await carrier.hears_only("BYE"), "200 OK", far), us)
        await pbx.hears_only(200)
    assert [cancel.header(name) for name in ("From", "To")] == [
        ringing.header(name) for name in ("From", "To")
    ]
