"""Real RTP of a far end: sends a tone and key presses, listens on the same port; knows no SIP."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from gateway.endpoints import g711, rtp, tone
from gateway.endpoints.ear import ENOUGH_FRAMES, Ear

_FRAME_S = 0.02
_TRIES = 50  # every second port is odd, and some are taken
_PAUSE_FRAMES = 3  # of tone between two key presses, so that they are two


class Voice(asyncio.DatagramProtocol):
    """One RTP port. Made by `open_voice`; sends to `remote` while `talking`; hears into `ear`."""

    def __init__(self, hz: int) -> None:
        self.ear = Ear()
        self.remote: tuple[str, int] | None = None
        self.talking = False
        self.hz = hz
        self.payload_type = g711.PCMA
        self.telephone_event: int | None = None  # payload type that the other side wants
        self.sent = 0
        self._dead = False
        self._events: deque[tuple[bytes, bool]] = deque()  # payload, first of its key press
        self._gap = 0
        self._sequence = secrets.randbelow(0x8000)
        self._timestamp = secrets.randbelow(1 << 31)
        self._ssrc = secrets.randbits(32)
        self._event_start = 0
        self._frames: dict[tuple[int, int], bytes] = {}
        self._arrived = asyncio.Event()
        self._ticking: asyncio.TimerHandle | None = None
        self._transports: list[asyncio.DatagramTransport] = []

    # asyncio.DatagramProtocol

    def connection_made(self, transport: Any) -> None:
        self._transports.append(transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.ear.feed(data, addr)
        self._arrived.set()

    def error_received(self, exc: Exception) -> None:
        """A closed port at the other side: its silence is judged by the ear, so nothing to do."""

    # for the far end

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._transports[0].get_extra_info("sockname")
        return str(host), int(port)

    def start(self) -> None:
        """Begin the 20 ms clock; packets leave only while `talking` and `remote` are set."""
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(0, self._tick, loop.time())

    def mute(self) -> None:
        """Send no more audio for good, whatever is negotiated: the line has gone dead."""
        self._dead = True

    def press(self, digits: str) -> None:
        """Queue telephone events; they wait until the other side's SDP offers them."""
        for digit in digits:
            payloads = list(rtp.event_payloads(digit))
            self._events.extend((load, n == 0) for n, load in enumerate(payloads))

    async def hears(self, hz: int, frames: int = ENOUGH_FRAMES, within: float = 5.0) -> bool:
        """Wait until the tone was heard; False when the time is over first."""
        return await self._wait(lambda: self.ear.heard(hz, frames), within)

    async def hears_digits(self, digits: str, within: float = 5.0) -> bool:
        """Wait until these keys, in this order and no others, arrived as telephone events."""
        return await self._wait(lambda: len(self.ear.digits) >= len(digits), within) and (
            self.ear.digits == digits
        )

    def story(self) -> str:
        """What was sent and heard, for a person who wonders why nothing was."""
        heard = [
            f"SSRC {stream.ssrc:08x}: {stream.packets} packets, {stream.lost} lost, {stream.frames}"
            for stream in self.ear.streams
        ]
        return f"sent {self.sent} to {self.remote}, heard {'; '.join(heard) or 'nothing'}"

    def close(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        for transport in self._transports:
            transport.close()

    async def _wait(self, done: Callable[[], bool], within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                while not done():
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return done()
        return True

    def _tick(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        late = loop.time() - due
        if late > 10 * _FRAME_S:
            due = loop.time()  # a stalled machine: go on from now rather than flood
        if self.talking and not self._dead and self.remote is not None:
            self._transports[0].sendto(self._next().pack(), self.remote)
            self.sent += 1
            self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + tone.FRAME) & 0xFFFFFFFF
        self._ticking = loop.call_at(due + _FRAME_S, self._tick, due + _FRAME_S)

    def _next(self) -> rtp.RtpPacket:
        event_type = self.telephone_event
        if self._gap:
            self._gap -= 1
        elif self._events and event_type is not None:
            payload, first = self._events.popleft()
            if first:
                self._event_start = self._timestamp
            if not self._events or self._events[0][1]:
                self._gap = _PAUSE_FRAMES
            return rtp.RtpPacket(
                event_type, self._sequence, self._event_start, self._ssrc, payload, first
            )
        return rtp.RtpPacket(
            self.payload_type, self._sequence, self._timestamp, self._ssrc, self._tone_payload()
        )

    def _tone_payload(self) -> bytes:
        key = (self.payload_type, self.hz)
        if key not in self._frames:
            self._frames[key] = g711.encode(self.payload_type, tone.frame(self.hz))
        return self._frames[key]


async def open_voice(address: str, hz: int) -> Voice:
    """Bind an even port for RTP and the odd one above it for RTCP, both free, on one address."""
    loop = asyncio.get_running_loop()
    voice = Voice(hz)
    media, control = _pair(address)
    await loop.create_datagram_endpoint(lambda: voice, sock=media)
    # Held so that RTCP meets an open port; what it says is not audio and is not judged.
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=control)
    voice._transports.append(transport)
    voice.start()
    return voice


def _pair(address: str) -> tuple[socket.socket, socket.socket]:
    """Two bound sockets, the second one port above the first. Raises OSError when there is none."""
    for _ in range(_TRIES):
        media = _bound(address, 0)
        port = media.getsockname()[1]
        control = _bound_if_free(address, port + 1) if port % 2 == 0 else None
        if control is not None:
            return media, control
        media.close()
    raise OSError(f"no pair of free UDP ports on {address}")


def _bound(address: str, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        one.bind((address, port))
    except OSError:
        one.close()
        raise
    one.setblocking(False)
    return one


def _bound_if_free(address: str, port: int) -> socket.socket | None:
    try:
        return _bound(address, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None
