"""What a message carries, and what of it may cross: a session description, or a digit that was
pressed; pure, and it raises nothing for what others sent.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 64_000
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_DTMF = frozenset("0123456789ABCD*#")
_SIGNAL = re.compile(r"^\s*Signal\s*=\s*([0-9A-Da-d*#]{1,2})\s*$", re.IGNORECASE | re.MULTILINE)
_DURATION = re.compile(r"^\s*Duration\s*=\s*(\d{1,5})\s*$", re.IGNORECASE | re.MULTILINE)
_EVENTS = {str(number): sign for number, sign in enumerate("0123456789*#ABCD")}
SDP, RELAY, DIGIT = "application/sdp", "application/dtmf-relay", "application/dtmf"
MULTIPART = "multipart/"


class Body(NamedTuple):
    """``kind``: one of the types above, empty for none. ``text``: an SDP as it came; a digit as it
    may cross. ``refused``: it is of a kind that nobody can mask.
    """

    kind: str = ""
    text: str = ""
    refused: bool = False


NONE, REFUSED = Body(), Body(refused=True)


def read(content_type: str, text: str) -> Body:
    """``text``: the body, its bytes as Latin-1."""
    if not text.strip():
        return NONE
    if len(text) > LONGEST:
        return REFUSED
    kind = content_type.partition(";")[0].strip().lower()
    if kind == SDP:
        return Body(SDP, text)
    if kind == RELAY:
        return _relay(text)
    if kind == DIGIT:
        return _digit(text)
    if kind.startswith(MULTIPART):
        return _multipart(content_type, text)
    return REFUSED


def _relay(text: str) -> Body:
    signal, duration = _SIGNAL.search(text), _DURATION.search(text)
    if signal is None:
        return REFUSED
    sign = _EVENTS.get(signal[1], signal[1]).upper() if len(signal[1]) > 1 else signal[1].upper()
    if sign not in _DTMF:
        return REFUSED
    lasts = duration[1] if duration else "160"
    return Body(RELAY, f"Signal={sign}\r\nDuration={lasts}\r\n")


def _digit(text: str) -> Body:
    sign = text.strip().upper()
    if sign not in _DTMF:
        sign = _EVENTS.get(sign, "")
    return Body(DIGIT, sign) if sign and sign in _DTMF else REFUSED


def _multipart(content_type: str, text: str) -> Body:
    """Of several parts (RFC 2046, section 5.1) the session description, where there is one; of
    two nobody could tell which counts.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        return REFUSED
    parts = ("\r\n" + text).split("\r\n--" + (found[1] or found[2]))
    descriptions = []
    for part in parts[1:]:
        if part[:2] == "--":
            break
        head, gap, body = part.partition("\r\n\r\n")
        if gap and _type_of(head) == SDP:
            descriptions.append(body)
    if not descriptions:
        return NONE
    return Body(SDP, descriptions[0] + "\r\n") if len(descriptions) == 1 else REFUSED


def _type_of(head: str) -> str:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-type", "c"):
            return value.partition(";")[0].strip().lower()
    return ""
