"""Builds a request of our own inside somebody else's call, as each side knows it; pure.

A proxy has no dialog. What we send to one side must look as if the other side had sent it: its tags
and URIs, a CSeq it has not used yet, the route set and target that it would use (RFC 3261, 12.1,
12.2.1.1). Nothing of Kamailio's memory is needed, so a restart in between changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from gateway.calls.events import Party
from gateway.calls.fold import Call, Target, last_cseq, target

# The journal may lag behind a request on the wire, and a CSeq once used is answered by 500
# (RFC 3261, 12.2.2). A gap is allowed, so leave room.
CSEQ_AHEAD = 100

_HOST = re.compile(r"^sips?:(?:[^@]*@)?(\[[0-9A-Fa-f:.]+\]|[^:;?>]+)")
_LOOSE = re.compile(r";lr(?:[=;?]|\Z)", re.IGNORECASE)


class NoDialogError(Exception):
    """Too little is known of the call to speak to this side; the message says what is missing."""


class Request(NamedTuple):
    """The parameters of Kamailio's `tm.t_uac_start`; `headers` are lines ended by CRLF."""

    method: str
    uri: str
    next_hop: str
    socket: str
    headers: str


def bye(call: Call, towards: Party, q850: int) -> Request:
    """A BYE that ends the call for one side. `q850` is the cause it is told (RFC 3326, Q.850).

    Raises NoDialogError for a call that was not answered, or of which a part is not known.
    """
    start, answer = call.start, call.answer
    if start is None or answer is None:
        raise NoDialogError("the call has no " + ("start" if start is None else "answer"))
    if towards == "a":
        near, near_tag, far, far_tag = start.tu, answer.tt2 or answer.tt, start.fu, start.ft
        call_id = start.cid
        # As the called side: the Record-Routes of the INVITE in their order (12.1.1).
        routes, socket, cseq = list(start.rr), start.sock, last_cseq(call, "b")
    else:
        taken = call.taken or start
        near, near_tag = taken.fu2 or start.fu2 or start.fu, start.ft2 or start.ft
        call_id = start.cid2 or start.cid
        far, far_tag = taken.tu2 or start.tu2 or start.tu, answer.tt
        # As the calling side: those of the 200, turned round (12.1.2).
        routes, socket, cseq = list(reversed(answer.rr)), answer.sock, last_cseq(call, "a")
    uri, routes, next_hop = _route([_bare(route) for route in routes], target(call, towards))
    _check(near, near_tag, far, far_tag, uri, next_hop, socket, *routes, inner='<>"')
    _check(call_id, inner="")  # a Call-ID may hold brackets and quotes (RFC 3261, 25.1 "word")
    lines = [
        f"From: <{near}>;tag={near_tag}",
        f"To: <{far}>;tag={far_tag}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq + CSEQ_AHEAD} BYE",
        f"Reason: Q.850;cause={q850}",
    ]
    if routes:
        lines.append("Route: " + ", ".join(f"<{route}>" for route in routes))
    return Request("BYE", uri, next_hop, socket or ".", "".join(f"{line}\r\n" for line in lines))


def _check(*values: str, inner: str) -> None:
    """What came from the wire may not end its header, hold `inner` signs, or use tm's `!!`.

    (tm replaces `!!` by an address of its own.)
    """
    for value in values:
        if any(sign <= " " or sign in inner for sign in value) or "!!" in value:
            raise NoDialogError(f"cannot be written into a header: {value[:80]!r}")


def _route(routes: list[str], to: Target) -> tuple[str, list[str], str]:
    """Request-URI, Route set and next hop (RFC 3261, 12.2.1.1; 16.12.1.2 for strict routers)."""
    if not to.ctc:
        raise NoDialogError("the side never named its Contact")
    if not routes:
        return to.ctc, [], _reachable(to)
    if _LOOSE.search(routes[0]):
        return to.ctc, routes, routes[0]
    return routes[0], [*routes[1:], to.ctc], routes[0]


def _reachable(to: Target) -> str:
    """The Contact, or where its owner really spoke from when that name leads nowhere from here.

    A private address that is not the one it spoke from is behind NAT; a host name would cost
    Kamailio a question to DNS, which may be slow or dead.
    """
    found = _HOST.match(to.ctc)
    ip, _, rest = to.addr.partition(":")
    if not ip or (found and found[1] == ip):
        return to.ctc
    try:
        usable = found is not None and not ipaddress.ip_address(found[1].strip("[]")).is_private
    except ValueError:
        usable = False
    if usable:
        return to.ctc
    port, _, transport = rest.partition("/")
    return f"sip:{ip}:{port};transport={transport or 'udp'}"


def _bare(route: str) -> str:
    """The URI of a Record-Route value, with or without its angle brackets."""
    inside = re.search(r"<([^>]*)>", route)
    return inside[1] if inside else route.strip()
