"""A trunk that was given up answers late, while another one, written otherwise, has the call."""

from __future__ import annotations

import pytest

from tests.sip.failover_trunks.conftest import HOSTS, Trunks
from tests.sip.failover_trunks.test_limits import in_use, until_in_use
from tests.sip.people import PBXS
from tests.sip.raw import inside, raw_socket, reply, request, sdp

pytestmark = pytest.mark.asyncio


async def test_it_is_hung_up_as_it_was_called(trunks: Trunks) -> None:
    """By a proxy of its own, and under the names it was told."""
    us, here = trunks.stack.address, trunks.stack.host(HOSTS["moscow"])
    beyond = f"sip:{here}:5080;lr"
    async with (
        raw_socket(here, 5060) as slow,
        trunks.trunk("spare") as spare,
        trunks.pbx_calling() as pbx,
    ):
        call = await pbx.calls("+79161234567", from_="101")
        given_up = await slow.hears_only("INVITE")
        slow.sends(reply(given_up, "100 Trying", here), us)
        far = await spare.call()
        assert await call.until_final(within=10) == 200
        ok = reply(given_up, "200 OK", here, "late", sdp(here, 5000)).decode()
        route = f"Record-Route: <{beyond}>\r\nRecord-Route: "
        slow.sends(ok.replace("Record-Route: ", route, 1).encode(), us)
        ack, bye = await slow.hears_only("ACK"), await slow.hears_only("BYE")
        slow.sends(reply(bye, "200 OK", here), us)
        await call.bye()
        await far.until_over()
    for heard in (ack, bye):
        assert heard.header("From") == given_up.header("From")
        assert heard.header("To") == f"{given_up.header('To')};tag=late"
        assert heard.header("Route") == f"<{beyond}>"
        assert heard.uri == f"sip:raw@{here}"
    assert given_up.header("From") != far.invite.header("From")
    assert call.received(200, of="INVITE", nth=2) is None
    record = await trunks.record(call)
    assert (record["trunk"], record["attempts"], record["end_side"]) == ("spare", 2, "a")


async def test_its_own_bye_frees_no_channel_and_ends_no_record(trunks: Trunks) -> None:
    """It hangs up before it has heard us."""
    us, here = trunks.stack.address, trunks.stack.host(PBXS["old"])
    near, there = trunks.stack.host(HOSTS["ural ufa"]), trunks.stack.host(PBXS["old second"])
    await until_in_use(trunks, "ural_link/ufa", 0)
    async with (
        raw_socket(here, 5060) as slow,
        raw_socket(there, 5060) as second,
        raw_socket(near, 5060) as caller,
    ):
        uri = f"sip:73472660008@{us[0]}"
        caller.sends(request("INVITE", uri, near, sdp=sdp(near, 4000)), us)
        given_up = await slow.hears_only("INVITE")
        asked = await second.hears_only("INVITE", within=10)
        second.sends(reply(asked, "200 OK", there, "taken", sdp(there, 5010)), us)
        answered = await caller.hears_only(200)
        caller.sends(inside("ACK", answered, near, 1), us)
        slow.sends(reply(given_up, "200 OK", here, "late", sdp(here, 5000)), us)
        await slow.hears_only("BYE")
        dialog = {
            "From": f"{given_up.header('To')};tag=late",
            "To": given_up.header("From"),
            "Call_ID": given_up.call_id,
            "Route": ", ".join(given_up.all("Record-Route")),
        }
        slow.sends(request("BYE", given_up.header("Contact").strip("<>"), here, **dialog), us)
        bye = await caller.hears_only("BYE")
        assert await in_use(trunks, "ural_link/ufa") == 1
        caller.sends(reply(bye, "481 Call/Transaction Does Not Exist", near), us)
        await slow.hears_only(481)
        caller.sends(inside("BYE", answered, near, 2), us)
        second.sends(reply(await second.hears_only("BYE"), "200 OK", there), us)
        await caller.hears_only(200)
        assert await in_use(trunks, "ural_link/ufa") == 0
    record = await trunks.stack.record(asked.call_id)
    assert (record["end_side"], record["end_how"], record["attempts"]) == ("a", "bye", 2)
