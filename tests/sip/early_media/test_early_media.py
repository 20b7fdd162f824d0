"""Audio before the answer: an announcement or a carrier's own ringing."""

from __future__ import annotations

import pytest

from gateway.endpoints import tone
from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio


async def test_the_caller_hears_what_comes_before_the_answer(world: World) -> None:
    async with (
        world.phone_network(how="early_media", hz=tone.EARLY_HZ) as network,
        world.pbx_calling() as pbx,
    ):
        call = await pbx.calls("+79161234567")
        far = await network.call()
        await call.until_received(183)
        assert await call.voice.hears(tone.EARLY_HZ)
        assert not call.answered
        await far.order("answer")
        assert await call.until_final() == 200
        assert await far.voice.hears(tone.CALLER_HZ)
        await call.bye()


async def test_early_audio_may_end_without_an_answer(world: World) -> None:
    async with world.phone_network(how="early_media") as network, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567")
        far = await network.call()
        assert await call.voice.hears(tone.CALLEE_HZ)
        await far.order("unavailable")
        assert await call.until_final() == 480
        await call.until_over()


async def test_early_audio_goes_on_as_the_call(world: World) -> None:
    async with world.pbx(how="early_media") as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        assert await call.voice.hears(tone.CALLEE_HZ)
        await far.order("answer")
        await call.until_final()
        assert await both_hear(call, far)
        assert len(call.voice.ear.streams) == 1
        await call.bye()
