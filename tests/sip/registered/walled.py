"""The life of a PBX that can only be reached over the connection that it opened itself."""

from __future__ import annotations

import asyncio

from tests.sip.digest import asked, credentials
from tests.sip.people import World
from tests.sip.raw import reply, request, sdp
from tests.sip.registered.shop import NUMBER, made, takes_number
from tests.sip.tls.far import Line


async def is_called(world: World, line: Line, here: str, transport: str) -> None:
    """It registers over this line, is called, and hung up on; all over the same line."""
    stack, name = world.stack, f"walled-{transport}"
    login = made(stack, name, "--trust", "register")
    takes_number(stack, name)
    uri, user = f"sip:{stack.address[0]}", f"sip:{login['user']}@{stack.address[0]}"
    own = {
        "From": f"<{user}>;tag=reg",
        "To": f"<{user}>",
        "Contact": f"<sip:pbx@{here}:5060;transport={transport}>",  # nobody listens there
        "Via": f"SIP/2.0/{transport.upper()} {line.source};rport;branch=z9hG4bKwalled",
    }
    line.sends(request("REGISTER", uri, here, **own))
    challenge = await line.hears()
    proof = credentials(asked(challenge), login["user"], login["password"], "REGISTER", uri)
    own["Via"] += "2"
    line.sends(request("REGISTER", uri, here, **own, Authorization=proof))
    assert (await line.hears()).status == 200
    async with world.carrier() as carrier:
        call = await carrier.calls(NUMBER)
        invite = await line.hears_only("INVITE")
        line.sends(reply(invite, "200 OK", f"{here}:5060", "pbx", sdp(here, 4000)))
        assert await call.until_final() == 200
        await line.hears_only("ACK")
        hanging_up = asyncio.create_task(call.bye())
        bye = await line.hears_only("BYE")
        line.sends(reply(bye, "200 OK", f"{here}:5060"))
        await hanging_up
