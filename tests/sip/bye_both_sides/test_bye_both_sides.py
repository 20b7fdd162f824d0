"""Either side hangs up; the other hears of it once, and there is one record."""

from __future__ import annotations

import pytest

from tests.sip.people import World

pytestmark = pytest.mark.asyncio


async def test_the_caller_hangs_up(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        await call.bye()
        await far.until_over()
    assert far.received("BYE") is not None
    record = await world.record(call)
    assert (record["end_side"], record["end_how"]) == ("a", "bye")


async def test_the_called_side_hangs_up(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        await far.until_received("ACK")
        await far.bye()
        await call.until_over()
    assert call.received("BYE") is not None
    record = await world.record(call)
    assert (record["end_side"], record["end_how"]) == ("b", "bye")


async def test_both_hang_up_at_once(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        await far.until_received("ACK")
        await call.order("bye")
        await far.order("bye")
        await call.until_over()
        await far.until_over()
    assert (await world.record(call))["end_how"] == "bye"


async def test_a_bye_of_a_call_out_reaches_the_carrier(world: World) -> None:
    async with world.phone_network("volga_city") as network, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567", from_="104")
        far = await network.call()
        await call.until_final()
        await far.until_received("ACK")
        await far.bye()
        await call.until_over()
    bye = call.received("BYE")
    assert bye is not None
    assert bye.header("To").split(";tag=")[0] == call.invite.header("From").split(";tag=")[0]
