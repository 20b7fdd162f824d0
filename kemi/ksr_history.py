"""Reads what a PBX tells of the call that its leg goes on with: our correlation, and who diverted
it; it judges neither.
"""

from __future__ import annotations

import re
from functools import partial

import KSR

from kemi.ksr_message import readable
from kemi.plan import CORRELATION

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_HISTORY_MOST = 16  # headers of diversions that are read, and bytes of each
_HISTORY_LONGEST = 1024
_USER = re.compile(r"(?:sips?:([^@<>;\s]{1,96})@|tel:([^<>;\s]{1,96}))", re.IGNORECASE)


def correlation() -> str | None:
    """The correlation that a PBX has returned; None where there is none, empty where its bytes are
    foreign.
    """
    if KSR.hdr.is_present(CORRELATION) <= 0:
        return None
    return readable(partial(KSR.hdr.gete, CORRELATION)).strip()


def diverting_users() -> list[str]:
    """Users of the URIs that diverted the call, the last one first: Diversion (RFC 5806, topmost
    is last), then History-Info (RFC 7044, the last line is the newest).
    """
    present, users = KSR.hdr.is_present, list[str]()
    if present("Diversion") > 0:
        users += _users_in("Diversion")
    if present("History-Info") > 0:
        users += reversed(_users_in("History-Info"))
    return users


def _users_in(header: str) -> list[str]:
    """A header with foreign bytes says nothing: a display name is no reason to refuse a call."""
    users: list[str] = []
    for index in range(_HISTORY_MOST):
        value = readable(partial(KSR.hdr.gete_idx, header, index))
        text = _QUOTED.sub("", value[:_HISTORY_LONGEST])
        users += [one or two for one, two in _USER.findall(text)]
    return users
