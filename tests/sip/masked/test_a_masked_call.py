"""Neither side of a masked call learns anything of the other; judged by every byte that each one
got, and by what must still work: audio, hold, digits, hanging up from either side, records.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.endpoints.message import SipMessage
from tests.sip.people import CARRIERS, PBXS, World, both_hear
from tests.sip.raw import answer, raw_socket, request, sdp
from tests.sip.stack import running_stack

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_stack("masked", masking="all") as stack:
        found = World(stack)
        yield found
        assert stack.new_complaints() == []


async def test_a_call_is_put_through_and_hung_up_by_its_caller(world: World) -> None:
    async with world.pbx() as pbx, world.carrier("northline") as carrier:
        call = await carrier.calls("+74951230001", from_="+79161234567")
        far = await pbx.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
        await far.until_over()
    record = await world.record(call)
    assert (record["carrier"], record["pbx"], record["final_status"]) == ("northline", "old", 200)


async def test_what_stands_behind_the_end_of_an_answer_goes_no_further(world: World) -> None:
    us, near = world.stack.address, world.stack.host(CARRIERS["northline"])
    far = world.stack.host(PBXS["old"])
    async with raw_socket(near, 5060) as carrier, raw_socket(far, 5060) as pbx:
        asked = request("INVITE", f"sip:+74951230001@{us[0]}", near, sdp=sdp(near, 4000))
        carrier.sends(asked, us)
        invite = await pbx.hears_only("INVITE")
        for status in (183, 200):
            said = answer(
                invite, status, f"Contact: <sip:pbx@{far}>", "Content-Type: application/sdp",
                body=sdp(far, 4002).encode(),
            )  # fmt: skip
            pbx.sends(said + b"a=behind:+79990001122\r\n", us)
            heard = await carrier.hears_only(status)
            assert "behind" not in heard.text
            assert "79990001122" not in heard.text
            assert int(heard.header("Content-Length")) == len(heard.body)
        carrier.sends(request("ACK", heard.header("Contact").strip("<>"), near, **of(heard, 1)), us)
        bye = request("BYE", heard.header("Contact").strip("<>"), near, **of(heard, 2))
        carrier.sends(bye, us)
        ended = await pbx.hears_only("BYE")
        pbx.sends(answer(ended, 200), us)
        assert (await carrier.hears_only(200)).method == "BYE"


def of(ok: SipMessage, cseq: int) -> dict[str, str]:
    """Headers of a request of the caller's inside the call that this answer made."""
    return {
        "From": ok.header("From"),
        "To": ok.header("To"),
        "Call_ID": ok.call_id,
        "CSeq": f"{cseq} {'ACK' if cseq == 1 else 'BYE'}",
        "Route": ok.header("Record-Route"),
    }


async def test_what_a_phone_says_of_itself_beside_its_audio_goes_no_further(world: World) -> None:
    """RTCP names its sender (RFC 3550, section 6.5)."""
    us, near = world.stack.address, world.stack.host(CARRIERS["northline"])
    far = world.stack.host(PBXS["old"])
    async with (
        raw_socket(near, 5060) as carrier, raw_socket(far, 5060) as pbx,
        raw_socket(near, 4000) as speaks, raw_socket(near, 4001) as tells,
        raw_socket(far, 4002) as hears, raw_socket(far, 4003) as learns,
    ):  # fmt: skip
        asked = request("INVITE", f"sip:+74951230001@{us[0]}", near, sdp=sdp(near, 4000))
        carrier.sends(asked, us)
        invite = await pbx.hears_only("INVITE")
        said = answer(
            invite, 200, f"Contact: <sip:pbx@{far}>", "Content-Type: application/sdp",
            body=sdp(far, 4002).encode(),
        )  # fmt: skip
        pbx.sends(said, us)
        ok = await carrier.hears_only(200)
        carrier.sends(request("ACK", ok.header("Contact").strip("<>"), near, **of(ok, 1)), us)
        await pbx.hears_only("ACK")
        audio = int(ok.body.partition("m=audio ")[2].partition(" ")[0])
        sdes = chunk(1, b"+79990001122@canary.example")
        for number in range(1, 60):
            head = bytes((0x80, 8)) + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big")
            speaks.sends(head + b"\x00\x00\x00\x01" + b"\xd5" * 160, (us[0], audio))
            tells.sends(receiver_report(1) + sdes, (us[0], audio + 1))
            await hears.replies.get()
        bye = request("BYE", ok.header("Contact").strip("<>"), near, **of(ok, 2))
        carrier.sends(bye, us)
        ended = await pbx.hears_only("BYE")
        pbx.sends(answer(ended, 200), us)
        await carrier.hears_only(200)
        heard = [learns.replies.get_nowait() for _ in range(learns.replies.qsize())]
        assert not [one for one in heard if b"79990001122" in one or b"canary" in one]


def receiver_report(ssrc: int) -> bytes:
    """Of one that hears nobody (RFC 3550, section 6.4.2)."""
    return bytes((0x80, 201)) + (1).to_bytes(2, "big") + ssrc.to_bytes(4, "big")


def chunk(ssrc: int, name: bytes) -> bytes:
    """A source description with a CNAME (RFC 3550, section 6.5)."""
    item = bytes((1, len(name))) + name + b"\x00"
    item += b"\x00" * (-len(item) % 4)
    words = 1 + len(item) // 4
    return bytes((0x81, 202)) + words.to_bytes(2, "big") + ssrc.to_bytes(4, "big") + item
