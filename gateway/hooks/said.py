"""What a PBX's interface is asked through and what it said, as values; it connects to nothing."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """Where a PBX's interface is and by what we are known there. ``at``: HOST:PORT, or a URL.
    ``context``: where its dial plan takes what its own phones dial.
    """

    at: str
    user: str
    secret: str
    context: str
    body: str = ""


class Said(NamedTuple):
    """Whether the PBX took it, and its words."""

    taken: bool
    words: str


class Leg(NamedTuple):
    """The client's leg at a PBX, by what both of us know of it. ``client``: their number with its
    plus, where it is known.
    """

    sip_call_id: str
    client: str = ""


class Caller(NamedTuple):
    """Who is rung first, as their phone and the gateway see it: ``name`` is shown."""

    extension: str
    name: str


class HookError(Exception):
    """The interface cannot be reached, or does not let us in; the text is for people and holds no
    secret.
    """


class Hook(Protocol):
    async def transfer(self, leg: Leg, digits: str) -> Said:
        """Send the client's side to what dialling these digits reaches. Raises HookError."""


class Ringing(Protocol):
    """An interface that can also ring two people, one after the other."""

    async def ring(self, first: str, then: str, caller: Caller, seconds: int) -> Said:
        """Dial ``first``; when that has answered, dial ``then`` for them as ``caller``."""
