"""Numbers move from a real PBX to a real PBX of another kind while people talk, and back: Asterisk
16 with chan_sip and Asterisk 22 with PJSIP share neither their SIP stack nor their ways of writing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sip.moving import Moving
from tests.sip.people import World, both_hear
from tests.sip.real_pbxs.office import Office

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]
NUMBER = "+78432220003"
SWAP = ("pbx", "swap", "old", "new", "--city", "Kazan")


@pytest.fixture
def moving(world: World) -> Iterator[Moving]:
    """Whatever a story leaves behind, the numbers of Kazan are at the old PBX afterwards."""
    yield Moving(world.stack, NUMBER)
    world.stack.command("pbx", "swap", "new", "old", "--city", "Kazan")
    world.stack.command("pbx", "share", "--city", "Kazan", "new", "0")


async def test_calls_stay_where_they_are_and_the_next_one_rings_the_other_program(
    world: World, office: Office, moving: Moving
) -> None:
    async with (
        office.pbx("old"),
        office.pbx("new"),
        office.phone("101") as old_phone,
        office.phone("103", at="new") as new_phone,
        world.carrier("volga_city") as carrier,
    ):
        before = await carrier.calls(NUMBER)
        talking = await old_phone.call()
        assert await before.until_final() == 200
        assert await both_hear(before, talking)

        planned = await moving.run(*SWAP, "--plan", status=2)
        done = await moving.run(*SWAP)
        await moving.until_at("new")
        assert planned["live_calls"] == 1
        talking.voice.ear.forget()
        before.voice.ear.forget()
        assert await both_hear(before, talking), "the call that was there goes on"
        await before.bye()
        await talking.until_over()

        after = await carrier.calls(NUMBER)
        assert await after.until_final() == 200
        assert await both_hear(after, await new_phone.call())
        await after.bye()

        await moving.run("pbx", "undo", str(done["undo"]))
        await moving.until_at("old")
        back = await carrier.calls(NUMBER)
        assert await back.until_final() == 200
        assert await both_hear(back, await old_phone.call(2))
        await back.bye()
    pbxs = [(await world.record(call))["pbx"] for call in (before, after, back)]
    assert pbxs == ["old", "new", "old"]
