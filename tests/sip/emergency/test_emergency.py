"""Emergency numbers come before every other rule and leave by the carrier of the caller's site."""

from __future__ import annotations

import pytest

from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("number", ["112", "101", "102", "103", "104"])
async def test_rescue_services_are_reached(world: World, number: str) -> None:
    async with world.phone_network("northline") as network, world.pbx_calling() as pbx:
        call = await pbx.calls(number, from_="102")
        far = await network.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
    assert far.invite.uri.startswith(f"sip:{number}@")
    assert "<sip:+74951230000@" in far.invite.header("From")


async def test_the_call_leaves_by_the_carrier_of_the_callers_site(world: World) -> None:
    async with world.phone_network("volga_city") as network, world.pbx_calling() as pbx:
        call = await pbx.calls("112", from_="104")
        far = await network.call()
        assert await call.until_final() == 200
        await call.bye()
    assert far.invite.uri.startswith("sip:112@")
    assert "<sip:88432220000@" in far.invite.header("P-Asserted-Identity")


async def test_somebody_unknown_behind_a_known_pbx_reaches_them_too(world: World) -> None:
    # No site is known for them, so the call leaves as from the company's first site, Kazan.
    async with world.phone_network("volga_city"), world.pbx_calling("new") as pbx:
        call = await pbx.calls("112", from_="999")
        assert await call.until_final() == 200
        await call.bye()
