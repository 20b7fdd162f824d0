"""Header values that may cross, each written anew from what its grammar allows and nothing else;
pure. An empty text where there is nothing to tell.
"""

from __future__ import annotations

import re

# Extensions that both sides may use with each other (RFC 3262, RFC 4028); whatever else they know
# is theirs.
KNOWN_OPTIONS = ("100rel", "timer")
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO"
_SESSION = re.compile(r"\s*(\d{1,6})\s*(?:;[^\r\n]*?)?\Z")
_REFRESHER = re.compile(r";\s*refresher\s*=\s*(uac|uas)\b", re.IGNORECASE)
_DIGITS = re.compile(r"\s*(\d{1,9})(?!\d)")
_RACK = re.compile(r"\s*(\d{1,10})\s+(\d{1,10})\s+(INVITE)\s*\Z")
_CAUSE = re.compile(r"\s*(Q\.850|SIP)\s*;(?:[^,]*?;)?\s*cause\s*=\s*(\d{1,3})\b", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def session_expires(value: str) -> str:
    """RFC 4028, section 4."""
    found = _SESSION.match(value)
    if found is None:
        return ""
    refresher = _REFRESHER.search(value)
    return found[1] + (f";refresher={refresher[1].lower()}" if refresher else "")


def digits(value: str) -> str:
    """Of Min-SE, RSeq, Expires and Retry-After: the number, without parameters and comments."""
    found = _DIGITS.match(value)
    return found[1] if found else ""


def rack(value: str, cseq: int | None = None) -> str:
    """RFC 3262, section 7.2. ``cseq``: the number of the INVITE on the side it goes to."""
    found = _RACK.match(value)
    if found is None:
        return ""
    return f"{found[1]} {found[2] if cseq is None else cseq} {found[3]}"


def rack_cseq(value: str) -> int | None:
    """The number of the INVITE that it speaks of."""
    found = _RACK.match(value)
    return int(found[2]) if found else None


def options(values: str) -> str:
    """Of Require and Supported: those both sides may know, in an order of our own."""
    said = {word.strip().lower() for word in values.split(",")}
    return ", ".join(word for word in KNOWN_OPTIONS if word in said)


def foreign_options(values: str) -> bool:
    """Whether something is required that does not cross."""
    said = {word.strip().lower() for word in values.split(",")}
    return bool(said - set(KNOWN_OPTIONS) - {""})


def reason(values: str) -> str:
    """RFC 3326: protocol and cause of each, never the words."""
    said = []
    for part in _QUOTED.sub("", values).split(","):
        found = _CAUSE.match(part)
        if found and int(found[2]) < 700:
            said.append(f"{'Q.850' if found[1][0] in 'Qq' else 'SIP'};cause={int(found[2])}")
    return ", ".join(dict.fromkeys(said))
