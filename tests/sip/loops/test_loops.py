"""Calls that would go in circles are cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.endpoints.message import SipMessage
from kemi.plan import CORRELATION
from tests.sip.forwarding import Forwards, Headers, forwarding_pbx
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


# Of these stories alone: calls that came from outside lately explain as many forwarded ones.
CLIENT, ON_OLD, ON_NEW, MOBILE = "+79160000076", "+74951230005", "+74951230016", "+79161234576"
COMPANY = "+79160000077"
HANDFUL = 15


def returning(to: str) -> Forwards:
    """A PBX that overwrites the caller and returns our correlation."""

    def how(came: SipMessage) -> tuple[str, Headers]:
        said = came.header(CORRELATION)
        return to, {"From": "<sip:forward@pbx>;tag=f", CORRELATION: said}

    return how


def diverting(to: str, caller: str = CLIENT) -> Forwards:
    """A PBX that keeps the caller and says which number diverted the call."""

    def how(came: SipMessage) -> tuple[str, Headers]:
        called = came.uri.partition(":")[2].partition("@")[0]
        told = f"<sip:{called}@pbx>;reason=unconditional"
        return to, {"From": f"<sip:{caller}@pbx>;tag=f", "Diversion": told}

    return how


def overwriting(to: str) -> Forwards:
    """A PBX that shows the number that was called as the caller, and says nothing else."""

    def how(came: SipMessage) -> tuple[str, Headers]:
        called = came.uri.partition(":")[2].partition("@")[0]
        return to, {"From": f"<sip:{called}@pbx>;tag=f"}

    return how


@pytest.mark.parametrize("way", [returning, diverting, overwriting])
async def test_two_pbxs_that_forward_to_each_other_are_stopped_in_a_handful_of_rounds(
    world: World, way: Callable[[str], Forwards]
) -> None:
    """Max-Forwards starts anew at each of them, so it would stop nothing."""
    host, us = world.stack.host, world.stack.address
    async with (
        forwarding_pbx(host(PBXS["old"]), us, way(ON_NEW)) as old,
        forwarding_pbx(host(PBXS["new"]), us, way(ON_OLD)) as new,
        world.carrier("northline") as carrier,
    ):
        call = await carrier.calls(ON_OLD, from_=CLIENT)
        assert await call.until_final() == 482
        await call.until_over()
    legs = [*old.joined.values(), *new.joined.values()]
    assert len(legs) <= 2 * HANDFUL
    assert {leg.ended for leg in legs} == {482}
    cut = [await world.stack.record(leg.call_id) for leg in legs]
    (last,) = [record for record in cut if record["verdict"] == "reject"]
    assert last["final_status"] == 482 and "in circles" in last["cause"]
    if way is returning:
        first = await world.record(call)
        assert {record["conversation"] for record in cut} == {first["id"]}


async def test_a_call_that_the_phone_network_brings_back_is_stopped_too(world: World) -> None:
    """Our number is forwarded to a mobile, whose owner forwards it to our number."""
    host, us = world.stack.host, world.stack.address

    def back(came: SipMessage) -> tuple[str, Headers]:
        return ON_OLD, {
            "From": f"<{came.header('From').partition('<')[2].partition('>')[0]}>;tag=n"
        }

    async with (
        forwarding_pbx(host(PBXS["old"]), us, returning(MOBILE)) as pbx,
        forwarding_pbx(host(CARRIERS["northline"]), us, back) as network,
        world.carrier("northline", port=5070) as carrier,
    ):
        call = await carrier.calls(ON_OLD, from_=CLIENT)
        assert await call.until_final() == 482
        await call.until_over()
    assert len(network.joined) <= HANDFUL
    assert {leg.ended for leg in [*pbx.joined.values(), *network.joined.values()]} == {482}


async def test_many_calls_of_one_company_to_one_number_are_none(world: World) -> None:
    """Twenty at once from one number, all forwarded to the same number on another PBX."""
    host, us = world.stack.host, world.stack.address
    async with (
        forwarding_pbx(host(PBXS["old"]), us, diverting(ON_NEW, COMPANY)),
        world.pbx("new", "busy"),
        world.carrier("northline") as carrier,
    ):
        calls = [await carrier.calls(ON_OLD, from_=COMPANY) for _ in range(20)]
        ended = [await world.record(call) for call in calls]
    assert [record["final_status"] for record in ended] == [486] * 20
