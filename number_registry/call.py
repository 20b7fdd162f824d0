"""A call as values: what came in (Call) and what shall happen (Verdict); no SIP header names, no
decisions.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias
from zlib import crc32

from number_registry.conversations import NOBODY, Behind
from number_registry.e164 import E164
from number_registry.model import Address


class Side(StrEnum):
    """Which kind of neighbour sent the call."""

    CARRIER = "carrier"
    PBX = "pbx"


class Peer(NamedTuple):
    """A known neighbour, found by the network a message came from. ``trunk`` is empty for a PBX."""

    side: Side
    name: str
    trunk: str = ""


class Call(NamedTuple):
    """What is known of a new call once its sender's way of writing has been read away.

    ``called``: an E164 where the digits are a full number, else the digits as dialled (extension,
    short code). ``caller``: the caller's number, or the extension behind a PBX; empty when withheld
    or unreadable. ``lot``: 0 to 99, drawn by `lot_of`; decides which of two PBXs that share a
    number takes the call. ``from_sim``: a SIM of ours makes it; its operator hands it over to us.
    ``behind``: who stands behind a PBX's leg. ``again``: how often, within the last SLOW_S seconds,
    the same caller came to the same number without anything that explains it; ``at_once``: the same
    within FAST_S (number_registry/conversations.py). ``waiting``: where a PBX asks for an agent,
    the deals of this agent whose clients are live at that PBX, as far as that is known.
    """

    peer: Peer
    called: str
    caller: str = ""
    withheld: bool = False
    lot: int = 0
    from_sim: bool = False
    behind: Behind = NOBODY
    again: int = 0
    at_once: int = 0
    waiting: tuple[str, ...] = ()


def lot_of(call_id: str) -> int:
    """The lot of a call, 0 to 99: the same for every retransmission, on every host."""
    return crc32(call_id.encode("utf-8", "surrogatepass")) % 100


# One step of the decision: its name, and what it said in words a telecom engineer understands. The
# trace is a list of these; a plain pair, because every call makes several.
Rule: TypeAlias = tuple[str, str]


class ToPbx(NamedTuple):
    """Ring a PBX: its addresses in the order to try, the number that was called, the caller to
    show. ``masked``: neither side may learn more of the other than is written here. ``deal``: by
    which deal, or empty. ``agent``: the extension of the person with a SIM of ours whose call it
    is, or empty. ``extension``: what is dialled there instead of the number.
    """

    pbx: str
    addresses: tuple[Address, ...]
    did: E164
    caller: str
    withheld: bool
    trace: tuple[Rule, ...]
    masked: bool = False
    deal: str = ""
    agent: str = ""
    extension: str = ""


class ToCarrier(NamedTuple):
    """Leave to the phone network by this carrier, showing this number. ``also``: carriers where the
    number may be shown too, in the order to try when the first one cannot carry the call.
    ``forwarded``: for somebody outside who called it. ``masked``, ``deal``, ``agent``: see ToPbx.
    ``others``: numbers of the same party, tried in this order where the first cannot be reached.
    """

    carrier: str
    called: str
    shown: E164
    emergency: bool
    trace: tuple[Rule, ...]
    also: tuple[str, ...] = ()
    forwarded: bool = False
    masked: bool = False
    deal: str = ""
    agent: str = ""
    others: tuple[E164, ...] = ()


class ToSim(NamedTuple):
    """Ring the SIM of one of our people, by its operator; always masked. ``called``: the SIM's
    number. ``shown``: the digits that its phone shows: a deal's id, an extension, or a number of
    ours with its plus. ``agent``: the extension of whose it is. ``operators``: who take the call
    where that person does not.
    """

    carrier: str
    called: E164
    shown: str
    trace: tuple[Rule, ...]
    deal: str = ""
    agent: str = ""
    operators: ToPbx | None = None


class Reject(NamedTuple):
    """Answer with a final SIP status. ``reason`` is for people and records; what the caller is told
    is constant. ``announce``: what the caller hears before it: deal_closed, deal_expired,
    deal_unknown or not_allowed; empty = nothing. ``deal``, ``agent``: which were asked for.
    """

    status: int
    reason: str
    trace: tuple[Rule, ...]
    announce: str = ""
    deal: str = ""
    agent: str = ""


class Drop(NamedTuple):
    """Say nothing at all: an unknown source learns not even that someone is here."""

    reason: str
    trace: tuple[Rule, ...]
    deal: str = ""
    agent: str = ""


Verdict = ToPbx | ToCarrier | ToSim | Reject | Drop
