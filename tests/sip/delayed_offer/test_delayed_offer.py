"""An INVITE without SDP: the offer is in the 200, the answer in the ACK (RFC 3264 section 4)."""

from __future__ import annotations

import pytest

from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio


async def test_offer_in_the_answer_and_answer_in_the_ack(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001", offer=False)
        far = await pbx.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
    assert far.invite.body == ""
    ack = far.received("ACK")
    assert ack is not None
    assert f"c=IN IP4 {world.stack.host(1)}" in ack.body


async def test_a_pbx_asks_for_an_offer_inside_the_call(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        assert await both_hear(call, far)
        await far.ask_offer()
        call.voice.ear.forget()
        far.voice.ear.forget()
        assert await both_hear(call, far)
        await far.bye()
