"""Keys pressed during a call: as telephone events in RTP (RFC 4733) and as SIP INFO."""

from __future__ import annotations

import pytest

from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio


async def test_keys_as_telephone_events_arrive_in_order_and_once(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        assert await both_hear(call, far)
        call.voice.press("203*4711#")
        assert await far.voice.hears_digits("203*4711#")
        far.voice.press("5")
        assert await call.voice.hears_digits("5")
        await call.bye()


async def test_a_key_as_info_arrives_with_its_body(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        await call.info("7")
        await far.info("8")
        await call.bye()
    there, back = far.received("INFO"), call.received("INFO")
    assert there is not None and back is not None
    assert there.header("Content-Type") == "application/dtmf-relay"
    assert there.body.startswith("Signal=7")
    assert back.body.startswith("Signal=8")
