"""Calls that would go in circles are cut."""

from __future__ import annotations

import pytest

from tests.sip.people import CARRIERS, PBXS, World
from tests.sip.raw import raw_socket, request

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
async def test_a_request_without_hops_left_is_refused(world: World, method: str) -> None:
    host = world.stack.host(CARRIERS["northline"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    async with raw_socket(host) as neighbour:
        data = request(method, uri, host, Max_Forwards="0")
        reply = await neighbour.asks(data, world.stack.address)
    assert reply.status == 483


async def test_each_crossing_costs_a_hop(world: World) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001", max_forwards=5)
        far = await pbx.call()
        await call.until_final()
        await call.bye()
    assert far.invite.header("Max-Forwards") == "4"


async def test_a_call_that_goes_round_ends_when_its_hops_are_used_up(world: World) -> None:
    """As a PBX does that forwards to the very number it was called under, hop after hop."""
    host = world.stack.host(PBXS["old"])
    uri = f"sip:+74951230015@{world.stack.address[0]}"
    async with world.pbx("new", "busy"), raw_socket(host) as pbx:
        for hops, status in (("2", 486), ("1", 486), ("0", 483)):
            data = request("INVITE", uri, host, Max_Forwards=hops, From="<sip:101@x>;tag=" + hops)
            assert (await pbx.asks(data, world.stack.address)).status == status
