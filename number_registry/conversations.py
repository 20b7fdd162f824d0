"""Which legs through a PBX are one conversation, and when a call goes in circles; pure values and
rules, no SIP, no storage, no clock.

A PBX joins legs that the gateway sees one by one, and many a PBX overwrites the caller of the leg
that it sends out. So a call to a PBX carries a *correlation*: sealed where it is written, so that
it says nothing to whoever reads it, and bound to that PBX. A PBX that returns it tells with it
which conversation the leg belongs to, by which number of ours it came in, and who the client is,
without anything kept anywhere. Where it is not returned, From, the asserted identity and the
history of diversions say less, and the daemon joins what it can afterwards.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import NamedTuple
from zlib import crc32

from number_registry.e164 import E164

VERSION = 1
# version, rounds, seconds since 1970, crc32 of the PBX's name, id of the conversation, number it
# came to, client (0: none)
_LAYOUT = Struct(">BBII16sQQ")
LONGEST_S = 24 * 3600  # no call lasts longer: what is older is of none that is live
AHEAD_S = 2 * 3600  # a clock may be set back in between

# A correlation that came back so many times has gone from PBX to PBX in one call.
MOST_ROUNDS = 5
# Diversions in one call. RFC 5806 names no limit; people forward twice or three times.
MOST_DIVERSIONS = 10
# The same caller to the same number, again within SLOW_S, without anything that explains it. Who
# redials does so every few seconds.
MOST_AGAIN, SLOW_S = 6, 8
# Where the caller is a number that a whole company may show, within FAST_S: a PBX that forwards in
# a circle is faster than people are.
MOST_AT_ONCE, FAST_S = 10, 2

RETURNED, FORGED, STALE = "returned", "forged", "stale"


class Correlation(NamedTuple):
    """What goes with a call to a PBX. ``conversation``: id of its first leg, 32 hex digits.
    ``did``: the number of ours by which the call came to this PBX. ``client``: who called, +digits,
    or empty. ``rounds``: how often the conversation has gone from a PBX to a number of ours.
    """

    conversation: str
    did: str
    client: str
    rounds: int
    at: int


class Behind(NamedTuple):
    """Who and what stands behind a leg that a PBX sends, as far as the leg itself tells.

    ``conversation``: by a correlation that is ours, else empty. ``came_by``: the number of ours by
    which the call came in: certain where the conversation is known, else all that diverted it, by
    commas, the last one first, as the PBX says. ``client``: the outside party as +digits: of the
    correlation, else of From or the asserted identity. ``diverted``: numbers that diverted the
    call, the last one first. ``mark``: what was thought of the correlation: RETURNED, FORGED,
    STALE, or empty where there was none.
    """

    conversation: str = ""
    came_by: str = ""
    client: str = ""
    rounds: int = 0
    diverted: tuple[E164, ...] = ()
    mark: str = ""


NOBODY = Behind()


def packed(conversation: str, did: str, client: str, rounds: int, at: int, pbx: str) -> bytes:
    """A correlation for this PBX as bytes to be sealed. A client who is no E.164 number is none."""
    try:
        number = int(client) if client[:1] == "+" else 0
        return _LAYOUT.pack(
            VERSION, rounds, at, crc32(pbx.encode()), bytes.fromhex(conversation), int(did), number
        )
    except (ValueError, StructError):  # +abc, or more digits than any number has
        if not client:
            raise
        return packed(conversation, did, "", rounds, at, pbx)


def unpacked(data: bytes, pbx: str) -> Correlation | None:
    """The inverse of `packed`; None for what was meant for another PBX, or by another release."""
    if len(data) != _LAYOUT.size or data[0] != VERSION:
        return None
    _, rounds, at, crc, conversation, did, client = _LAYOUT.unpack(data)
    if crc != crc32(pbx.encode()):
        return None
    return Correlation(conversation.hex(), str(did), f"+{client}" if client else "", rounds, at)


def behind(
    said: Correlation | None,
    was_there: bool,
    now: int,
    caller: E164 | None,
    asserted: E164 | None,
    diverted: tuple[E164, ...],
) -> Behind:
    """Judge what a PBX's leg says. ``said``: its correlation once opened; None where it could not
    be, or where none ``was_there``. ``now``: seconds since 1970.
    """
    told = ",".join(diverted)
    outsider = caller or asserted
    client = outsider.plus if outsider is not None else ""
    if said is None:
        mark = FORGED if was_there else ""
        return Behind("", told, client, 0, diverted, mark)
    if not -AHEAD_S <= now - said.at <= LONGEST_S:
        return Behind("", told, client, 0, diverted, STALE)
    found, did = said.conversation, said.did
    return Behind(found, did, said.client or client, said.rounds, diverted, RETURNED)
