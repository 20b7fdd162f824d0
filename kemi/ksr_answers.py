"""Reads and does, through KSR, what answering a challenge and registering take; it decides nothing,
and no call that meets no such carrier comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import KSR

from kemi.ksr_message import readable

# One constant name for each (kemi/ksr_message.py). Who lists more algorithms than these lists ours
# among the first four.
_CHALLENGES: tuple[Callable[[], str], ...] = (
    lambda: str(KSR.pv.gete("$T_rpl($(hdr(WWW-Authenticate)[0]))")),
    lambda: str(KSR.pv.gete("$T_rpl($(hdr(WWW-Authenticate)[1]))")),
    lambda: str(KSR.pv.gete("$T_rpl($(hdr(WWW-Authenticate)[2]))")),
    lambda: str(KSR.pv.gete("$T_rpl($(hdr(WWW-Authenticate)[3]))")),
)
_PROXY_CHALLENGES: tuple[Callable[[], str], ...] = (
    lambda: str(KSR.pv.gete("$T_rpl($(hdr(Proxy-Authenticate)[0]))")),
    lambda: str(KSR.pv.gete("$T_rpl($(hdr(Proxy-Authenticate)[1]))")),
    lambda: str(KSR.pv.gete("$T_rpl($(hdr(Proxy-Authenticate)[2]))")),
    lambda: str(KSR.pv.gete("$T_rpl($(hdr(Proxy-Authenticate)[3]))")),
)


def readable_challenges(status: int) -> list[str]:
    """In a failure callback: the challenges of the answer that failed, topmost first."""
    reads = _PROXY_CHALLENGES if status == 407 else _CHALLENGES
    return [text for text in map(readable, reads) if text]


def challenges_of_answer(status: int) -> list[str]:
    """In a reply callback: those of the answer at hand."""
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    texts = [readable(partial(KSR.hdr.gete_idx, name, place)) for place in range(4)]
    return [text for text in texts if text]


def has_credentials() -> bool:
    return KSR.hdr.is_present("Authorization") > 0 or KSR.hdr.is_present("Proxy-Authorization") > 0


def own_headers() -> str:
    """The headers that make a request of our own one of its call, as lines, without CSeq; a second
    From tag, which Kamailio 5.6 adds, is left out.
    """
    start, tag, *_ = KSR.hdr.gete("From").split(";tag=")
    lines = [f"From: {start};tag={tag}"]
    for name in ("To", "Call-ID", "Reason", "Route"):
        value = KSR.hdr.gete(name)
        if value:
            lines.append(f"{name}: {value}")
    return "".join([line + "\r\n" for line in lines])


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


def watch_own() -> None:
    """In the callback of a request of our own inside a call."""
    KSR.tm.t_on_reply("ksr_own_reply")


def send_own(method: str, uri: str, next_hop: str, socket: str, headers: str) -> None:
    """A request of our own. ``headers``: lines with their ends."""
    KSR.tm.t_uac_send(method, uri, next_hop or ".", socket, headers, "")


def watch_asked() -> None:
    """A request inside a call, to a side that asks for credentials."""
    KSR.tm.t_on_reply("ksr_asked_reply")
    KSR.tm.t_on_failure("ksr_asked_failed")
    KSR.tm.t_on_branch("ksr_asked_branch")
