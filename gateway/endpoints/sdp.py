"""Reads the audio line of a session description (RFC 8866); never writes one and knows no video."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True)
class Audio:
    """Where and how one side wants its audio. `formats` are RTP payload types in order of wish."""

    address: str
    port: int
    direction: str
    formats: tuple[int, ...]
    telephone_event: int | None

    @property
    def wants_audio(self) -> bool:
        """False on hold, by direction or by the old 0.0.0.0 (RFC 3264 section 8.4)."""
        held = self.direction in ("sendonly", "inactive") or self.address == "0.0.0.0"
        return self.port != 0 and not held


def audio(body: str) -> Audio | None:
    """The first audio stream of a description, or None when the body holds none."""
    session, *streams = re.split(r"(?m)^(?=m=)", body.replace("\r\n", "\n"))
    for stream in streams:
        found = re.match(r"m=audio (\d+)(?:/\d+)? \S+ ([\d ]+)", stream)
        if found is None:
            continue
        address = _connection(stream) or _connection(session)
        if address is None:
            return None
        return Audio(
            address=address,
            port=int(found[1]),
            direction=_direction(stream) or _direction(session) or "sendrecv",
            formats=tuple(int(one) for one in found[2].split()),
            telephone_event=_telephone_event(stream),
        )
    return None


def _connection(text: str) -> str | None:
    found = re.search(r"(?m)^c=IN IP[46] ([^\s/]+)", text)
    return found[1] if found else None


def _direction(text: str) -> str | None:
    return next((one for one in _DIRECTIONS if re.search(rf"(?m)^a={one}\s*$", text)), None)


def _telephone_event(text: str) -> int | None:
    found = re.search(r"(?mi)^a=rtpmap:(\d+) telephone-event/8000", text)
    return int(found[1]) if found else None
