"""A PBX's first address is dead for good: calls stop wasting time on it, by themselves."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.health.watch import FILE
from tests.sip.people import PBXS, World
from tests.sip.stack import Stack, running_stack

pytestmark = pytest.mark.asyncio
NOTICED_S = 5.0


class Answering(asyncio.DatagramProtocol):
    """Says 200 to whatever it is asked."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._transport.sendto(b"SIP/2.0 200 OK\r\n" + data.partition(b"\r\n")[2], addr)


@pytest.fixture
def watched() -> Iterator[Stack]:
    with running_stack(f"health-{os.getpid()}", health=True) as stack:
        yield stack


async def test_a_dead_address_is_tried_last_and_the_call_rings_at_once(watched: Stack) -> None:
    world = World(watched)
    second = watched.host(PBXS["old second"])
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Answering, local_addr=(second, 5060)
    )
    async with asyncio.timeout(2 * NOTICED_S):
        while not known(watched, PBXS["old"], "down") or not known(
            watched, PBXS["old second"], "up"
        ):
            await asyncio.sleep(0.05)
    transport.close()
    async with world.pbx("old second") as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        await pbx.call()
        assert await call.until_final() == 200
        await call.bye()
    assert (await world.record(call))["attempts"] == 1


def known(stack: Stack, host: int, state: str) -> bool:
    """Whether this is said of the gateway, and for long enough that every SIP worker has seen it:
    they look four times a second.
    """
    try:
        said = json.loads((stack.home.snapshot / FILE).read_text())["gateways"]
    except FileNotFoundError:
        return False
    gateway = said.get(f"sip:{stack.host(host)}:5060;transport=udp")
    if gateway is None or gateway["state"] != state:
        return False
    return bool(gateway["since"] < time.time() - 0.3)
