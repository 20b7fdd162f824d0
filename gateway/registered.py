"""Where PBXs have registered from, as SIP workers noted it, for people; it registers nobody."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

FILE = "registered.json"
_USUAL = "udp"


class Contact(NamedTuple):
    """One place that a PBX registered from. ``contact``: how it wants to be called; ``next_hop``:
    where that is sent; ``left_s``: seconds until it is over; ``agent``: what it calls itself.
    """

    contact: str
    next_hop: str
    transport: str
    left_s: int
    agent: str


def contacts(snapshot: Path) -> dict[str, list[Contact]]:
    """By account, in the order in which they are tried; those that are over are left out."""
    try:
        content = json.loads((snapshot / FILE).read_bytes())
    except FileNotFoundError:
        return {}
    now = time.time()
    return {
        user: [_contact(one, now) for one in found if one["expires"] > now]
        for user, found in content["accounts"].items()
    }


def _contact(one: dict[str, object], now: float) -> Contact:
    hop = str(one["received"] or one["contact"])
    transport = hop.lower().partition(";transport=")[2].partition(";")[0] or _USUAL
    left = int(float(str(one["expires"])) - now)
    return Contact(str(one["contact"]), hop, transport, left, str(one["agent"]))
