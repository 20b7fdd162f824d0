"""Does, through KSR, what answering a challenge and registering take; it decides nothing, and no
call that meets no such carrier comes here.
"""

from __future__ import annotations

import KSR


def note_tries(request: str, tries: int) -> None:
    """How often an INVITE inside a call was repeated; all SIP workers see it, for a minute."""
    KSR.htable.sht_seti("asked", request, tries)


def noted_tries(request: str) -> int:
    """0 where nothing was noted."""
    return int(KSR.htable.sht_get("asked", request) or 0)


def write_cseq(number: int, method: str) -> None:
    """CSeq of the message at hand."""
    KSR.hdr.remove("CSeq")
    KSR.hdr.append(f"CSeq: {number} {method}\r\n")


def add_header(line: str) -> None:
    """``line``: name and value, without its end."""
    KSR.hdr.append(line + "\r\n")


def lead(request_uri: str, next_hop: str) -> None:
    """In a failure callback: once more to where it went before."""
    KSR.pv.sets("$ru", request_uri)
    if next_hop:
        KSR.pv.sets("$du", next_hop)


def watch_registration() -> None:
    """In the callback of a request of our own: the answers to it."""
    KSR.tm.t_on_reply("ksr_register_reply")


def watch_asked() -> None:
    """A request inside a call, to a side that asks for credentials."""
    KSR.tm.t_on_reply("ksr_asked_reply")
    KSR.tm.t_on_failure("ksr_asked_failed")
    KSR.tm.t_on_branch("ksr_asked_branch")
