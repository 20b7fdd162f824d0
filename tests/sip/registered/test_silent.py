"""A registered PBX that falls silent is tried last, and its path through address translation is
kept open by questions from our own SIP port.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from tests.sip.people import World
from tests.sip.raw import Raw, raw_socket, reply
from tests.sip.registered.shop import NUMBER, listed, made, registers, takes_number
from tests.sip.stack import Stack, running_stack

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    with running_stack(f"registered-{worker}", health=True) as found:
        yield found


async def answers_questions(pbx: Raw, stack: Stack, here: str) -> None:
    while True:
        asked = await pbx.hears_only("OPTIONS", within=30)
        pbx.sends(reply(asked, "200 OK", here, "there"), stack.address)


async def test_a_registered_place_that_is_silent_is_tried_last(world: World, stack: Stack) -> None:
    login = made(stack, "two-places", "--trust", "register")
    takes_number(stack, "two-places")
    silent, there = stack.host(91), stack.host(92)
    contacts = f"<sip:a@{silent}:5060>;q=0.9, <sip:b@{there}:5060>;q=0.1"
    async with raw_socket(there, 5060) as pbx, raw_socket(silent, 5060) as first:
        said = await registers(pbx, stack, login, Contact=contacts)
        assert said.status == 200
        asked = await first.hears_only("OPTIONS")
        assert asked.header("Via").startswith(f"SIP/2.0/UDP {stack.address[0]}")
        answering = asyncio.create_task(answers_questions(pbx, stack, there))
        try:
            assert await _states(stack) == {silent: "down", there: "up"}
        finally:
            answering.cancel()
        async with world.carrier() as carrier:
            call = await carrier.calls(NUMBER)
            assert (await pbx.hears_only("INVITE")).uri.startswith(f"sip:{NUMBER}@{there}")
            await call.cancel()
            await call.until_over()


async def _states(stack: Stack) -> dict[str, str]:
    """By address, once one of them is known to be down."""
    give_up = time.monotonic() + 12
    while True:
        rows = await asyncio.to_thread(listed, stack)
        (row,) = [one for one in rows if one["name"] == "two-places"]
        found = {one["uri"].split(":")[1]: one["state"] for one in row["registered"]}
        if "down" in found.values() or time.monotonic() > give_up:
            return found
        await asyncio.sleep(0.1)
