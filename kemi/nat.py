"""Tells whether a sender is behind address translation, from what it says of itself; it changes no
message.
"""

from __future__ import annotations


def is_behind_nat(contact: str, source_ip: str) -> bool:
    """Whether a Contact URI names a private address that the message did not come from.

    A proxy of the sender's in between has the same effect and no harm: the Route then leads there
    before the Contact is looked at.
    """
    if not contact or source_ip in contact:
        return False
    host = contact.rpartition("@")[2].removeprefix("sip:").partition(";")[0].partition(":")[0]
    return is_private(host)


def is_private(host: str) -> bool:
    """Whether this is an IPv4 address of RFC 1918 or of RFC 6598 (a carrier's translation)."""
    first, _, rest = host.partition(".")
    second = rest.partition(".")[0]
    if not (first.isdecimal() and second.isdecimal()):
        return False
    return (
        first == "10"
        or (first == "192" and second == "168")
        or (first == "172" and 16 <= int(second) <= 31)
        or (first == "100" and 64 <= int(second) <= 127)
    )
