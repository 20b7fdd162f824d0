"""A PBX behind NAT writes addresses that nobody can reach; its real one is used instead."""

from __future__ import annotations

import pytest

from gateway.endpoints import AnswerScript
from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio

INSIDE = "10.20.30.40"


async def test_audio_and_hang_up_find_a_caller_behind_nat(world: World) -> None:
    async with (
        world.phone_network() as network,
        world.pbx_calling(claims=INSIDE) as pbx,
    ):
        call = await pbx.calls("+79161234567")
        far = await network.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await far.bye()
        await call.until_over()
    assert INSIDE in call.invite.header("Contact")
    assert INSIDE in call.invite.body


async def test_audio_and_requests_find_a_called_pbx_behind_nat(world: World) -> None:
    async with world.pbx(claims=INSIDE) as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
        await far.until_over()
    assert far.received("ACK") is not None
    assert far.received("BYE") is not None


async def test_a_prack_finds_a_called_pbx_behind_nat(world: World) -> None:
    how = AnswerScript(steps=("ring_reliable",))
    async with world.pbx(how=how, claims=INSIDE) as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001", headers=("Supported: 100rel",), reliable=True)
        far = await pbx.call()
        await call.until_received(200, of="PRACK")
        await far.order("answer")
        assert await call.until_final() == 200
        await call.bye()


async def test_the_inside_address_reaches_nobody(world: World) -> None:
    async with (
        world.phone_network() as network,
        world.pbx_calling(claims=INSIDE) as pbx,
    ):
        call = await pbx.calls("+79161234567")
        far = await network.call()
        await call.until_final()
        await call.bye()
    assert f"c=IN IP4 {INSIDE}" not in far.invite.body


async def test_an_answer_inside_the_call_does_not_lose_a_pbx_behind_nat(world: World) -> None:
    async with world.pbx(claims=INSIDE) as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        assert await call.until_final() == 200
        await call.hold()
        held = call.received(200, of="INVITE", nth=2)
        await call.bye()
    assert held is not None
    assert "alias=" in held.header("Contact")
    assert far.received("BYE") is not None
