"""A source that is no carrier and no PBX of ours learns nothing, not even that we are here."""

from __future__ import annotations

import pytest

from tests.sip.people import CARRIERS, World
from tests.sip.raw import raw_socket, request

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "MESSAGE"])
async def test_a_stranger_hears_nothing(world: World, method: str) -> None:
    stranger, neighbour = world.stack.host(99), world.stack.host(CARRIERS["northline"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    async with raw_socket(stranger) as outside, raw_socket(neighbour) as known:
        outside.sends(request(method, uri, stranger), world.stack.address)
        alive = await known.asks(request("OPTIONS", uri, neighbour), world.stack.address)
        assert alive.status == 200
        assert await outside.hears_nothing(within=0.5)


async def test_a_stranger_does_not_ring_the_pbx(world: World) -> None:
    stranger = world.stack.host(99)
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    async with world.pbx() as pbx, raw_socket(stranger) as outside:
        outside.sends(request("INVITE", uri, stranger), world.stack.address)
        assert await outside.hears_nothing(within=0.5)
        assert pbx.messages == []


async def test_a_stranger_cannot_end_a_call(world: World) -> None:
    stranger = world.stack.host(99)
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        await call.until_final()
        async with raw_socket(stranger) as outside:
            forged = request(
                "BYE",
                f"sip:callee@{pbx.address}",
                stranger,
                From=call.invite.header("From"),
                To=far.invite.header("To") + ";tag=guess",
                Call_ID=call.call_id,
                CSeq="2 BYE",
            )
            outside.sends(forged, world.stack.address)
            assert await outside.hears_nothing(within=0.5)
        assert far.received("BYE") is None
        await call.bye()


def stray_answer(to: str, via: str = "\r\nVia: ") -> bytes:
    """An answer to nothing that the gateway has sent; its second Via, after `via`, names one."""
    lines = [
        "SIP/2.0 200 OK",
        f"Via: SIP/2.0/UDP gateway;branch=z9hG4bKstray1{via}SIP/2.0/UDP {to};branch=z9hG4bKstray2",
        "From: <sip:a@b>;tag=1",
        "To: <sip:c@d>;tag=2",
        "Call-ID: stray",
        "CSeq: 1 INVITE",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("via", ["\r\nVia: ", "\r\nv: ", ", ", ",\r\n ", "\r\nX: y\r\nv : "])
@pytest.mark.parametrize("sender", [99, CARRIERS["northline"]])
async def test_an_answer_to_nothing_is_sent_on_to_nobody(
    world: World, sender: int, via: str
) -> None:
    victim, neighbour = world.stack.host(98), world.stack.host(CARRIERS["volga_city"])
    async with (
        raw_socket(world.stack.host(sender)) as source,
        raw_socket(victim, 5060) as hit,
        raw_socket(neighbour) as known,
    ):
        source.sends(stray_answer(f"{victim}:5060", via), world.stack.address)
        options = request("OPTIONS", "sip:gateway", neighbour)
        assert (await known.asks(options, world.stack.address)).status == 200
        assert await hit.hears_nothing(within=0.5)


@pytest.mark.parametrize("to", ["<sip:x@gateway>", "<sip:x@gateway>;tag=far"])
async def test_a_stranger_whose_bytes_cannot_be_read_hears_nothing_either(
    world: World, to: str
) -> None:
    stranger, neighbour = world.stack.host(99), world.stack.host(CARRIERS["northline"])
    async with raw_socket(stranger) as outside, raw_socket(neighbour) as known:
        data = request("XXX", "sip:x@gateway", stranger, To=to).replace(b"XXX", b"\xff\xfeX")
        log = world.stack.home.log / "kamailio.log"
        before = log.read_text("utf-8", "replace").count("unreadable bytes")
        outside.sends(data, world.stack.address)
        options = request("OPTIONS", "sip:gateway", neighbour)
        assert (await known.asks(options, world.stack.address)).status == 200
        assert await outside.hears_nothing(within=0.5)
    assert log.read_text("utf-8", "replace").count("unreadable bytes") == before


async def test_a_stranger_writes_no_line_of_our_log(world: World) -> None:
    stranger, neighbour = world.stack.host(99), world.stack.host(CARRIERS["northline"])
    forged = request("INVITE", "sip:x@gateway", stranger, Forged="0(1) CRITICAL: all is lost")
    async with raw_socket(stranger) as outside, raw_socket(neighbour) as known:
        outside.sends(forged.replace(b"INVITE ", b"INVITE  ", 1), world.stack.address)
        options = request("OPTIONS", "sip:gateway", neighbour)
        assert (await known.asks(options, world.stack.address)).status == 200
    log = (world.stack.home.log / "kamailio.log").read_text("utf-8", "replace")
    assert not [line for line in log.splitlines() if line.startswith("Forged:")]
    world.stack.new_complaints()  # the forged word stands in it, on a line of Kamailio's own
