"""Deals as values: what their digits stand for, how they are dialled, which ids they may have; no
storage, no clock, no decision about a call.

A deal is a short string of digits (a CRM's transaction number) that stands for outside parties, an
agent and a city number while it is open. Neither side learns the other's number.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from number_registry.e164 import E164

SHORTEST_ID, LONGEST_ID = 3, 9
DealState = Literal["open", "closed", "expired"]


class Deal(NamedTuple):
    """A deal as routing sees it.

    ``id``: 3 to 9 digits as dialled, leading zeros count. ``agent``: the agent's extension.
    ``city``: number of ours that outside parties see, and by whose carrier they are called.
    ``parties``: outside parties in order (``4711`` is ``4711*1``, the first), each with its numbers
    in the order to try. ``auto_connect``: a call of an outside party goes to the agent at once.
    ``expires``: unix seconds, 0 = never.
    """

    id: str
    agent: str
    city: E164
    parties: tuple[tuple[E164, ...], ...]
    auto_connect: bool = False
    closed: bool = False
    expires: int = 0

    def state(self, now: int) -> DealState:
        """Whether it connects at this moment (unix seconds, of `Directory.now`)."""
        if self.closed:
            return "closed"
        return "expired" if 0 < self.expires <= now else "open"

    def has(self, outside: E164) -> bool:
        """Whether this outside number belongs to a party of it."""
        return any(outside in numbers for numbers in self.parties)


class Dialled(NamedTuple):
    """What was dialled for a deal. ``agent``: the extension before the first star, or empty where
    the agent dials. ``party``: 1 is the first.
    """

    id: str
    agent: str = ""
    party: int = 1


_ID = re.compile(r"[0-9]{3,9}")
# 4711, 4711*2, 203*4711, 203*4711*2. Two parts are an extension and an id where the last part is
# as long as an id; a party has one or two digits.
_DIALLED = re.compile(r"(?:([0-9]{1,8})\*)?([0-9]{3,9})(?:\*([1-9][0-9]?))?")


def dialled(digits: str) -> Dialled | None:
    """Read what a phone or a PBX sends as the called user (a star may be spelt ``%2A``); None for
    what cannot be a deal. Whether there is such a deal is the directory's to say.
    """
    if "%" in digits:
        digits = digits.replace("%2A", "*").replace("%2a", "*")
    found = _DIALLED.fullmatch(digits)
    if found is None:
        return None
    agent, identity, party = found.groups()
    return Dialled(identity, agent or "", int(party) if party else 1)


def is_id(text: str) -> bool:
    """Whether this is written as an id of a deal is."""
    return _ID.fullmatch(text) is not None
