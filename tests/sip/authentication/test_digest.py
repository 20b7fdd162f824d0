"""A carrier that asks for credentials: a real one checks them, and our PBX never hears of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gateway.endpoints import AnswerScript, Caller, CallScript
from tests.sip.authentication.carrier import PASSWORD, CheckingCarrier, checking_carrier
from tests.sip.authentication.conftest import DIGEST, SECRET, edit, edited, gateway
from tests.sip.authentication.looking import challenged, numbers, restart, until
from tests.sip.people import CARRIERS, World, answering, both_hear
from tests.sip.stack import Stack

pytestmark = pytest.mark.asyncio
BEHIND, PHONE = 61, 62
DIALLED = "+79161234567"
EVERYTHING = "INVITE|BYE|UPDATE|INFO|PRACK"

Carrier = Callable[..., AbstractContextManager[CheckingCarrier]]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with gateway(f"digest-{os.getpid()}", lambda net: DIGEST) as found:
        yield found


@pytest.fixture
def carrier(stack: Stack, tmp_path: Path) -> Carrier:
    """A carrier that checks, when the story begins: `with carrier(challenges="INVITE|BYE"):`"""

    def started(**how: str) -> AbstractContextManager[CheckingCarrier]:
        here = stack.host(CARRIERS["northline"])
        return checking_carrier(tmp_path, here, stack.address[0], stack.host(BEHIND), **how)

    return started


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_call_out_is_answered_after_the_challenge(
    world: World, carrier: Carrier, algorithm: str
) -> None:
    with carrier(algorithm=algorithm) as there:
        async with (
            answering(world.stack, BEHIND, "phone", "answer") as phone,
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(DIALLED)
            far = await phone.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            await call.bye()
            assert not challenged(call)
        own = call.invite.cseq
        assert numbers(there, "INVITE") == [own, own + 1]
        assert numbers(there, "ACK")[-1] == own + 1
        assert numbers(there, "BYE")[0] > own + 1
    answered = call.received(200)
    assert answered is not None and answered.cseq == own
    assert far.received("ACK") is not None
    record = await world.record(call)
    assert (record["attempts"], record["end_how"]) == (1, "bye")


async def test_what_is_asked_inside_the_call_is_answered_too(
    world: World, carrier: Carrier
) -> None:
    """re-INVITE, UPDATE, INFO and BYE, each challenged; numbers come in order, ACKs fit."""
    with carrier(challenges=EVERYTHING) as there:
        async with (
            answering(world.stack, BEHIND, "phone", "answer") as phone,
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(DIALLED)
            far = await phone.call()
            assert await call.until_final() == 200
            await call.hold("inactive")
            await call.resume()
            assert await both_hear(call, far)
            await call.update()
            await far.hold("sendonly")
            await far.resume()
            await call.info("5")
            await call.bye()
            assert not challenged(call)
        assert len(there.asked("UPDATE")) == len(there.asked("INFO")) == 2
        assert len(there.asked("BYE")) == 2
    seen = [far.received("INVITE", nth=nth) for nth in (1, 2, 3)]
    acks = [far.received("ACK", nth=nth) for nth in (1, 2, 3)]
    assert [one and one.cseq for one in acks] == [one and one.cseq for one in seen]
    came = [message.cseq for message in seen if message]
    assert came == sorted(set(came))


async def test_the_called_side_hangs_up(world: World, carrier: Carrier) -> None:
    with carrier(challenges=EVERYTHING):
        async with (
            answering(world.stack, BEHIND, "phone", "answer") as phone,
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(DIALLED)
            far = await phone.call()
            await call.until_final()
            await far.bye()
            await call.until_over()
    assert (await world.record(call))["end_how"] == "bye"


async def test_a_cancel_has_the_number_of_the_repeated_invite(
    world: World, carrier: Carrier
) -> None:
    with carrier() as there:
        async with (
            answering(world.stack, BEHIND, "phone", "noanswer") as phone,
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(DIALLED)
            far = await phone.call()
            await call.until_received(180)
            await call.cancel()
            assert await call.until_final() == 487
            await far.until_over()
        assert numbers(there, "CANCEL") == [call.invite.cseq + 1]
    assert far.final_status == 487


async def test_what_a_person_says_after_the_challenge_reaches_the_caller(
    world: World, carrier: Carrier
) -> None:
    with carrier() as there:
        async with (
            answering(world.stack, BEHIND, "phone", "busy"),
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(DIALLED)
            assert await call.until_final() == 486
            await call.until_over()
        await until(lambda: numbers(there, "ACK")[-1] == call.invite.cseq + 1)
    final = call.received(486)
    assert final is not None and final.cseq == call.invite.cseq


async def test_reliable_ringing_is_acknowledged_through_a_challenge(
    world: World, carrier: Carrier
) -> None:
    how = AnswerScript(steps=("ring_reliable",))
    with carrier(challenges=EVERYTHING):
        async with (
            answering(world.stack, BEHIND, "phone", how) as phone,
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(DIALLED, headers=("Supported: 100rel",), reliable=True)
            far = await phone.call()
            await call.until_received(200, of="PRACK")
            await far.order("answer")
            assert await call.until_final() == 200
            await call.bye()


async def test_a_restart_in_the_call_changes_nothing(world: World, carrier: Carrier) -> None:
    with carrier(challenges=EVERYTHING):
        async with (
            answering(world.stack, BEHIND, "phone", "answer") as phone,
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(DIALLED)
            far = await phone.call()
            await call.until_final()
            await restart(world.stack)
            world.stack.new_complaints()  # of the one that was killed
            await call.hold("inactive")
            await call.bye()
            await far.until_over()
            assert not challenged(call)


async def test_a_wrong_secret_ends_the_attempt_and_is_said_once(
    world: World, carrier: Carrier
) -> None:
    kept = world.stack.home.carrier_secrets / SECRET
    kept.write_text("wrong password\n")
    log = world.stack.home.log / "kamailio.log"
    before = log.stat().st_size
    try:
        with carrier() as there:
            for _ in range(2):
                async with world.pbx_calling() as pbx:
                    call = await pbx.calls(DIALLED)
                    assert await call.until_final() in (500, 503)
                    await call.until_over()
                    assert not challenged(call)
            assert len(there.asked("INVITE")) == 4
    finally:
        kept.write_text(PASSWORD + "\n")
    new = log.read_bytes()[before:].decode("utf-8", "replace")
    said = [line for line in new.splitlines() if "refuses our user" in line]
    # each of two SIP workers at most once
    assert 1 <= len(said) <= 2 and SECRET in said[0]
    assert "wrong password" not in new and PASSWORD not in new


async def test_a_missing_secret_is_said_with_its_mend(world: World, carrier: Carrier) -> None:
    kept = world.stack.home.carrier_secrets / SECRET
    log = world.stack.home.log / "kamailio.log"
    before = log.stat().st_size
    kept.unlink()
    try:
        with carrier() as there:
            async with world.pbx_calling() as pbx:
                call = await pbx.calls(DIALLED)
                assert await call.until_final() in (500, 503)
                await call.until_over()
            assert len(there.asked("INVITE")) == 1
    finally:
        kept.touch(0o600)
        kept.write_text(PASSWORD + "\n")
    assert f"carriers secret set {SECRET}" in log.read_bytes()[before:].decode()


async def test_a_call_that_they_brought_is_hung_up_with_credentials(
    world: World, carrier: Carrier
) -> None:
    """Requests of our PBX inside a call that a carrier of this kind brought are challenged too."""
    stack = world.stack
    there = stack.host(CARRIERS["northline"])
    script = CallScript(
        request_uri=f"sip:+74951230001@{there}",
        from_header=f"<sip:+79160000001@{there}>",
        to_header=f"<sip:+74951230001@{there}>",
    )
    with carrier(challenges=EVERYTHING) as checking:
        async with world.pbx() as pbx, Caller(stack.host(PHONE), name="phone") as phone:
            call = await phone.invites(script, (there, 5060))
            far = await pbx.call()
            assert await call.until_final() == 200
            await far.hold("sendonly")
            await far.resume()
            assert await both_hear(call, far)
            await far.bye()
            await call.until_over()
            assert not challenged(far)
        assert len(checking.asked("BYE")) == 2
    asked = [call.received("INVITE", nth=nth) for nth in (1, 2)]
    acked = [call.received("ACK", nth=nth) for nth in (1, 2)]
    assert [one and one.cseq for one in asked] == [one and one.cseq for one in acked]


async def test_our_own_bye_is_repeated_with_credentials(world: World, carrier: Carrier) -> None:
    """The audio of both sides ends for good; the gateway ends the call, also with who asks."""
    with carrier(challenges=EVERYTHING) as there:
        async with (
            answering(world.stack, BEHIND, "phone", "answer") as phone,
            world.pbx_calling() as pbx,
        ):
            call = await pbx.calls(DIALLED)
            far = await phone.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            call.voice.mute()
            far.voice.mute()
            await far.until_received("BYE", within=20)
            await call.until_over()
        first, again = numbers(there, "BYE")
        assert again == first + 1
    assert (await world.record(call))["end_side"] == "gw"


async def test_a_trunk_that_refuses_us_gives_way_to_the_next(
    world: World, carrier: Carrier
) -> None:
    """A spare trunk of the same carrier, trusted by address, takes the call; its numbers are the
    caller's own.
    """
    stack, spare = world.stack, 63
    folder = edited(stack.home)
    kept = stack.home.carrier_secrets / SECRET
    text = (folder / "northline.py").read_text()
    host = stack.host(spare)
    trunk = f'Trunk("spare", sources=("{host}/32", "192.0.3.0/24"), proxies=("sip:{host}:5060",))'
    more = f"        {trunk},\n    )\n"
    (folder / "northline.py").write_text(
        text.replace("    )\n    number_format", more + "    number_format")
    )
    captures = folder / "captures" / "northline"
    for path in captures.iterdir():
        text = path.read_text().replace("moscow", "spare").replace("192.0.2.", "192.0.3.")
        (captures / f"spare_{path.name}").write_text(text)
    kept.write_text("wrong password\n")
    try:
        done = stack.command("carriers", "apply", "northline")
        assert done.returncode == 0, done.stdout + done.stderr
        with carrier() as there:
            async with (
                answering(stack, spare, "spare", "answer") as phone,
                world.pbx_calling() as pbx,
            ):
                call = await pbx.calls(DIALLED)
                far = await phone.call()
                assert await call.until_final() == 200
                assert await both_hear(call, far)
                await call.bye()
            assert len(there.asked("INVITE")) == 2
        assert far.invite.cseq == call.invite.cseq
        assert "Authorization" not in str(far.invite.headers)
    finally:
        kept.write_text(PASSWORD + "\n")
        edit(folder, DIGEST)
        for path in captures.glob("spare_*"):
            path.unlink()
        assert stack.command("carriers", "apply", "northline").returncode == 0
