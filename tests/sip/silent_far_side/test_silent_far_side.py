"""Far sides that fall silent: after 100, before anything, and in the middle of a call."""

from __future__ import annotations

import pytest

from tests.sip.people import CARRIERS, PBXS, World, both_hear
from tests.sip.raw import inside, raw_socket, reply, request

pytestmark = pytest.mark.asyncio


async def test_a_pbx_that_says_100_and_nothing_more_is_passed_over(world: World) -> None:
    async with (
        world.pbx(how="trying") as stuck,
        world.pbx("old second") as second,
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        far = await second.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
        left = await stuck.call()
        await left.until_over()
    assert left.received("CANCEL") is not None


async def test_a_pbx_that_says_nothing_at_all_is_passed_over(world: World) -> None:
    async with (
        world.pbx(how="silent"),
        world.pbx("old second"),
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        assert await call.until_final() == 200
        await call.bye()


async def test_a_call_whose_bye_never_comes_is_ended_on_both_sides(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        assert await both_hear(call, far)
        call.voice.mute()
        far.voice.mute()
        await call.until_received("BYE", within=20)
        await far.until_received("BYE", within=5)
        await call.until_over()
        await far.until_over()
    record = await world.record(call)
    assert (record["end_side"], record["end_how"]) == ("gw", "timeout")


async def test_a_far_side_may_think_about_a_request_inside_a_call(world: World) -> None:
    """A 408 of ours to a session refresh would end the call (RFC 4028, section 10)."""
    us, near = world.stack.address, world.stack.host(CARRIERS["northline"])
    far = world.stack.host(PBXS["old"])
    async with raw_socket(near) as carrier, raw_socket(far, 5060) as pbx:
        carrier.sends(request("INVITE", f"sip:+74951230001@{us[0]}", near), us)
        pbx.sends(reply(await pbx.hears_only("INVITE"), "200 OK", far, "called"), us)
        answered = await carrier.hears_only(200)
        carrier.sends(inside("ACK", answered, near, 1), us)
        carrier.sends(inside("UPDATE", answered, near, 2), us)
        update = await pbx.hears_only("UPDATE")
        assert await carrier.hears_nothing(within=2.5)
        pbx.sends(reply(update, "200 OK", far), us)
        assert (await carrier.hears()).status == 200
        carrier.sends(inside("BYE", answered, near, 3), us)
        pbx.sends(reply(await pbx.hears_only("BYE"), "200 OK", far), us)
        await carrier.hears_only(200)
