"""A trunk fails and another one of the carrier, or of a second carrier, takes the call: written its
own way, from the call as the caller sent it; judged by what each far end really received.
"""

from __future__ import annotations

import json

import pytest

from gateway.endpoints import AnswerScript
from tests.sip.failover_trunks.conftest import Trunks
from tests.sip.people import both_hear

pytestmark = pytest.mark.asyncio
CALLED = "+79161234567"


async def test_another_trunk_is_called_in_its_own_way(trunks: Trunks) -> None:
    async with (
        trunks.trunk("moscow", "overloaded") as first,
        trunks.trunk("spare") as second,
        trunks.pbx_calling() as pbx,
    ):
        call = await pbx.calls(CALLED, from_="101", headers=("Remote-Party-ID: <sip:x@y>",))
        far = await second.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
        await far.until_over()
        failed = await first.call()
    tried, taken = failed.invite, far.invite
    us = trunks.stack.address[0]
    assert tried.uri == f"sip:+79161234567@{trunks.stack.host(11)}:5060"
    assert tried.header("From").startswith(f"<sip:+74951230001@{us}>;tag=")
    assert tried.header("To") == call.invite.header("To")
    assert tried.all("P-Asserted-Identity") == []
    assert taken.uri == f"sip:89161234567@{trunks.stack.host(41)}:5060"
    assert taken.header("From").startswith(f"<sip:84951230001@{us}>;tag=")
    assert taken.header("To") == f"<sip:89161234567@{trunks.stack.host(41)}>"
    # Two different writings, each of them once.
    assert taken.all("P-Asserted-Identity") == [f"<sip:84951230001@{us}>"]
    assert taken.all("Remote-Party-ID") == tried.all("Remote-Party-ID") == []
    for invite in (tried, taken):
        assert len(invite.all("Record-Route")) == len(invite.all("From")) == 1
        assert invite.body
    ours = call.invite
    for answer in (call.received(180), call.received(200)):
        assert answer is not None
        assert answer.header("From") == ours.header("From")
        assert answer.header("To").partition(";tag=")[0] == ours.header("To")
    for method in ("ACK", "BYE"):
        request = far.received(method)
        assert request is not None
        assert request.header("From") == taken.header("From")
        assert request.header("To").partition(";tag=")[0] == taken.header("To")
    ack = failed.received("ACK")
    assert ack is not None and ack.header("From") == tried.header("From")
    assert call.received(503) is None


async def test_the_called_side_hangs_up_a_call_of_the_second_trunk(trunks: Trunks) -> None:
    async with (
        trunks.trunk("moscow", "overloaded"),
        trunks.trunk("spare") as second,
        trunks.pbx_calling() as pbx,
    ):
        call = await pbx.calls("89161234567", from_="101")
        far = await second.call()
        assert await call.until_final() == 200
        await far.bye()
        bye = await call.until_received("BYE")
    assert bye.header("To") == call.invite.header("From")
    assert bye.header("From").partition(";tag=")[0] == call.invite.header("To")
    record = await trunks.record(call)
    assert (record["end_side"], record["carrier"], record["trunk"]) == ("b", "northline", "spare")


async def test_a_call_given_up_during_the_second_attempt(trunks: Trunks) -> None:
    async with (
        trunks.trunk("moscow", "overloaded"),
        trunks.trunk("spare", "noanswer") as second,
        trunks.trunk("spare second") as third,
        trunks.pbx_calling() as pbx,
    ):
        call = await pbx.calls("89161234567", from_="101")
        far = await second.call()
        await call.until_received(180)
        await call.cancel()
        assert await call.until_final() == 487
        cancel = await far.until_received("CANCEL")
        await far.until_over()
    assert cancel.uri == far.invite.uri
    assert cancel.header("From") == far.invite.header("From")
    assert cancel.header("To") == far.invite.header("To")
    assert third.legs == {}
    record = await trunks.record(call)
    assert (record["end_how"], record["final_status"], record["attempts"]) == ("cancel", 487, 2)


@pytest.mark.parametrize(("how", "status"), [("busy", 486), ("decline", 603), ("notfound", 404)])
async def test_a_no_is_not_carried_to_another_trunk(trunks: Trunks, how: str, status: int) -> None:
    async with (
        trunks.trunk("moscow", how),
        trunks.trunk("spare") as second,
        trunks.pbx_calling() as pbx,
    ):
        call = await pbx.calls("89161234567", from_="101")
        assert await call.until_final() == status
        await call.until_over()
    assert second.legs == {}
    assert (await trunks.record(call))["attempts"] == 1


@pytest.mark.parametrize(("reason", "status"), [("Q.850;cause=34", 200), ("Q.850;cause=16", 500)])
async def test_the_carriers_cause_decides(trunks: Trunks, reason: str, status: int) -> None:
    """Its file says that 500 with cause 34 is "all lines busy", and any other 500 the end."""
    reasons = f'Reason: SIP;cause=500;text="Q.850;cause=1", {reason};text="No circuit"'
    failing = AnswerScript(steps=("500 Server Internal Error",), refusal_headers=reasons)
    async with (
        trunks.trunk("moscow", failing),
        trunks.trunk("spare"),
        trunks.pbx_calling() as pbx,
    ):
        call = await pbx.calls("89161234567", from_="101")
        assert await call.until_final() == status
        if status == 200:
            await call.bye()
        await call.until_over()
    record = await trunks.record(call)
    assert record["attempts"] == (2 if status == 200 else 1)
    if status == 200:
        told = trunks.stack.command("calls", "show", record["id"]).stdout
        at = f"sip:{trunks.stack.host(11)}:5060;transport=udp"
        assert f"trunk moscow at {at}: the far side failed (500, Q.850 cause 34)" in told
    listed = json.loads(trunks.stack.command("carriers", "list", "--json").stdout)["carriers"]
    (northline,) = [one for one in listed if one["name"] == "northline"]
    failure = northline["trunks"][0]["last_failure"]
    assert (failure["call"], failure["status"]) == (record["id"], 500)
    assert northline["last_failure"] == failure


async def test_a_second_carrier_that_may_show_the_number_comes_last(trunks: Trunks) -> None:
    """The number is in service with one and leaves the other."""
    async with (
        trunks.trunk("moscow", "overloaded"),
        trunks.trunk("spare", "overloaded"),
        trunks.trunk("spare second", "overloaded"),
        trunks.trunk("kazan") as second,
        trunks.pbx_calling() as pbx,
    ):
        call = await pbx.calls("89161234567", from_="+74951230002")
        far = await second.call()
        assert await call.until_final() == 200
        await call.bye()
    assert far.invite.uri.startswith("sip:89161234567@")
    assert far.invite.all("P-Asserted-Identity") == [f"<sip:84951230002@{trunks.stack.address[0]}>"]
    record = await trunks.record(call)
    assert (record["carrier"], record["trunk"], record["attempts"]) == ("volga_city", "kazan", 4)


async def test_a_number_that_only_one_carrier_may_show_stays_with_it(trunks: Trunks) -> None:
    async with (
        trunks.trunk("moscow", "overloaded"),
        trunks.trunk("spare", "overloaded"),
        trunks.trunk("spare second", "overloaded"),
        trunks.trunk("kazan") as second,
        trunks.pbx_calling() as pbx,
    ):
        call = await pbx.calls("89161234567", from_="101")
        assert await call.until_final() == 500
        await call.until_over()
    assert second.legs == {}
    assert (await trunks.record(call))["attempts"] == 3
