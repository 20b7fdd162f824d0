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
    where that is sent, and ``uri`` the same as calls and health name it; ``left_s``: seconds until
    it is over; ``agent``: what it calls itself.
    """

    contact: str
    next_hop: str
    transport: str
    left_s: int
    agent: str
    uri: str


def contacts(snapshot: Path) -> dict[str, list[Contact]]:
    """By account, in the order in which they are tried; those that are over are left out."""
    now = time.time()
    try:
        content = json.loads((snapshot / FILE).read_bytes())
        return {
            user: [_contact(one, now) for one in found if one["expires"] > now]
            for user, found in content["accounts"].items()
        }
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # the next REGISTER writes it anew


def _contact(one: dict[str, object], now: float) -> Contact:
    contact, received = str(one["contact"]), str(one["received"])
    uri, transport = hop_uri(received, contact)
    left = int(float(str(one["expires"])) - now)
    return Contact(contact, received or contact, transport, left, str(one["agent"]), uri)


def hop_uri(received: str, contact: str) -> tuple[str, str]:
    """(``sip:host:port;transport=..`` that calls there are sent to, its transport)."""
    where, *params = (received or contact).partition(":")[2].rpartition("@")[2].split(";")
    named = dict(param.lower().partition("=")[::2] for param in params)
    transport = named.get("transport") or _USUAL
    if ":" not in where.rpartition("]")[2]:
        where += ":5061" if transport == "tls" else ":5060"
    return f"sip:{where};transport={transport}", transport
