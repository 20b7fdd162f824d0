"""Two far ends talk to each other without a gateway: every scenario, by real SIPp and real RTP."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.endpoints import (
    ANSWERS,
    AnswerScript,
    Callee,
    Caller,
    CallScript,
    EndpointError,
    Leg,
    tone,
)
from gateway.endpoints.sipp import is_bound
from tests.sip.raw import raw_socket, request

pytestmark = pytest.mark.asyncio

# A net of this test process's own.
NET = f"127.0.{1 + os.getpid() % 250}"
A, B = f"{NET}.1", f"{NET}.2"
CALL = CallScript(
    request_uri=f"sip:+74951230001@{B}",
    from_header=f"<sip:+79160000001@{A}>",
    to_header=f"<sip:+74951230001@{B}>",
)


def changed(**values: object) -> CallScript:
    from dataclasses import replace

    return replace(CALL, **values)  # type: ignore[arg-type]


@asynccontextmanager
async def two(
    how: str | AnswerScript = "answer", call: CallScript = CALL, transport: str = "udp"
) -> AsyncIterator[tuple[Leg, Leg]]:
    """The caller's and the callee's leg of one call; neither may have seen anything unexpected."""
    script = ANSWERS[how] if isinstance(how, str) else how
    async with (
        Callee(B, script=script, transport=transport) as callee,
        Caller(A, transport=transport) as caller,
    ):
        near = await caller.invites(call, (B, 5060))
        yield near, await callee.call()
        assert caller.errors == callee.errors == []


async def talk(near: Leg, far: Leg) -> None:
    assert await near.voice.hears(tone.CALLEE_HZ)
    assert await far.voice.hears(tone.CALLER_HZ)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_with_audio_both_ways(transport: str) -> None:
    async with two(transport=transport) as (near, far):
        assert await near.until_final() == 200
        await talk(near, far)
        await near.bye()
        await far.until_over()
        assert near.post_dial_delay_ms is not None
        assert near.over and far.over


async def test_the_ear_does_not_hear_its_own_side() -> None:
    async with two() as (near, far):
        await near.until_final()
        await talk(near, far)
        assert not near.voice.ear.heard(tone.CALLER_HZ)
        assert not far.voice.ear.heard(tone.CALLEE_HZ)
        await far.until_received("ACK")
        await far.bye()


@pytest.mark.parametrize(
    ("how", "status"),
    [("busy", 486), ("decline", 603), ("notfound", 404), ("unavailable", 480), ("overloaded", 503)],
)
async def test_refusals(how: str, status: int) -> None:
    async with two(how) as (near, far):
        assert await near.until_final() == status
        await near.until_over()
        await far.until_over()


async def test_a_caller_gives_up() -> None:
    async with two("noanswer") as (near, far):
        await near.until_received(180)
        await near.cancel()
        assert await near.until_final() == 487
        await far.until_over()


async def test_early_media_then_an_answer() -> None:
    async with two("early_media") as (near, far):
        assert await near.voice.hears(tone.CALLEE_HZ)
        assert not near.answered
        await far.order("answer")
        assert await near.until_final() == 200
        await near.bye()


async def test_a_delayed_offer() -> None:
    async with two(call=changed(offer=False)) as (near, far):
        assert await near.until_final() == 200
        await talk(near, far)
        await near.bye()


async def test_reliable_ringing() -> None:
    call = changed(headers=("Supported: 100rel",), reliable=True)
    async with two(AnswerScript(steps=("ring_reliable",)), call) as (near, far):
        await near.until_received(200, of="PRACK")
        await far.order("answer")
        assert await near.until_final() == 200
        await near.bye()


async def test_hold_stops_the_other_side_and_resume_starts_it_again() -> None:
    async with two() as (near, far):
        await near.until_final()
        await talk(near, far)
        await near.hold()
        assert not far.voice.talking
        await near.resume()
        near.voice.ear.forget()
        await talk(near, far)
        await near.bye()


async def test_requests_inside_the_call_from_both_sides() -> None:
    async with two() as (near, far):
        await near.until_final()
        await far.until_received("ACK")
        await near.update()
        await far.update("sendrecv")
        await near.info("5")
        await far.ask_offer()
        await near.ask_offer()
        await near.bye()


@pytest.mark.parametrize("method", ["BYE", "UPDATE"])
async def test_an_order_that_overtakes_the_ack_is_kept_until_the_ack(method: str) -> None:
    same = {"Call_ID": f"overtaken-{method}", "From": f"<sip:caller@{A}>;tag=a"}
    async with Callee(B) as callee, raw_socket(A, 5060) as caller:
        ok = await caller.asks(request("INVITE", f"sip:callee@{B}", f"{A}:5060", **same), (B, 5060))
        far = await callee.call()
        await far.order(method.lower())
        # The answer once more: SIPp has met the order, and no request went before the ACK.
        assert (await caller.hears()).status == 200
        ack = request("ACK", f"sip:callee@{B}", f"{A}:5060", **same, To=ok.header("To"))
        caller.sends(ack, (B, 5060))
        assert (await caller.hears()).method == method


async def test_an_order_that_crosses_a_bye_leaves_it_answered() -> None:
    same = {"Call_ID": "crossed", "From": f"<sip:caller@{A}>;tag=a"}
    async with Callee(B) as callee, raw_socket(A, 5060) as caller:
        ok = await caller.asks(request("INVITE", f"sip:callee@{B}", f"{A}:5060", **same), (B, 5060))
        same["To"] = ok.header("To")
        caller.sends(request("ACK", f"sip:callee@{B}", f"{A}:5060", **same), (B, 5060))
        far = await callee.call()
        await far.until_received("ACK")
        os.kill(callee.pid, signal.SIGSTOP)  # so that it finds both at once
        caller.sends(request("BYE", f"sip:callee@{B}", f"{A}:5060", **same), (B, 5060))
        await far.order("bye")
        os.kill(callee.pid, signal.SIGCONT)
        await far.until_over()


async def test_a_lost_order_is_told_at_once() -> None:
    async with Callee(B) as callee, raw_socket(A, 5060) as caller:
        await caller.asks(request("INVITE", f"sip:callee@{B}", f"{A}:5060"), (B, 5060))
        far = await callee.call()
        await far.order("info 1")
        with pytest.raises(EndpointError, match=r"order lost: bye; seen so far: < INVITE"):
            await far.bye()


async def test_something_late_of_a_call_before_is_not_taken_for_a_call() -> None:
    async with Callee(B) as callee, raw_socket(A, 5060) as caller:
        caller.sends(request("ACK", f"sip:callee@{B}", f"{A}:5060"), (B, 5060))
        caller.sends(request("OPTIONS", f"sip:callee@{B}", f"{A}:5060"), (B, 5060))
        await caller.asks(request("INVITE", f"sip:callee@{B}", f"{A}:5060"), (B, 5060))
        far = await callee.call()
        assert far.invite.method == "INVITE"
        assert [one.method for one in callee.messages[:2]] == ["ACK", "OPTIONS"]


async def test_keys() -> None:
    async with two() as (near, far):
        await near.until_final()
        near.voice.press("12#")
        assert await far.voice.hears_digits("12#")
        await near.bye()


async def test_a_taken_address_is_said_and_nothing_is_left_behind() -> None:
    async with Callee(B) as first:
        with pytest.raises(EndpointError, match="already in use"):
            async with Callee(B):
                pass
        pid = first.pid
    assert not Path(f"/proc/{pid}").exists()
    assert not is_bound(B, 5060, "udp")


async def test_an_address_of_somebody_else_is_said() -> None:
    with pytest.raises(EndpointError, match=r"192\.0\.2\.66, which this machine does not have"):
        async with Callee("192.0.2.66", name="far_tel"):
            pass


async def test_waiting_in_vain_tells_what_was_seen() -> None:
    async with two("noanswer") as (near, _):
        await near.until_received(180)
        with pytest.raises(EndpointError, match=r"a final response; seen so far: > INVITE"):
            await near.until_final(within=0.05)
        await near.cancel()
        await near.until_over()
