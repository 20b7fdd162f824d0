"""A refused deal is heard by whoever dialled it; judged by what the caller hears and gets."""

from __future__ import annotations

import asyncio
import os
import signal
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.endpoints import tone
from gateway.ports import load as internal_ports
from gateway.rtpengine_ng import Ng, NgTimeoutError
from gateway.stack import control
from tests.sip.people import World
from tests.sip.raw import raw_socket, request, sdp
from tests.sip.stack import Stack

pytestmark = pytest.mark.asyncio

NO_DEAL = "203*9753"
SHORT_S = 1.6


@pytest.fixture
def own_words(stack: Stack) -> Iterator[Path]:
    """The company has put a file of its own in place: a tone that the far ends know."""
    path = stack.home.announcements / "deal_unknown.wav"
    kept = path.read_bytes()
    samples = tone.frame(tone.EARLY_HZ) * round(SHORT_S / 0.02)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(tone.RATE)
        file.writeframes(b"".join(value.to_bytes(2, "little", signed=True) for value in samples))
    yield path
    path.write_bytes(kept)


async def relayed(stack: Stack) -> list[str]:
    """Calls that the media relay knows."""
    async with Ng("127.0.0.1", internal_ports(stack.home).ng) as ng:
        return await ng.calls()


async def until_relay_is_empty(stack: Stack) -> None:
    async with asyncio.timeout(5):
        while await relayed(stack):
            await asyncio.sleep(0.05)


async def test_a_caller_hears_why_and_then_gets_the_refusal(world: World, own_words: Path) -> None:
    async with world.pbx_calling() as pbx:
        call = await pbx.calls(NO_DEAL)
        early = await call.until_received(183)
        assert early.header("Contact") and early.header("Content-Type") == "application/sdp"
        assert await call.voice.hears(tone.EARLY_HZ), call.voice.story()
        assert call.final is None
        assert await call.until_final() == 404
        await call.until_over()
        final = call.final
        assert final is not None and not final.body and not final.header("Contact")
        assert early.header("To") == final.header("To")
        assert final.at - early.at == pytest.approx(SHORT_S, abs=1.0)
    await until_relay_is_empty(world.stack)
    record = await world.record(call)
    assert (record["final_status"], record["answered_at"]) == (404, None)


async def test_the_words_that_come_with_portgate_are_heard(world: World) -> None:
    async with world.pbx_calling() as pbx:
        call = await pbx.calls(NO_DEAL)
        await call.until_received(183)
        assert await call.until_final(within=20) == 404
        heard = sum(stream.packets for stream in call.voice.ear.streams)
    assert heard * 0.02 > 3.0


async def test_a_caller_who_hangs_up_meanwhile_is_told_so_and_nothing_is_left(
    world: World, own_words: Path
) -> None:
    async with world.pbx_calling() as pbx:
        call = await pbx.calls(NO_DEAL)
        await call.until_received(183)
        await call.cancel()
        assert await call.until_final() == 487
        final = call.final
        assert final is not None and not final.body
        assert final.at - call.invite.at < SHORT_S
        await call.until_over()
    await until_relay_is_empty(world.stack)


@pytest.mark.parametrize("script", [{"headers": ("Require: 100rel",)}, {"offer": False}])
async def test_only_the_refusal_comes_where_nothing_can_be_played(
    world: World, own_words: Path, script: dict[str, object]
) -> None:
    async with world.pbx_calling() as pbx:
        call = await pbx.calls(NO_DEAL, **script)
        assert await call.until_final() == 404
        assert call.received(183) is None
    assert await relayed(world.stack) == []


async def test_only_the_refusal_comes_where_the_relay_cannot_play_in_any_codec(
    world: World, own_words: Path
) -> None:
    here, there = world.stack.host(21), world.stack.address
    offer = sdp(here, 40000).replace("RTP/AVP 8", "RTP/AVP 97") + "a=rtpmap:97 AMR/8000\r\n"
    async with raw_socket(here) as pbx:
        source = f"{here}:{pbx.transport.get_extra_info('sockname')[1]}"
        invite = request("INVITE", f"sip:{NO_DEAL}@{there[0]}", source, offer)
        pbx.sends(invite, there)
        while (heard := await pbx.hears()).status == 100:
            pass
        assert heard.status == 404
    assert await relayed(world.stack) == []


async def test_fifty_at_once_are_all_told_and_nothing_is_left(
    world: World, own_words: Path
) -> None:
    here, there = world.stack.host(21), world.stack.address
    async with raw_socket(here) as pbx:
        source = f"{here}:{pbx.transport.get_extra_info('sockname')[1]}"
        for _ in range(50):
            offer = sdp(here, 40000)
            pbx.sends(request("INVITE", f"sip:{NO_DEAL}@{there[0]}", source, offer), there)
        early, final = set(), set()
        async with asyncio.timeout(15):
            while len(final) < 50:
                heard = await pbx.hears(10)
                if heard.status == 183:
                    early.add(heard.call_id)
                elif heard.status != 100:
                    assert heard.status == 404
                    final.add(heard.call_id)
    assert early == final
    await until_relay_is_empty(world.stack)


@pytest.mark.faults
async def test_the_refusal_comes_though_the_relay_is_killed_meanwhile(
    world: World, own_words: Path
) -> None:
    async with world.pbx_calling() as pbx:
        call = await pbx.calls(NO_DEAL)
        await call.until_received(183)
        os.kill(pid_of(world.stack, "rtpengine"), signal.SIGKILL)
        assert await call.until_final() == 404
        async with asyncio.timeout(20):
            while not await answers(world.stack):
                await asyncio.sleep(0.1)
        call = await pbx.calls(NO_DEAL)
        await call.until_received(183)
        assert await call.voice.hears(tone.EARLY_HZ)
        assert await call.until_final() == 404


def pid_of(stack: Stack, service: str) -> int:
    answer = control.ask(stack.home, {"do": "status"})
    return int(next(one["pid"] for one in answer["services"] if one["name"] == service))


async def answers(stack: Stack) -> bool:
    try:
        await relayed(stack)
    except NgTimeoutError:
        return False
    return True
