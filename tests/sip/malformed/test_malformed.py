"""Malformed SIP (after RFC 4475): answered or dropped, never relayed, and the next call works."""

from __future__ import annotations

import pytest

from tests.sip.people import CARRIERS, World
from tests.sip.raw import raw_socket, request

pytestmark = pytest.mark.asyncio

URI = "sip:+74951230001@gateway"


def broken(host: str) -> dict[str, bytes]:
    """Requests that no honest neighbour sends, by what is wrong with them."""
    good = request("INVITE", URI, host)
    return {
        "no headers at all": f"INVITE {URI} SIP/2.0\r\n\r\n".encode(),
        "no Call-ID": request("INVITE", URI, host, Call_ID=""),
        "no From": request("INVITE", URI, host, From=""),
        "no CSeq": request("INVITE", URI, host, CSeq=""),
        "CSeq of another method": request("INVITE", URI, host, CSeq="1 OPTIONS"),
        "CSeq out of range": request("INVITE", URI, host, CSeq="99999999999999 INVITE"),
        "negative Content-Length": request("INVITE", URI, host, Content_Length="-999"),
        "Content-Length too large": request("INVITE", URI, host, Content_Length="9999"),
        "unknown SIP version": good.replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1),
        "a URI of another scheme": request("INVITE", "nobodyKnowsThisScheme:totallyopaque", host),
        "a From that is no address": request("INVITE", URI, host, From="<sip:;tag=x"),
        "only bytes": bytes(range(256)),
        "only zeros": b"\0" * 64,
        "half a request": good[: len(good) // 2],
    }


@pytest.mark.parametrize("what", sorted(broken("127.0.0.1")))
async def test_a_broken_request_rings_nobody_and_harms_nothing(world: World, what: str) -> None:
    host = world.stack.host(CARRIERS["northline"])
    async with world.pbx() as pbx, raw_socket(host) as neighbour:
        neighbour.sends(broken(host)[what], world.stack.address)
        alive = await neighbour.asks(request("OPTIONS", URI, host), world.stack.address)
        assert alive.status is not None
        assert pbx.messages == []


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Subject", "Привет".encode("cp1251")),
        ("Subject", b"\xff\xfe\x00x"),
        ("User-Agent", b"\xff" * 20),
        ("Organization", bytes(range(128, 256))),
    ],
)
async def test_foreign_bytes_in_a_harmless_header_disturb_no_call(
    world: World, header: str, value: bytes
) -> None:
    host = world.stack.host(CARRIERS["northline"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    marked = request("INVITE", uri, host, Subject_X="MARK")
    data = marked.replace(b"Subject-X: MARK", header.encode() + b": " + value)
    async with world.pbx(how="busy"), raw_socket(host) as neighbour:
        reply = await neighbour.asks(data, world.stack.address)
    assert reply.status == 486


@pytest.mark.parametrize("to", ["<sip:x@gateway>", "<sip:x@gateway>;tag=far"])
async def test_a_method_of_foreign_bytes_is_a_bad_request(world: World, to: str) -> None:
    host = world.stack.host(CARRIERS["northline"])
    data = request("XXX", URI, host, To=to).replace(b"XXX", b"\xff\xfeX")
    async with raw_socket(host) as neighbour:
        assert (await neighbour.asks(data, world.stack.address)).status == 400


async def test_several_parts_without_audio_are_a_call_without_an_offer(world: World) -> None:
    host = world.stack.host(CARRIERS["northline"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    body = "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
    kinds = {"Content_Type": "multipart/mixed;boundary=b", "Content_Length": str(len(body))}
    data = request("INVITE", uri, host, **kinds) + body.encode()
    async with world.pbx(how="busy"), raw_socket(host) as neighbour:
        assert (await neighbour.asks(data, world.stack.address)).status == 486


async def test_audio_that_would_pass_the_relay_by_is_no_body_we_take(world: World) -> None:
    host = world.stack.host(CARRIERS["northline"])
    uri = f"sip:+74951230001@{world.stack.address[0]}"
    offer = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    offer += "m=audio 4000 RTP/AVP 8\r\n"
    body = f"--b\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n--b--\r\n"
    kinds = {"Content_Type": "multipart/alternative;boundary=b", "Content_Length": str(len(body))}
    data = request("INVITE", uri, host, **kinds) + body.encode()
    async with world.pbx() as pbx, raw_socket(host) as neighbour:
        reply = await neighbour.asks(data, world.stack.address)
    assert reply.status == 415
    assert reply.header("Accept") == "application/sdp, multipart/mixed"
    assert pbx.legs == {}


async def test_a_call_with_long_identities_can_be_hung_up(world: World) -> None:
    """What must be known inside the call travels in a token, however long the identities are."""
    # spelled another way than we write it, so that both spellings must be carried
    caller = "sip:79160000001@" + "x" * 600 + ".example;user=phone"
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.sends("+74951230001", "", from_header=f"<{caller}>")
        far = await pbx.call()
        assert await call.until_final() == 200
        await call.bye()
        await far.until_over()
    assert far.received("BYE") is not None


async def test_the_next_call_works_after_all_of_them(world: World) -> None:
    host = world.stack.host(CARRIERS["northline"])
    async with raw_socket(host) as neighbour:
        for data in broken(host).values():
            neighbour.sends(data, world.stack.address)
    async with world.pbx(), world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        assert await call.until_final() == 200
        await call.bye()
