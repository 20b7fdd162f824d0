"""An OPTIONS request as bytes, and what an answer says of its sender (RFC 3261, section 11); it
opens no socket.
"""

from __future__ import annotations

import re

from number_registry.model import Address

_STATUS = re.compile(rb"\ASIP/2\.0 ([1-6][0-9]{2})[ \r\n]")
_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\s]+)", re.IGNORECASE | re.MULTILINE)
# Answers that say "not now": a proxy in between that got no answer, and a gateway out of service
# (RFC 3261, 21.4.9 and 21.5.4). Any other final answer comes from somebody who is there.
NOT_NOW = frozenset({408, 503})


def request(address: Address, us: str, call_id: str) -> bytes:
    """The request to send there. ``us``: ``ip:port`` that the answer shall come back to."""
    transport = address.transport.value
    target = f"sip:{address.where}"
    lines = (
        f"OPTIONS {target} SIP/2.0",
        f"Via: SIP/2.0/{transport.upper()} {us};rport;branch=z9hG4bK{call_id}",
        "Max-Forwards: 1",
        f"From: <sip:{us}>;tag={call_id[:12]}",
        f"To: <{target}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:{us}>",
        "Accept: application/sdp",
        "Content-Length: 0",
        "\r\n",
    )
    return "\r\n".join(lines).encode("ascii")


def answer(datagram: bytes) -> tuple[str, int] | None:
    """(Call-ID, status) of a final answer; None for anything else."""
    status = _STATUS.match(datagram)
    call_id = _CALL_ID.search(datagram)
    if status is None or call_id is None or status[1] < b"200":
        return None
    return call_id[1].decode("ascii", "replace"), int(status[1])


def is_there(status: int) -> bool:
    """Whether who answers this takes calls."""
    return status not in NOT_NOW
