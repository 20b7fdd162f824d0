"""Room between CSeq numbers towards a side that asks for credentials, so that a request repeated
with them can have the next number (RFC 3261, section 22.2) and all later ones still come in order;
pure.

Each number of the sender becomes STEP numbers there: itself, and one for each repetition. Nothing
has to be remembered: where the room begins stands in the call's token, gaps are allowed (section
12.2.2), and answers get the number of the request that the sender sent.
"""

from __future__ import annotations

from typing import NamedTuple

STEP = 4
MOST_TRIES = STEP - 1
_LIMIT = 1 << 31  # RFC 3261, section 8.1.1.5


class Pace(NamedTuple):
    """``towards``: the side that asks, a (the caller) or b. ``carrier``, ``trunk``: who that is.
    ``first``: the CSeq of the sender that stays as it is, that of the INVITE towards b; -1 where
    the sender has sent none. ``tries``: how often that INVITE was repeated before it was taken.
    """

    towards: str
    carrier: str
    trunk: str
    first: int = -1
    tries: int = 0

    def concerns(self, from_caller: bool) -> bool:
        """Whether a request in this direction goes to the side that asks."""
        return from_caller == (self.towards == "b")

    def far(self, near: int) -> int:
        """The number of the sender's request, as first sent to that side. Where the numbers are so
        high that there is no room, it stays.
        """
        number = self.first + STEP * (near - self.first)
        return number if self.first <= near and number + MOST_TRIES < _LIMIT else near

    def acknowledged(self, near: int, tries: int) -> int:
        """That of an ACK, which is its INVITE's (section 13.2.2.4). ``tries``: of an INVITE inside
        the call.
        """
        return self.far(near) + (self.tries if near == self.first else tries)
