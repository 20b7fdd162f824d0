"""A carrier brings a call to one of our numbers; judged by what the PBX really received."""

from __future__ import annotations

import pytest

from gateway.endpoints import AnswerScript
from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio


async def test_a_call_from_outside_rings_the_pbx_and_both_sides_hear_each_other(
    world: World,
) -> None:
    async with world.pbx() as pbx, world.carrier("northline") as carrier:
        call = await carrier.calls("+74951230001", from_="+79161234567")
        far = await pbx.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
        await far.until_over()
    assert far.invite.uri.startswith("sip:+74951230001@")
    assert "<sip:+79161234567@" in far.invite.header("From")
    record = await world.record(call)
    assert (record["carrier"], record["pbx"], record["final_status"]) == ("northline", "old", 200)


async def test_the_audio_passes_the_relay_and_not_from_end_to_end(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        assert await both_hear(call, far)
        assert {host for host, _ in far.voice.ear.sources} == {world.stack.host(1)}
        assert {host for host, _ in call.voice.ear.sources} == {world.stack.host(1)}
        await call.bye()


async def test_seven_digits_and_an_asserted_identity_become_full_numbers(world: World) -> None:
    async with world.pbx() as pbx, world.carrier("volga_city") as carrier:
        call = await carrier.calls("+78432220001", from_="+79161234567")
        far = await pbx.call()
        assert await call.until_final() == 200
        await call.bye()
    assert call.invite.uri.startswith("sip:2220001@")
    assert "<sip:89161234567@" in call.invite.header("P-Asserted-Identity")
    assert far.invite.uri.startswith("sip:+78432220001@")
    assert "<sip:+79161234567@" in far.invite.header("From")
    assert far.invite.all("P-Asserted-Identity") == []


async def test_a_number_attached_to_the_other_pbx_rings_there(world: World) -> None:
    async with world.pbx("new") as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230015")
        assert await call.until_final() == 200
        await pbx.call()
        await call.bye()


async def test_a_number_that_is_not_ours_is_not_found(world: World) -> None:
    async with world.carrier() as carrier:
        call = await carrier.calls("+74959999999")
        assert await call.until_final() == 404
        await call.until_over()


async def test_a_number_of_another_carrier_is_not_found(world: World) -> None:
    async with world.carrier("northline") as carrier:
        call = await carrier.calls("+78432220001")
        assert await call.until_final() == 404
        await call.until_over()


async def test_refusals_do_not_tell_which_numbers_are_ours(world: World) -> None:
    async with world.carrier("northline") as carrier:
        ours = await carrier.calls("+78432220001")
        await ours.until_over()
        foreign = await carrier.calls("+74959999999")
        await foreign.until_over()
    assert ours.final is not None and foreign.final is not None
    assert ours.final.start == foreign.final.start
    names = [name for name, _ in ours.final.headers]
    assert names == [name for name, _ in foreign.final.headers]


async def test_a_caller_who_withholds_the_number_stays_withheld(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001", headers=("Privacy: id",))
        far = await pbx.call()
        await call.until_final()
        await call.bye()
    assert "anonymous" in far.invite.header("From")
    assert "79160000001" not in far.invite.text


@pytest.mark.parametrize("how", ["answer", "486 Busy Here"])
async def test_whom_a_call_reached_inside_is_not_told_outside(world: World, how: str) -> None:
    who = 'P-Asserted-Identity: "Extension 101" <sip:101@pbx>\nRemote-Party-ID: <sip:101@pbx>'
    script = AnswerScript(steps=("ring", how), answer_headers=who, refusal_headers=who)
    async with world.pbx(how=script) as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        final = await call.until_final()
        await far.until_final()  # the PBX tells what it has sent after it has
        assert far.final is not None and "101" in far.final.header("P-Asserted-Identity")
        if final == 200:
            await call.bye()
    told = call.received(final)
    assert told is not None
    assert told.all("P-Asserted-Identity") == told.all("Remote-Party-ID") == []
