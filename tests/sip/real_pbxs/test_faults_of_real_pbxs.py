"""A real PBX dies, comes back, or takes itself out of the audio, in the middle of calls."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from gateway.health import watch as health
from tests.sip.people import PBXS, World
from tests.sip.real_pbxs.office import Office, both_hear

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]
NUMBER = "+78432220003"
NOTICED_S, SET_UP_S = 5.0, 6.0


async def until_health(office: Office, down: set[str], within: float) -> None:
    """Wait until exactly these of the PBXs' hosts are known not to answer, for so long that every
    SIP worker has seen it: they look four times a second.
    """
    ours = {office.stack.host(last): name for name, last in PBXS.items()}
    file = office.stack.home.snapshot / health.FILE
    limit = time.monotonic() + within
    since: float | None = None
    while since is None or time.monotonic() < since + 0.5:
        gateways = json.loads(file.read_text("ascii"))["gateways"]
        dead = [uri for uri, said in gateways.items() if said["state"] == "down"]
        seen = {name for host, name in ours.items() if any(f"{host}:" in uri for uri in dead)}
        if seen != down:
            assert time.monotonic() < limit, f"down after {within} s: {seen}, not {down}"
            since = None
        elif since is None:
            since = time.monotonic()
        await asyncio.sleep(0.05)


async def test_the_death_of_one_machine_of_a_pbx_is_noticed_and_the_other_takes_calls(
    world: World, office: Office
) -> None:
    async with (
        office.pbx("old") as first,
        office.pbx("old second") as second,
        office.phone("101") as phone,
        world.carrier("volga_city") as carrier,
    ):
        await until_health(office, {"new"}, within=10)
        await first.kill()
        began = time.monotonic()
        call = await carrier.calls(NUMBER)
        assert await call.until_final() == 200, "at once, before health has noticed"
        assert time.monotonic() - began < SET_UP_S
        assert await both_hear(call, await phone.call())
        await call.bye()

        await until_health(office, {"old", "new"}, within=NOTICED_S)
        began = time.monotonic()
        call = await carrier.calls(NUMBER)
        assert await call.until_final() == 200
        assert time.monotonic() - began < 1.0, "the dead one is not tried first any more"
        await phone.call(2)
        await call.bye()
        assert second.log().count("Dial(") == 2

        await first.start()
        await until_health(office, {"new"}, within=NOTICED_S)
        call = await carrier.calls(NUMBER)
        assert await call.until_final() == 200
        await phone.call(3)
        await call.bye()
        assert "Dial(" in first.log()


async def test_a_call_can_be_ended_after_its_pbx_was_started_anew(
    world: World, office: Office
) -> None:
    async with (
        office.pbx("old") as pbx,
        office.phone("101") as phone,
        world.carrier("volga_city") as carrier,
    ):
        call = await carrier.calls(NUMBER)
        far = await phone.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await pbx.kill()
        await pbx.start()
        await call.bye()
    record = await world.record(call)
    assert (record["end_side"], record["end_how"]) == ("a", "bye")


async def test_the_caller_of_a_pbx_that_died_for_good_is_freed(
    world: World, office: Office
) -> None:
    """Nobody says BYE: no audio comes, and the gateway ends the call."""
    async with (
        office.pbx("old") as pbx,
        office.phone("101") as phone,
        world.carrier("volga_city") as carrier,
    ):
        call = await carrier.calls(NUMBER)
        far = await phone.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await pbx.kill()
        call.voice.mute()
        await call.until_received("BYE", within=20)
    record = await world.record(call)
    assert (record["end_side"], record["end_how"]) == ("gw", "timeout")


@pytest.mark.parametrize(("name", "extension"), [("old", "101"), ("new", "103")])
async def test_a_pbx_takes_itself_out_of_the_audio(
    world: World, office: Office, name: str, extension: str
) -> None:
    """Its re-INVITE tells us the phone's own address, and the phone ours."""
    async with (
        office.pbx(name, direct_media=True) as pbx,
        world.phone_network("northline") as outside,
        office.dialling(extension, at=name) as phone,
    ):
        call = await phone.dials("89161234567")
        far = await outside.call()
        assert await call.until_final() == 200
        await call.until(
            lambda leg: (
                leg.audio_offered is not None
                and leg.audio_offered.address == office.stack.address[0]
            ),
            "our relay's address",
        )
        await call.until_received("ACK")
        await far.until_received("ACK", nth=2)  # of the re-INVITE that told us the phone's address
        call.voice.ear.forget()
        far.voice.ear.forget()
        assert await both_hear(call, far)
        assert call.voice.ear.sources and {host for host, _ in call.voice.ear.sources} == {
            office.stack.address[0]
        }, "the audio does not pass the PBX any more"
        await call.bye()
        await far.until_over()
        assert pbx.address not in {host for host, _ in far.voice.ear.sources}
