"""Far sides that fall silent: after 100, before anything, and in the middle of a call."""

from __future__ import annotations

import pytest

from tests.sip.people import World, both_hear

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
