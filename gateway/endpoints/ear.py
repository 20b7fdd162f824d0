"""Judges received audio: which tone, how much of it, with which gaps; opens no sockets."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.endpoints import g711, rtp, tone

ENOUGH_FRAMES = 25  # half a second of one tone from one RTP source counts as heard
_LOST_SHARE = 0.05  # more loss than this is not continuous audio


@dataclass
class Stream:
    """What came from one RTP source (SSRC)."""

    ssrc: int
    first_sequence: int
    packets: int = 0
    highest: int = 0  # sequence number, carried over its 16-bit wrap
    frames: dict[int, int] = field(default_factory=dict)  # tone in Hz -> frames

    @property
    def lost(self) -> int:
        return max(0, self.highest - self.first_sequence + 1 - self.packets)

    @property
    def continuous(self) -> bool:
        return self.lost <= _LOST_SHARE * (self.packets + self.lost)

    def count(self, packet: rtp.RtpPacket) -> None:
        self.packets += 1
        ahead = (packet.sequence - self.highest) & 0xFFFF
        if ahead < 0x8000:
            self.highest += ahead


class Ear:
    """Feed it datagrams; ask it what was heard since the last `forget()`."""

    def __init__(self) -> None:
        self.telephone_event: int | None = None
        self.digits = ""
        self.sources: set[tuple[str, int]] = set()
        self.other_packets = 0  # neither G.711 nor a telephone event
        self._streams: dict[int, Stream] = {}
        self._last_event: tuple[int, int] | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        return tuple(self._streams.values())

    @property
    def packets(self) -> int:
        return sum(stream.packets for stream in self._streams.values())

    def forget(self) -> None:
        """Start judging anew, for example after a hold."""
        self._streams.clear()
        self.sources.clear()

    def feed(self, data: bytes, source: tuple[str, int]) -> None:
        packet = rtp.parse(data)
        if packet is None:
            self.other_packets += 1
            return
        self.sources.add(source)
        stream = self._streams.get(packet.ssrc)
        if stream is None:
            stream = Stream(packet.ssrc, packet.sequence, highest=packet.sequence)
            self._streams[packet.ssrc] = stream
        stream.count(packet)
        if packet.payload_type == self.telephone_event:
            self._event(packet)
        elif packet.payload_type in (g711.PCMA, g711.PCMU):
            hz = tone.name(g711.decode(packet.payload_type, packet.payload))
            if hz is not None:
                stream.frames[hz] = stream.frames.get(hz, 0) + 1
        else:
            self.other_packets += 1

    def _event(self, packet: rtp.RtpPacket) -> None:
        digit = rtp.event_digit(packet.payload)
        press = (packet.ssrc, packet.timestamp)  # all packets of one press share a timestamp
        if digit is not None and press != self._last_event:
            self._last_event = press
            self.digits += digit

    def frames(self, hz: int) -> int:
        """Frames of a tone in the best single continuous stream."""
        good = (stream.frames.get(hz, 0) for stream in self.streams if stream.continuous)
        return max(good, default=0)

    def heard(self, hz: int, frames: int = ENOUGH_FRAMES) -> bool:
        """True when one unbroken RTP source brought enough of exactly this tone."""
        return self.frames(hz) >= frames
