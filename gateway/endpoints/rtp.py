"""RTP (RFC 3550) and telephone events (RFC 4733) to and from bytes; no sockets, no clocks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"  # event codes 0..15, RFC 4733 table 3


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """`timestamp` counts samples at 8 kHz."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def pack(self) -> bytes:
        second = (0x80 if self.marker else 0) | self.payload_type
        head = struct.pack("!BBHII", 0x80, second, self.sequence, self.timestamp, self.ssrc)
        return head + self.payload


def parse(data: bytes) -> RtpPacket | None:
    """None for anything that is not RTP version 2 (RTCP on the same port, STUN, noise)."""
    if len(data) < 12 or data[0] >> 6 != 2 or 200 <= data[1] <= 207:
        return None
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    start = 12 + 4 * (first & 0x0F)
    if first & 0x10:  # header extension
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if not start <= end <= len(data):
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[start:end], bool(second & 0x80))


def event_payloads(digit: str, frames: int = 5, frame_samples: int = 160) -> Iterator[bytes]:
    """The packets of one key press: `frames` growing ones, then the end three times."""
    code = DIGITS.index(digit)
    for number in range(1, frames + 1):
        yield struct.pack("!BBH", code, 10, number * frame_samples)
    for _ in range(3):
        yield struct.pack("!BBH", code, 0x80 | 10, frames * frame_samples)


def event_digit(payload: bytes) -> str | None:
    """The key of a telephone-event payload, or None when it is malformed or not a key."""
    if len(payload) != 4 or payload[0] >= len(DIGITS):
        return None
    return DIGITS[payload[0]]
