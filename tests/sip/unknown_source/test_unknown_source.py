"""A source that is no carrier and no PBX of ours learns nothing, not even that we are here."""

from __future__ import annotations

import pytest

from tests.sip.people import CARRIERS, World
from tests.sip.raw import raw_socket, request

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "MESSAGE"])
async def test_a_stranger_hears_nothing(world: World, method: str) -> None:
    stranger, neighbour = world.stack.host(99), world.stack.host(CARRIERS["northline"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    async with raw_socket(stranger) as outside, raw_socket(neighbour) as known:
        outside.sends(request(method, uri, stranger), world.stack.address)
        alive = await known.asks(request("OPTIONS", uri, neighbour), world.stack.address)
        assert alive.status == 200
        assert await outside.hears_nothing(within=0.5)


async def test_a_stranger_does_not_ring_the_pbx(world: World) -> None:
    stranger = world.stack.host(99)
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    async with world.pbx() as pbx, raw_socket(stranger) as outside:
        outside.sends(request("INVITE", uri, stranger), world.stack.address)
        assert await outside.hears_nothing(within=0.5)
        assert pbx.messages == []


async def test_a_stranger_cannot_end_a_call(world: World) -> None:
    stranger = world.stack.host(99)
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        async with raw_socket(stranger) as outside:
            forged = request(
                "BYE",
                f"sip:callee@{pbx.address}",
                stranger,
                From=call.invite.header("From"),
                To=far.invite.header("To") + ";tag=guess",
                Call_ID=call.call_id,
                CSeq="2 BYE",
            )
            outside.sends(forged, world.stack.address)
            assert await outside.hears_nothing(within=0.5)
        assert far.received("BYE") is None
        await call.bye()
