"""The ordinary life of a company behind each of the two real PBXs: rung, busy, held, dialled into
and out of; after the numbers moved it goes on as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext

import pytest
import pytest_asyncio

from gateway.endpoints import Callee, tone
from tests.sip.moving import Moving
from tests.sip.people import World
from tests.sip.real_pbxs.asterisk import BOOT_S, MUSIC_HZ, Asterisk
from tests.sip.real_pbxs.office import Office, both_hear
from tests.sip.stack import Stack

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]
SENT_AWAY, REFERRED, TOGETHER, DIRECT, ANNOUNCED, IMPATIENT, MENU, ECHO, AFTER_HOURS, CIRCLE = (
    f"+7843222000{n}" for n in range(10)
)
CLIENT, MOBILE = "+79160000001", "+79161234567"
HANDFUL = 15
# PBX, the extension whose phone the DIDs ring, the number that it shows outside
SIDES = (("old", "101", "+74951230001"), ("new", "103", "+74951230000"))


SECOND = {"old": "102", "new": "107"}


class Side:
    """The numbers of Kazan are at this PBX, which runs."""

    def __init__(self, office: Office, pbx: Asterisk, extension: str, shown: str) -> None:
        self.office, self.pbx, self.name = office, pbx, pbx.name
        self.extension, self.shown = extension, shown

    def phone(self, how: str = "answer") -> Callee:
        return self.office.phone(self.extension, how, at=self.name)

    def second(self, how: str = "answer") -> Callee:
        return self.office.phone(SECOND[self.name], how, at=self.name)


@pytest.fixture(scope="module", params=SIDES, ids=[side[0] for side in SIDES])
def numbers_at(request: pytest.FixtureRequest, stack: Stack) -> Iterator[tuple[str, str, str]]:
    """One of SIDES, where the numbers of Kazan are while its stories are told."""
    if request.param[0] == "new":
        done = stack.command("pbx", "swap", "old", "new", "--city", "Kazan")
        assert done.returncode == 0, done.stderr
    yield request.param
    if request.param[0] == "new":
        done = stack.command("pbx", "undo")
        assert done.returncode == 0, done.stderr


@pytest_asyncio.fixture
async def side(numbers_at: tuple[str, str, str], office: Office) -> AsyncIterator[Side]:
    name, extension, shown = numbers_at
    await Moving(office.stack, DIRECT).until_at(name)
    async with office.pbx(name) as pbx:
        yield Side(office, pbx, extension, shown)


@pytest.mark.parametrize("hangs_up", ["caller", "phone"])
async def test_a_phone_is_rung_and_both_sides_hear(world: World, side: Side, hangs_up: str) -> None:
    async with side.phone() as phone, world.carrier("volga_city") as carrier:
        call = await carrier.calls(DIRECT)
        far = await phone.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        near, other = (call, far) if hangs_up == "caller" else (far, call)
        await near.bye()
        await other.until_over()
    record = await world.record(call)
    assert (record["pbx"], record["end_how"]) == (side.name, "bye")
    assert record["end_side"] == ("a" if hangs_up == "caller" else "b")


async def test_a_busy_phone_is_busy_for_the_caller(world: World, side: Side) -> None:
    async with side.phone("busy"), world.carrier("volga_city") as carrier:
        call = await carrier.calls(DIRECT)
        assert await call.until_final() == 486
    assert (await world.record(call))["final_status"] == 486


async def test_the_pbx_gives_up_when_nobody_answers(world: World, side: Side) -> None:
    async with side.phone("noanswer") as phone, world.carrier("volga_city") as carrier:
        call = await carrier.calls(IMPATIENT)
        far = await phone.call()
        # What Asterisk says of a call that nobody took: it declines, and no other PBX is tried.
        assert await call.until_final() == 603
        await far.until_received("CANCEL")
        assert call.received(180) is not None
    assert (await world.record(call))["final_status"] == 603


async def test_a_caller_who_gives_up_stops_the_phone_ringing(world: World, side: Side) -> None:
    async with side.phone("noanswer") as phone, world.carrier("volga_city") as carrier:
        call = await carrier.calls(DIRECT)
        far = await phone.call()
        await call.until_received(180)
        await call.cancel()
        assert await call.until_final() == 487
        await far.until_received("CANCEL")
    assert (await world.record(call))["end_how"] == "cancel"


async def test_an_announcement_is_heard_before_anybody_answers(world: World, side: Side) -> None:
    async with side.phone() as phone, world.carrier("volga_city") as carrier:
        call = await carrier.calls(ANNOUNCED)
        await call.until_received(183)
        assert await call.voice.hears(tone.EARLY_HZ)
        assert await call.until_final() == 200
        assert await both_hear(call, await phone.call())
        await call.bye()


async def test_a_held_caller_hears_the_music_of_the_pbx(world: World, side: Side) -> None:
    async with side.phone() as phone, world.carrier("volga_city") as carrier:
        call = await carrier.calls(DIRECT)
        far = await phone.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        # Not "sendonly": from a phone that goes on talking chan_sip mixes packets into its music.
        await far.hold("inactive")
        call.voice.ear.forget()
        assert await call.voice.hears(MUSIC_HZ), call.voice.story()
        await far.resume()
        call.voice.ear.forget()
        far.voice.ear.forget()
        assert await both_hear(call, far)
        await far.bye()
        await call.until_over()


async def test_keys_reach_the_voice_menu_and_then_the_phone(world: World, side: Side) -> None:
    async with side.phone() as phone, world.carrier("volga_city") as carrier:
        call = await carrier.calls(MENU)
        assert await call.until_final() == 200
        call.voice.press("7" + side.extension)
        far = await phone.call()
        assert await both_hear(call, far)
        call.voice.press("42#")
        assert await far.voice.hears_digits("42#")
        far.voice.press("9")
        assert await call.voice.hears_digits("9")
        await call.bye()


async def test_a_caller_hears_the_own_voice_come_back(world: World, side: Side) -> None:
    async with world.carrier("volga_city") as carrier:
        call = await carrier.calls(ECHO)
        assert await call.until_final() == 200
        assert await call.voice.hears(tone.CALLER_HZ)
        await call.bye()


@pytest.mark.parametrize("hangs_up", ["phone", "called"])
async def test_a_phone_calls_out_and_shows_one_of_our_numbers(
    world: World, side: Side, office: Office, hangs_up: str
) -> None:
    async with (
        world.phone_network("northline") as outside,
        office.dialling(side.extension, at=side.name) as phone,
    ):
        call = await phone.dials("8" + MOBILE[2:])
        far = await outside.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        assert side.shown in far.invite.header("From")
        assert f"sip:{side.extension}@" not in far.invite.header("From")
        near, other = (call, far) if hangs_up == "phone" else (far, call)
        await near.bye()
        await other.until_over()


async def test_the_emergency_call_of_a_phone_goes_out(
    world: World, side: Side, office: Office
) -> None:
    async with (
        world.phone_network("northline") as rescue,
        office.dialling(side.extension, at=side.name) as phone,
    ):
        call = await phone.dials("112")
        far = await rescue.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        assert far.invite.start.startswith("INVITE sip:112@")
        await call.bye()


async def test_a_busy_number_outside_is_busy_for_the_phone(
    world: World, side: Side, office: Office
) -> None:
    async with (
        world.phone_network("northline", "busy"),
        office.dialling(side.extension, at=side.name) as phone,
    ):
        call = await phone.dials("8" + MOBILE[2:])
        assert await call.until_final() == 486


async def test_a_phone_that_gives_up_stops_the_ringing_outside(
    world: World, side: Side, office: Office
) -> None:
    async with (
        world.phone_network("northline", "noanswer") as outside,
        office.dialling(side.extension, at=side.name) as phone,
    ):
        call = await phone.dials("8" + MOBILE[2:])
        far = await outside.call()
        await call.until_received(180)
        await call.cancel()
        await far.until_received("CANCEL")


async def test_all_phones_ring_and_one_takes_the_call(world: World, side: Side) -> None:
    async with (
        side.phone("noanswer") as first,
        side.second() as second,
        world.carrier("volga_city") as carrier,
    ):
        call = await carrier.calls(TOGETHER)
        assert await call.until_final() == 200
        await (await first.call()).until_received("CANCEL")
        assert await both_hear(call, await second.call())
        await call.bye()


async def test_a_caller_is_not_sent_away_by_a_redirect(world: World, side: Side) -> None:
    """Where it leads is the PBX's word, past the rules of who is shown and who pays."""
    async with world.carrier("volga_city") as carrier:
        call = await carrier.calls(SENT_AWAY)
        assert await call.until_final() == 480
    final = call.received(480)
    assert final is not None and final.all("Contact") == []


