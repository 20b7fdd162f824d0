"""A PBX is spoken to as its profile says: numbers, headers, session timers, codecs, digits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.endpoints import Leg, g711, rtp, tone
from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio

DID, CALLER = "+74951230015", "+79160000001"


@contextmanager
def profile(world: World, pbx: str, *words: str) -> Iterator[None]:
    """The PBX speaks so for one story."""
    done = world.stack.command("pbx", "set", pbx, *words, "--json")
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        undo = json.loads(done.stdout)["undo"]
        assert world.stack.command("pbx", "undo", str(undo)).returncode == 0


async def test_a_pbx_that_wants_national_numbers_gets_them(world: World) -> None:
    with profile(world, "new", "--did-format", "national"):
        async with world.pbx("new") as pbx, world.carrier() as carrier:
            call = await carrier.calls(DID, from_=CALLER)
            far = await pbx.call()
            assert await call.until_final() == 200
            await call.bye()
    assert far.invite.uri.startswith("sip:84951230015@")
    assert "<sip:89160000001@" in far.invite.header("From")


async def test_did_and_caller_stand_where_the_pbx_looks_for_them(world: World) -> None:
    words = ("--did-in", "to,called_party", "--caller-in", "from,asserted,remote_party")
    with profile(world, "new", *words, "--caller-format", "digits"):
        async with world.pbx("new") as pbx, world.carrier() as carrier:
            call = await carrier.calls(DID, from_=CALLER)
            far = await pbx.call()
            assert await call.until_final() == 200
            await call.bye()
    invite = far.invite
    assert invite.uri.startswith("sip:new@")
    assert f"<sip:{DID}@" in invite.header("To")
    assert f"<sip:{DID}@" in invite.header("P-Called-Party-ID")
    assert "<sip:79160000001@" in invite.header("P-Asserted-Identity")
    assert invite.header("Remote-Party-ID").startswith("<sip:79160000001@")


async def test_a_caller_who_withholds_is_named_in_no_header(world: World) -> None:
    with profile(world, "new", "--caller-in", "from,asserted,remote_party"):
        async with world.pbx("new") as pbx, world.carrier() as carrier:
            call = await carrier.calls(DID, from_=CALLER, headers=("Privacy: id",))
            far = await pbx.call()
            assert await call.until_final() == 200
            await call.bye()
    assert CALLER.removeprefix("+") not in far.invite.text
    assert far.invite.header("P-Asserted-Identity") == ""


async def test_local_numbers_are_read_by_the_area_of_the_pbx(world: World) -> None:
    with profile(world, "old", "--area-code", "495"):
        async with world.pbx("new") as called, world.pbx_calling("old") as pbx:
            call = await pbx.calls("1230015", from_="101")
            far = await called.call()
            assert await call.until_final() == 200
            await call.bye()
    assert far.invite.uri.startswith(f"sip:{DID}@")


async def test_a_pbx_names_its_caller_beside_its_account(world: World) -> None:
    with profile(world, "old", "--own-caller-in", "remote_party,asserted,from"):
        async with world.phone_network() as network, world.pbx_calling("old") as pbx:
            identity = ("Remote-Party-ID: <sip:101@pbx>;party=calling",)
            call = await pbx.calls("+79161234567", from_="trunk-account", headers=identity)
            far = await network.call()
            assert await call.until_final() == 200
            await call.bye()
    assert "<sip:+74951230001@" in far.invite.header("From")


async def test_session_timers_are_asked_for_where_the_caller_did_not(world: World) -> None:
    with profile(world, "new", "--session-timer-s", "1800"):
        async with world.pbx("new") as pbx, world.carrier() as carrier:
            call = await carrier.calls(DID)
            far = await pbx.call()
            assert await call.until_final() == 200
            await call.bye()
        headers = ("Session-Expires: 900", "Supported: timer")
        async with world.pbx("new") as pbx, world.carrier() as carrier:
            call = await carrier.calls(DID, headers=headers)
            other = await pbx.call()
            assert await call.until_final() == 200
            await call.bye()
    assert far.invite.all("Session-Expires") == ["1800"]
    assert other.invite.all("Session-Expires") == ["900"]


async def test_an_offer_without_a_codec_of_the_pbx_is_transcoded(world: World) -> None:
    with profile(world, "new", "--codecs", "PCMU"):
        async with (
            world.pbx("new", codecs=(g711.PCMU,)) as pbx,
            world.carrier(codecs=(g711.PCMA,)) as carrier,
        ):
            call = await carrier.calls(DID)
            far = await pbx.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            await call.bye()
    assert _codecs(far.invite.body) == ["0", "101"]
    answer = call.received(200)
    assert answer is not None and _codecs(answer.body)[0] == "8"


async def test_audio_is_transcoded_after_a_change_inside_the_call_too(world: World) -> None:
    with profile(world, "new", "--codecs", "PCMU"):
        async with (
            world.pbx("new", codecs=(g711.PCMU,)) as pbx,
            world.carrier(codecs=(g711.PCMA,)) as carrier,
        ):
            call = await carrier.calls(DID)
            far = await pbx.call()
            assert await call.until_final() == 200
            await call.hold()
            again = far.received("INVITE", nth=2)
            await call.bye()
    assert again is not None and _codecs(again.body)[0] == "0"


async def test_an_offer_without_a_codec_of_the_pbx_is_refused_where_that_is_the_rule(
    world: World,
) -> None:
    with profile(world, "new", "--codecs", "PCMU", "--codec-rule", "refuse"):
        async with world.carrier(codecs=(g711.PCMA,)) as carrier:
            call = await carrier.calls(DID)
            assert await call.until_final() == 488
            await call.until_over()
        record = await world.record(call)
        async with world.pbx("new") as pbx, world.carrier() as carrier:
            call = await carrier.calls(DID)
            far = await pbx.call()
            assert await call.until_final() == 200
            await call.bye()
    assert "takes PCMU only" in record["rules"][-1][1]
    assert _codecs(far.invite.body) == ["0", "101"]


async def test_digits_reach_a_pbx_that_hears_only_tones(world: World) -> None:
    with profile(world, "new", "--dtmf", "inband", "--codecs", "PCMA"):
        async with (
            world.pbx("new", codecs=(g711.PCMA,)) as pbx,
            world.carrier(codecs=(g711.PCMA,)) as carrier,
        ):
            call = await carrier.calls(DID)
            far = await pbx.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            frames = _listening_for(far, 697, 1209)  # the two tones of a 1 (ITU-T Q.23)
            call.voice.press("111")
            async with asyncio.timeout(5):
                while len(frames) < 5:
                    await asyncio.sleep(0)
            await call.bye()
    assert "telephone-event" not in far.invite.body
    answer = call.received(200)
    assert answer is not None and "telephone-event" in answer.body


def _listening_for(far: Leg, low: int, high: int) -> list[bool]:
    """Grows by one for each frame from now on that holds both tones."""
    feed, found = far.voice.ear.feed, []

    def also(data: bytes, source: tuple[str, int]) -> None:
        packet = rtp.parse(data)
        if packet is not None and packet.payload_type == g711.PCMA:
            samples = g711.decode(packet.payload_type, packet.payload)
            if min(tone.share(samples, low), tone.share(samples, high)) > 0.3:
                found.append(True)
        feed(data, source)

    far.voice.ear.feed = also  # type: ignore[method-assign]
    return found


def _codecs(sdp: str) -> list[str]:
    """Payload types of the audio line."""
    (line,) = [one for one in sdp.splitlines() if one.startswith("m=audio")]
    return line.split()[3:]
