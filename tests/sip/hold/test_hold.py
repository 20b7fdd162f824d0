"""Hold and resume by re-INVITE from either side (RFC 3264 section 8.4)."""

from __future__ import annotations

import pytest

from tests.sip.people import World, both_hear, neither_hears_anew

pytestmark = pytest.mark.asyncio


async def test_the_caller_holds_and_resumes(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        assert await both_hear(call, far)
        await call.hold("inactive")
        held = await far.until_received("INVITE", nth=2)
        assert "a=inactive" in held.body
        assert await neither_hears_anew(call, far, within=0.4)
        await call.resume()
        assert await both_hear(call, far)
        await call.bye()


async def test_the_pbx_holds_with_music_and_resumes(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        assert await both_hear(call, far)
        await far.hold("sendonly")
        asked = await call.until_received("INVITE")
        assert "a=sendonly" in asked.body
        await call.until(lambda leg: leg.sent(200) is not None, "our answer")
        assert not call.voice.talking
        await far.resume()
        far.voice.ear.forget()
        assert await both_hear(call, far)
        await far.bye()


async def test_identities_inside_the_call_stay_those_that_each_side_knows(world: World) -> None:
    async with world.pbx() as pbx, world.carrier("volga_city") as carrier:
        call = await carrier.calls("+78432220001")
        far = await pbx.call()
        await call.until_final()
        await call.hold()
        await far.hold("sendrecv")
        await far.bye()
    again = far.received("INVITE", nth=2)
    asked = call.received("INVITE")
    assert again is not None and asked is not None
    assert again.header("From") == far.invite.header("From")
    assert asked.header("To") == call.invite.header("From")
