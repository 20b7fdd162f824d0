"""Asterisk as the carrier: we register there with a password, it asks for that with each call out,
and calls in come to where we registered.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.endpoints import Caller, CallScript
from tests.sip.authentication.carrier import USER
from tests.sip.authentication.conftest import gateway, registering
from tests.sip.people import CARRIERS, World, answering
from tests.sip.real_pbxs.asterisk import Asterisk, Kind
from tests.sip.real_pbxs.office import both_hear
from tests.sip.stack import Stack

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]

PASSWORD, SUBSCRIBER, PHONE, DID = "wind-and-rain-7", 63, "+79161234567", "+74951230003"
KINDS = {
    "carrier_chan_sip": Kind("carrier_chan_sip", "bullseye", "SIP", f"SIP/{USER}/{{}}", ""),
    "carrier_pjsip": Kind("carrier_pjsip", "sid", "PJSIP", f"PJSIP/{{}}@{USER}", ""),
}


@pytest.fixture(scope="module", params=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def stack(transport: str, kind: Kind, roots: dict[str, Path]) -> Iterator[Stack]:
    """Of each carrier alone: at another one we would be registered for a minute without knowing."""

    def auth(net: str) -> str:
        return registering(net, transport)

    with gateway(f"customer-{os.getpid()}", auth, PASSWORD) as found:
        yield found


@asynccontextmanager
async def carrier(stack: Stack, roots: dict[str, Path], kind: Kind) -> AsyncIterator[Asterisk]:
    """It, once we are registered there."""
    login = {"user": USER, "password": PASSWORD}
    here, phones = stack.host(CARRIERS["northline"]), {PHONE: stack.host(SUBSCRIBER)}
    root, us = roots[kind.suite], stack.address[0]
    async with Asterisk(kind, root, kind.name, here, us, phones, login=login) as found:
        give_up = time.monotonic() + 30
        while (now := await asyncio.to_thread(standing, stack))["state"] != "registered":
            assert time.monotonic() < give_up, (now, found.log()[-3000:])
        try:
            yield found
        finally:
            print(found.log()[-4000:])


def standing(stack: Stack) -> dict[str, Any]:
    listed = json.loads(stack.command("carriers", "list", "--json").stdout)["carriers"]
    trunk = next(one for one in listed if one["name"] == "northline")["trunks"][0]
    return dict(trunk["registration"] or {"state": "not known yet"})


async def test_calls_out_prove_themselves_and_calls_in_come_where_we_registered(
    stack: Stack, world: World, roots: dict[str, Path], kind: Kind
) -> None:
    async with carrier(stack, roots, kind):
        await _out(world, stack)
        await _in(world, stack)


async def _out(world: World, stack: Stack) -> None:
    """Held from both sides, and hung up on by either."""
    for who in ("caller", "called"):
        async with (
            answering(stack, SUBSCRIBER, "subscriber", "answer") as phone,
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(PHONE)
            far = await phone.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            await call.hold()
            await call.resume()
            await far.hold()
            await far.resume()
            assert await both_hear(call, far)
            near, other = (call, far) if who == "caller" else (far, call)
            await near.bye()
            await other.until_over()
        record = await world.record(call)
        assert (record["carrier"], record["end_how"]) == ("northline", "bye")


async def _in(world: World, stack: Stack) -> None:
    async with (
        world.pbx() as pbx,
        Caller(stack.host(SUBSCRIBER), name="subscriber") as phone,
    ):
        there = stack.host(CARRIERS["northline"])
        script = CallScript(
            request_uri=f"sip:{DID}@{there}",
            from_header=f"<sip:{PHONE}@{there}>",
            to_header=f"<sip:{DID}@{there}>",
        )
        call = await phone.invites(script, (there, 5060), user=PHONE)
        far = await pbx.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await far.bye()
        await call.until_over()
    assert far.invite.uri.startswith(f"sip:{DID}@")
