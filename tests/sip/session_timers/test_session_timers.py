"""Session timers (RFC 4028) are agreed from end to end; the gateway lets refreshes pass."""

from __future__ import annotations

import pytest

from gateway.endpoints import AnswerScript
from tests.sip.people import World

pytestmark = pytest.mark.asyncio

TIMER = "Session-Expires: 1800;refresher=uac"


async def test_session_expires_is_offered_and_agreed_through_the_gateway(world: World) -> None:
    how = AnswerScript(answer_headers=f"Require: timer\n{TIMER}")
    async with world.pbx(how=how) as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001", headers=("Supported: timer", TIMER))
        far = await pbx.call()
        await call.until_final()
        await call.bye()
    assert far.invite.header("Session-Expires") == "1800;refresher=uac"
    assert far.invite.header("Supported") == "timer"
    assert call.final is not None
    assert call.final.header("Session-Expires") == "1800;refresher=uac"


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
async def test_a_refresh_reaches_the_other_side(world: World, method: str) -> None:
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls(
            "+74951230001", headers=("Supported: timer", TIMER), session_headers=TIMER
        )
        far = await pbx.call()
        await call.until_final()
        await (call.update() if method == "UPDATE" else call.resume())
        refresh = await far.until_received(method, nth=1 if method == "UPDATE" else 2)
        await call.bye()
    assert refresh.header("Session-Expires") == "1800;refresher=uac"


async def test_an_interval_that_is_too_small_is_told_to_the_caller(world: World) -> None:
    how = AnswerScript(steps=("422 Session Interval Too Small",), refusal_headers="Min-SE: 90")
    async with world.pbx(how=how), world.carrier() as carrier:
        call = await carrier.calls("+74951230001", headers=("Session-Expires: 30",))
        assert await call.until_final() == 422
        await call.until_over()
    assert call.final is not None
    assert call.final.header("Min-SE") == "90"
