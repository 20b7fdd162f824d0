"""A PBX that can only be reached over the connection that it opened itself is reached over that, in
a new call and inside it.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.sip.digest import asked, credentials
from tests.sip.people import World
from tests.sip.raw import reply, request, sdp
from tests.sip.registered.shop import NUMBER, made, takes_number
from tests.sip.tls.far import Line

pytestmark = pytest.mark.asyncio


async def test_a_call_finds_a_pbx_behind_a_firewall_over_its_own_connection(world: World) -> None:

    stack = world.stack
    login = made(stack, "walled", "--trust", "register")
    takes_number(stack, "walled")
    here = stack.host(93)
    reader, writer = await asyncio.open_connection(*stack.address, local_addr=(here, 0))
    line = Line(reader, writer)
    uri, user = f"sip:{stack.address[0]}", f"sip:{login['user']}@{stack.address[0]}"
    own = {
        "From": f"<{user}>;tag=reg",
        "To": f"<{user}>",
        "Contact": f"<sip:pbx@{here}:5060;transport=tcp>",  # nobody listens there
        "Via": f"SIP/2.0/TCP {line.source};rport;branch=z9hG4bKwalled",
    }
    try:
        line.sends(request("REGISTER", uri, here, **own))
        challenge = await line.hears()
        proof = credentials(asked(challenge), login["user"], login["password"], "REGISTER", uri)
        own["Via"] += "2"
        line.sends(request("REGISTER", uri, here, **own, Authorization=proof))
        assert (await line.hears()).status == 200
        async with world.carrier() as carrier:
            call = await carrier.calls(NUMBER)
            invite = await line.hears_only("INVITE")
            ok = reply(invite, "200 OK", f"{here}:5060", "pbx", sdp(here, 4000))
            line.sends(ok)
            assert await call.until_final() == 200
            await line.hears_only("ACK")
            hanging_up = asyncio.create_task(call.bye())
            bye = await line.hears_only("BYE")
            line.sends(reply(bye, "200 OK", f"{here}:5060"))
            await hanging_up
    finally:
        writer.close()
