"""A trunk that was given up answers late, while another one, written otherwise, has the call."""

from __future__ import annotations

import pytest

from tests.sip.failover_trunks.conftest import HOSTS, Trunks
from tests.sip.raw import raw_socket, reply, sdp

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
