"""What is read of a message, as plain values; it reads nothing itself."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """Where a message came from."""

    ip: str
    port: int
    proto: str


class Facts(NamedTuple):
    """What a new INVITE says of its dialog and its two ends, and where it came from."""

    call_id: str
    from_tag: str
    cseq: int
    from_uri: str
    to_uri: str
    contact: str
    request_user: str
    from_user: str
    to_user: str
    ip: str
    port: int
    proto: str
