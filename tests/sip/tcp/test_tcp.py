"""SIP over TCP on either side; the other side may speak UDP."""

from __future__ import annotations

import pytest

from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio


async def test_a_carrier_over_tcp_reaches_a_pbx_over_udp(world: World) -> None:
    async with world.pbx() as pbx, world.carrier(transport="tcp") as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
        await far.until_over()
    assert call.invite.transport == "tcp"
    assert far.invite.transport == "udp"


async def test_a_pbx_over_udp_can_hang_up_on_a_carrier_over_tcp(world: World) -> None:
    async with world.pbx() as pbx, world.carrier(transport="tcp") as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        await far.until_received("ACK")
        await far.bye()
        await call.until_over()
    bye = call.received("BYE")
    assert bye is not None
    assert bye.transport == "tcp"
