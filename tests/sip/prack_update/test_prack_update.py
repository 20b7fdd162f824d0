"""Reliable provisional answers (RFC 3262) and UPDATE (RFC 3311) cross the gateway."""

from __future__ import annotations

import pytest

from gateway.endpoints import AnswerScript, tone
from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio

RELIABLE = {"headers": ("Supported: 100rel",), "reliable": True}


async def test_a_reliable_ringing_is_acknowledged_through_the_gateway(world: World) -> None:
    async with (
        world.pbx(how=AnswerScript(steps=("ring_reliable",))) as pbx,
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001", **RELIABLE)
        far = await pbx.call()
        await call.until_received(200, of="PRACK")
        await far.order("answer")
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
    prack = far.received("PRACK")
    assert prack is not None
    assert prack.header("RAck") == "1 1 INVITE"


async def test_reliable_early_media_is_heard(world: World) -> None:
    async with (
        world.pbx(how=AnswerScript(steps=("progress_reliable",))) as pbx,
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001", **RELIABLE)
        far = await pbx.call()
        await call.until_received(200, of="PRACK")
        assert await call.voice.hears(tone.CALLEE_HZ)
        await far.order("answer")
        assert await call.until_final() == 200
        await call.bye()


async def test_an_update_from_either_side_reaches_the_other(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        await call.update()
        await far.update("sendrecv")
        call.voice.ear.forget()
        far.voice.ear.forget()
        assert await both_hear(call, far)
        await call.bye()
    came = call.received("UPDATE")
    assert came is not None
    assert f"c=IN IP4 {world.stack.host(1)}" in came.body
    assert far.received("UPDATE") is not None