async def test_a_caller_is_not_sent_away_by_refer_and_is_put_through(
    world: World, side: Side
) -> None:
    async with side.phone() as phone, world.carrier("volga_city") as carrier:
        call = await carrier.calls(REFERRED)
        assert await call.until_final() == 200
        assert await both_hear(call, await phone.call())
        assert call.received("REFER") is None
        await call.bye()


async def test_an_orderly_restart_hangs_up_and_the_next_call_rings(
    world: World, side: Side
) -> None:
    async with side.phone() as phone, world.carrier("volga_city") as carrier:
        call = await carrier.calls(DIRECT)
        far = await phone.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        starts = side.pbx.starts
        await side.pbx.says("core restart now")
        await call.until_over()
        assert (await world.record(call))["end_side"] == "b"
        async with asyncio.timeout(BOOT_S):
            while side.pbx.starts == starts:
                await asyncio.sleep(0.05)
        call = await carrier.calls(DIRECT)
        assert await call.until_final() == 200
        assert await both_hear(call, await phone.call(2))
        await call.bye()


async def test_the_gateway_answers_when_the_pbx_asks_whether_it_is_there(side: Side) -> None:
    await side.pbx.until_trunk_up()


async def test_a_call_forwarded_to_a_mobile_shows_the_number_called_and_is_one_conversation(
    world: World, side: Side
) -> None:
    async with (
        world.phone_network("volga_city") as mobile,
        world.carrier("volga_city", port=5070) as carrier,
    ):
        call = await carrier.calls(AFTER_HOURS, from_=CLIENT)
        far = await mobile.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
        await far.until_over()
    assert "9161112233@" in far.invite.uri
    shown = far.invite.header("P-Asserted-Identity") + far.invite.header("From")
    assert AFTER_HOURS[2:] in shown
    assert CLIENT[2:] not in shown and "X-Portgate" not in far.invite.text
    first, out = await world.record(call), await world.record(far)
    assert (out["conversation"], out["joined_by"]) == (first["id"], "correlation")


async def test_two_numbers_forwarded_to_each_other_are_cut_after_a_handful_of_rounds(
    world: World, side: Side
) -> None:
    """The other one is at the old PBX: with Kazan at the new one both programs take part."""
    other = nullcontext() if side.name == "old" else side.office.pbx("old")
    async with other, world.carrier("volga_city") as carrier:
        call = await carrier.calls(CIRCLE, from_=CLIENT)
        assert await call.until_final() >= 400
        await call.until_over()
    rounds = side.pbx.log().count(f"[{CIRCLE}@from-trunk:1]")
    assert 1 < rounds <= HANDFUL
