"""OPTIONS: a neighbour may ask whether we are alive; a stranger hears nothing."""

from __future__ import annotations

import pytest

from tests.sip.people import CARRIERS, PBXS, World
from tests.sip.raw import raw_socket, request

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("last", [CARRIERS["northline"], CARRIERS["volga_city"], PBXS["old"]])
async def test_a_neighbour_hears_that_we_are_alive(world: World, last: int) -> None:
    host = world.stack.host(last)
    async with raw_socket(host) as neighbour:
        reply = await neighbour.asks(request("OPTIONS", "sip:gateway", host), world.stack.address)
    assert reply.status == 200
    assert "INVITE" in reply.header("Allow")


async def test_an_extension_demanded_of_the_proxy_is_refused_by_its_name(world: World) -> None:
    host = world.stack.host(CARRIERS["northline"])
    async with world.pbx() as pbx, raw_socket(host) as neighbour:
        data = request("INVITE", "sip:+74951230001@gateway", host, Proxy_Require="teleport")
        reply = await neighbour.asks(data, world.stack.address)
        assert pbx.messages == []
    assert reply.status == 420
    assert reply.header("Unsupported") == "teleport"


async def test_privacy_may_be_demanded_of_the_proxy(world: World) -> None:
    host = world.stack.host(CARRIERS["northline"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    data = request("INVITE", uri, host, Proxy_Require="privacy", Privacy="id")
    async with world.pbx(how="busy") as pbx, raw_socket(host) as neighbour:
        reply = await neighbour.asks(data, world.stack.address)
        far = await pbx.call()
    assert reply.status == 486
    assert "anonymous.invalid" in far.invite.header("From")


async def test_a_method_not_allowed_names_those_that_are(world: World) -> None:
    host = world.stack.host(CARRIERS["northline"])
    async with raw_socket(host) as neighbour:
        reply = await neighbour.asks(request("REFER", "sip:gateway", host), world.stack.address)
    assert reply.status == 405
    assert "INVITE" in reply.header("Allow")
