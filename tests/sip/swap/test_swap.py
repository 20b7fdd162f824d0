"""Numbers move to another PBX while people talk: their calls stay, the next one rings there, and
one command brings the numbers back.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sip.moving import Moving
from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio
NUMBER = "+78432220003"


@pytest.fixture
def moving(world: World) -> Iterator[Moving]:
    """Whatever a story leaves behind, the numbers of Kazan are at the old PBX afterwards."""
    yield Moving(world.stack, NUMBER)
    world.stack.command("pbx", "swap", "new", "old", "--city", "Kazan")
    world.stack.command("pbx", "share", "--city", "Kazan", "new", "0")


async def test_a_call_in_progress_stays_and_the_next_one_rings_the_new_pbx(
    world: World, moving: Moving
) -> None:
    async with world.pbx("old") as old, world.carrier("volga_city") as carrier:
        before = await carrier.calls(NUMBER)
        talking = await old.call()
        assert await before.until_final() == 200

        swap = ("pbx", "swap", "old", "new", "--city", "Kazan")
        planned = await moving.run(*swap, "--plan", status=2)
        done = await moving.run(*swap)
        await moving.until_at("new")

        assert (planned["numbers"], planned["live_calls"]) == (10, 1)
        assert [one["e164"] for one in planned["changes"] if one["live_calls"]] == [NUMBER]
        assert await both_hear(before, talking), "the call that was there goes on"
        await before.bye()
        await talking.until_over()
        async with world.pbx("new") as new:
            after = await carrier.calls(NUMBER)
            assert await after.until_final() == 200
            await new.call()
            await after.bye()

        await moving.run("pbx", "undo", str(done["undo"]))
        await moving.until_at("old")
        back = await carrier.calls(NUMBER)
        assert await back.until_final() == 200
        await old.call(2)
        await back.bye()
    assert (await world.record(before))["pbx"] == "old"
    assert (await world.record(after))["pbx"] == "new"


async def test_a_shared_number_rings_where_the_lot_of_the_call_says(
    world: World, moving: Moving
) -> None:
    await moving.run("pbx", "share", "--city", "Kazan", "new", "30")
    await moving.until_at("old", 30)

    for lot, pbx in ((29, "new"), (30, "old")):
        called = (NUMBER, "--from", "+79161234567", "--lot", str(lot))
        told = await moving.run("explain", *called)
        done = await moving.run("call", *called)
        assert told["pbx"] == done["pbx"] == pbx
        assert done["answered"] and done["call_record"]["pbx"] == pbx
        rules = {rule: said for rule, said in done["call_record"]["rules"]}
        assert rules["share"].startswith(f"lot {lot}: PBX new takes those below 30")
