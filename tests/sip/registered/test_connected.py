"""A PBX that can only be reached over the connection that it opened itself is reached over that, in
a new call and inside it.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.sip.people import World
from tests.sip.registered.walled import is_called
from tests.sip.tls.far import Line

pytestmark = pytest.mark.asyncio


async def test_a_call_finds_a_pbx_behind_a_firewall_over_its_own_connection(world: World) -> None:
    here = world.stack.host(93)
    reader, writer = await asyncio.open_connection(*world.stack.address, local_addr=(here, 0))
    try:
        await is_called(world, Line(reader, writer), here, "tcp")
    finally:
        writer.close()
