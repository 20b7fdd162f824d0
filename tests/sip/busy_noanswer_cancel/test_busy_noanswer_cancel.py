"""Calls that are not answered: busy, nobody there, the caller gives up."""

from __future__ import annotations

import pytest

from tests.sip.people import World

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
