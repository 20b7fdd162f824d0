"""Sends bytes over UDP as a stranger or a careless neighbour would, and shows what came back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from gateway.endpoints.message import SipMessage, parse

_IN_ANSWERS = ("Via", "Record-Route", "From", "Call-ID", "CSeq")
_NUMBERS = count(secrets.randbits(40))  # each request is a transaction of its own


class Raw(asyncio.DatagramProtocol):
    """One UDP socket. Made by `raw_socket`."""

    def __init__(self) -> None:
        self.replies: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.replies.put_nowait(data)

    def sends(self, data: bytes, to: tuple[str, int]) -> None:
        self.transport.sendto(data, to)

    async def hears(self, within: float = 5.0) -> SipMessage:
        """The next message. Raises TimeoutError."""
        async with asyncio.timeout(within):
            data = await self.replies.get()
        return parse(data, at=0.0, sent=False, transport="udp")

    async def hears_only(self, what: int | str, within: float = 5.0) -> SipMessage:
        """The next message of this status or method; others are passed over."""
        while (heard := await self.hears(within)).status != what and (
            heard.method != what or heard.status is not None
        ):
            pass
        return heard

    async def asks(self, data: bytes, to: tuple[str, int], within: float = 5.0) -> SipMessage:
        """Send, and the final answer that comes."""
        self.sends(data, to)
        while (reply := await self.hears(within)).status in (100, 180, 183):
            pass
        return reply

    async def hears_nothing(self, within: float) -> bool:
        """True when nothing came in this time."""
        try:
            await self.hears(within)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def raw_socket(address: str, port: int = 0) -> AsyncIterator[Raw]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Raw, local_addr=(address, port)
    )
    try:
        yield protocol
    finally:
        transport.close()


def request(method: str, uri: str, source: str, sdp: str = "", **changes: str) -> bytes:
    """A request as text. `changes` replace header values; an empty value leaves the header out.

    Header names are written with underscores: `Max_Forwards="0"`.
    """
    number = next(_NUMBERS)
    headers = {
        "Via": f"SIP/2.0/UDP {source};rport;branch=z9hG4bKraw{number}",
        "Max_Forwards": "70",
        "From": f"<sip:+79160000001@{source}>;tag=raw",
        "To": f"<{uri}>",
        "Call_ID": f"raw-{number}@{source}",
        "CSeq": f"1 {method}",
        "Contact": f"<sip:raw@{source}>",
        "Content_Type": "application/sdp" if sdp else "",
        "Content_Length": str(len(sdp)),
        **changes,
    }
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
    return "\r\n".join([f"{method} {uri} SIP/2.0", *lines, "", sdp]).encode("utf-8")


def answer(
    to: SipMessage, status: int, *headers: str, tag: str = "far", body: bytes = b""
) -> bytes:
    """An answer to a request that was heard, as its far end would send it."""
    copied = [f"{name}: {value}" for name, value in to.headers if name in _IN_ANSWERS]
    lines = [f"SIP/2.0 {status} Raw", *copied, f"To: {to.header('To')};tag={tag}", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


class RawCall:
    """An answered call between two raw sockets, to send what no far end of ours would say."""

    def __init__(self, caller: Raw, ok: SipMessage, invite: SipMessage) -> None:
        self.caller, self.ok, self.invite = caller, ok, invite

    def request(self, method: str, uri: str, source: str, cseq: int, **changes: str) -> bytes:
        """A request of the caller inside the call; `changes` as in `request`."""
        inside = {
            "From": self.ok.header("From"),
            "To": self.ok.header("To"),
            "Call_ID": self.ok.call_id,
            "CSeq": f"{cseq} {method}",
            "Route": self.ok.header("Record-Route"),
        }
        return request(method, uri, source, **{**inside, **changes})


async def raw_call(
    caller: Raw, called: Raw, invite: bytes, gateway: tuple[str, int], *headers: str
) -> RawCall:
    """Set a call up; `headers` are those of the called side's 200."""
    caller.sends(invite, gateway)
    heard = await called.hears()
    called.sends(answer(heard, 200, *headers), gateway)
    while (ok := await caller.hears()).status != 200:
        pass
    return RawCall(caller, ok, heard)


def reply(asked: SipMessage, status: str, source: str, tag: str = "", sdp: str = "") -> bytes:
    """The answer to a request that came in; `status` with its reason, `tag` for a To without."""
    copied = ("via", "record-route", "from", "call-id", "cseq")
    lines = [f"{name}: {value}" for name, value in asked.headers if name.lower() in copied]
    to = asked.header("To")
    lines.append(f"To: {to}" if ";tag=" in to else f"To: {to};tag={tag}")
    lines.append(f"Contact: <sip:raw@{source}>")
    lines += ["Content-Type: application/sdp"] * bool(sdp) + [f"Content-Length: {len(sdp)}"]
    return "\r\n".join([f"SIP/2.0 {status}", *lines, "", sdp]).encode("utf-8")


def inside(method: str, answered: SipMessage, source: str, cseq: int, **changes: str) -> bytes:
    """The caller's request in the dialog that this answer to its INVITE made."""
    routes = [part for value in answered.all("Record-Route") for part in value.split(",")]
    dialog = {
        "Route": ", ".join(reversed(routes)),
        "From": answered.header("From"),
        "To": answered.header("To"),
        "Call_ID": answered.call_id,
        "CSeq": f"{cseq} {method}",
        **changes,
    }
    return request(method, answered.header("Contact").strip("<>"), source, **dialog)


def sdp(host: str, port: int) -> str:
    """One line of audio."""
    lines = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0")
    return "\r\n".join((*lines, f"m=audio {port} RTP/AVP 8", ""))
