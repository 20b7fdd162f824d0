"""A PBX forwards a client's call to a mobile: one conversation that shows the number called."""

from __future__ import annotations

import json

import pytest

from gateway.endpoints.message import SipMessage
from kemi.plan import CORRELATION
from tests.sip.forwarding import Forwards, Headers, forwarding_pbx
from tests.sip.people import PBXS, World

pytestmark = pytest.mark.asyncio
CLIENT, OURS, MOBILE = "+79160000001", "+74951230001", "+79161234567"


def returning(came: SipMessage) -> tuple[str, Headers]:
    """Overwrites the caller as many do, and returns the correlation."""
    said = came.header(CORRELATION)
    assert said
    return MOBILE, {"From": "<sip:forward@pbx>;tag=f", CORRELATION: said}


def keeping(came: SipMessage) -> tuple[str, Headers]:
    """Keeps the caller, and tells who diverted the call."""
    told = {"Diversion": f"<sip:{OURS}@pbx>;reason=no-answer"}
    return MOBILE, {"From": f"<sip:{CLIENT}@pbx>;tag=f", **told}


def silent(came: SipMessage) -> tuple[str, Headers]:
    return MOBILE, {"From": f"<sip:{CLIENT}@pbx>;tag=f"}


@pytest.mark.parametrize(("how", "joined"), [(returning, "correlation"), (keeping, "caller")])
async def test_a_forwarded_call_shows_the_number_called_and_is_one_conversation(
    world: World, how: Forwards, joined: str
) -> None:
    place = world.stack.host(PBXS["old"]), world.stack.address
    async with (
        forwarding_pbx(*place, how) as pbx,
        world.phone_network("northline") as mobile,
        world.carrier("northline", port=5070) as carrier,
    ):
        call = await carrier.calls(OURS, from_=CLIENT)
        far = await mobile.call()
        assert await call.until_final() == 200
        await call.bye()
        (leg,) = pbx.joined.values()
        pbx.hang_up(leg)
        await far.until_over()
    assert far.invite.uri.startswith(f"sip:{MOBILE}@")
    assert f"<sip:{OURS}@" in far.invite.header("From")
    for secret in (CLIENT[1:], CORRELATION, "Diversion"):
        assert secret not in far.invite.text
    first, out = await world.record(call), await world.stack.record(leg.call_id)
    assert (out["conversation"], out["joined_by"]) == (first["id"], joined)
    assert first["conversation"] == first["id"]
    shown = json.loads(world.stack.command("calls", "show", out["id"], "--json").stdout)
    assert [one["id"] for one in shown["legs"]] == [first["id"], out["id"]]


async def test_a_carrier_that_wants_it_is_told_which_number_of_ours_was_called(
    world: World,
) -> None:
    place = world.stack.host(PBXS["old"]), world.stack.address
    async with (
        forwarding_pbx(*place, returning),
        world.phone_network("volga_city", "busy") as mobile,
        world.carrier("volga_city", port=5070) as carrier,
    ):
        call = await carrier.calls("+78432220001", from_=CLIENT)
        far = await mobile.call()
        assert await call.until_final() == 486
        await call.until_over()
    assert far.invite.header("Diversion").startswith("<sip:88432220001@")
    assert CLIENT[1:] not in far.invite.text and CLIENT[2:] not in far.invite.text


async def test_a_pbx_that_tells_nothing_of_the_call_it_forwards_is_refused_and_told_the_mend(
    world: World,
) -> None:
    place = world.stack.host(PBXS["old"]), world.stack.address
    async with forwarding_pbx(*place, silent) as pbx, world.carrier("northline") as carrier:
        call = await carrier.calls(OURS, from_=CLIENT)
        assert await call.until_final() == 403
        await call.until_over()
        (leg,) = pbx.joined.values()
    out = await world.stack.record(leg.call_id)
    assert any("let the PBX return the correlation" in said for _, said in out["rules"])
