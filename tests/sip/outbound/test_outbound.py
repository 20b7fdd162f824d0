"""Somebody behind a PBX calls out; judged by what the carrier really received."""

from __future__ import annotations

import pytest

from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio


async def test_a_call_out_shows_the_persons_number_and_leaves_by_its_carrier(world: World) -> None:
    async with world.phone_network("northline") as network, world.pbx_calling() as pbx:
        call = await pbx.calls("89161234567", from_="101")
        far = await network.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
    assert far.invite.uri.startswith("sip:+79161234567@")
    assert "<sip:+74951230001@" in far.invite.header("From")
    record = await world.record(call)
    assert (record["direction"], record["carrier"], record["pbx"]) == ("out", "northline", "old")


async def test_an_operator_shows_the_number_of_the_city(world: World) -> None:
    async with world.phone_network("northline") as network, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567", from_="102")
        far = await network.call()
        await call.until_final()
        await call.bye()
    assert "<sip:+74951230000@" in far.invite.header("From")


async def test_a_carrier_that_wants_national_digits_gets_them(world: World) -> None:
    async with world.phone_network("volga_city") as network, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567", from_="104")
        far = await network.call()
        assert await call.until_final() == 200
        await call.bye()
    assert far.invite.uri.startswith("sip:89161234567@")
    assert "<sip:88432220000@" in far.invite.header("P-Asserted-Identity")


async def test_the_extension_is_nowhere_in_what_the_carrier_receives(world: World) -> None:
    async with world.phone_network() as network, world.pbx_calling() as pbx:
        call = await pbx.calls(
            "+79161234567", from_="102", headers=("Remote-Party-ID: <sip:102@x>",)
        )
        far = await network.call()
        await call.until_final()
        await call.bye()
    assert "sip:102@" not in far.invite.text


async def test_a_stranger_behind_a_pbx_may_not_call_out(world: World) -> None:
    async with world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567", from_="999")
        assert await call.until_final() == 403
        await call.until_over()


async def test_a_pbx_cannot_show_a_number_that_is_not_ours(world: World) -> None:
    async with world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567", from_="+79990000000")
        assert await call.until_final() == 403
        await call.until_over()


async def test_a_call_to_a_number_of_ours_stays_inside(world: World) -> None:
    async with world.pbx("new") as called, world.pbx_calling("old") as pbx:
        call = await pbx.calls("+74951230015", from_="101")
        far = await called.call()
        assert await call.until_final() == 200
        await call.bye()
    assert "<sip:+74951230001@" in far.invite.header("From")
