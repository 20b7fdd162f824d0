"""Numbers move from a real PBX to a real PBX of another kind while people talk, and back: Asterisk
16 with chan_sip and Asterisk 22 with PJSIP share neither their SIP stack nor their ways of writing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from number_registry.call import lot_of
from tests.sip.moving import Moving
from tests.sip.people import World
from tests.sip.real_pbxs.office import Office, both_hear

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


async def test_while_numbers_are_shared_both_programs_are_rung_and_both_call_out(
    world: World, office: Office, moving: Moving
) -> None:
    async with office.pbx("old"), office.pbx("new"):
        await moving.run("pbx", "share", "--city", "Kazan", "new", "50")
        await moving.until_at("old", 50)
        async with (
            office.phone("101") as old_phone,
            office.phone("103", at="new") as new_phone,
            world.carrier("volga_city") as carrier,
        ):
            rung = {"old": 0, "new": 0}
            for number in range(6):
                call_id = f"shared-{number}@{carrier.address}"
                call = await carrier.calls(NUMBER, call_id=call_id)
                assert await call.until_final() == 200
                pbx, phone = ("new", new_phone) if lot_of(call_id) < 50 else ("old", old_phone)
                rung[pbx] += 1
                assert await both_hear(call, await phone.call(rung[pbx]))
                await call.bye()
                assert (await world.record(call))["pbx"] == pbx
            assert min(rung.values()) > 0, "these calls draw lots on both sides"

        async with world.phone_network("northline") as outside:
            for already, (pbx, extension) in enumerate((("old", "101"), ("new", "103"))):
                async with office.dialling(extension, at=pbx) as phone:
                    call = await phone.dials("89161234567")
                    assert await call.until_final() == 200
                    assert await both_hear(call, await outside.call(already + 1))
                    await call.bye()


async def test_a_call_from_one_program_to_a_number_of_the_other_stays_inside(
    world: World, office: Office
) -> None:
    """Moscow's advertising numbers are at the new PBX; nobody outside is asked."""
    async with (
        office.pbx("old"),
        office.pbx("new"),
        office.phone("103", at="new") as rung,
        office.dialling("101") as phone,
    ):
        call = await phone.dials("84951230015")
        far = await rung.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        assert "+74951230001" in far.invite.header("From"), "the caller shows a number of ours"
        await call.bye()
        await far.until_over()
