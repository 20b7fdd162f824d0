"""The events of a call as lines of the journal: the one place in kemi/ that knows their fields; it
decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kemi.journal import Journal
from number_registry.call import Call, Drop, Reject, Rule, ToCarrier, ToPbx
from number_registry.e164 import E164

KINDS = {ToPbx: "pbx", ToCarrier: "carrier", Reject: "reject", Drop: "drop"}


def start(
    journal: Journal,
    ident: str,
    call: Call,
    *,
    kind: str,
    inbound: bool,
    addr: str,
    cid: str,
    ft: str,
    cseq: int,
    contact: str,
    routes: Sequence[str],
    from_uri: str,
    to_uri: str,
    sock: str,
    status: int,
    trace: Sequence[Rule],
    written: dict[str, Any],
) -> None:
    """A new call and what was decided of it. ``written``: how it goes on, made by `towards`; empty
    for a refusal.
    """
    peer, called, caller, _ = call
    journal.write(
        "start",
        ident,
        {
            "dir": "in" if inbound else "out",
            "src": peer[1],
            "trunk": peer[2],
            "addr": addr,
            "cid": cid,
            "ft": ft,
            "cseq": cseq,
            "caller": caller,
            "called": called.plus if isinstance(called, E164) else called,
            "kind": kind,
            "status": status,
            "rules": trace,
            "ctc": contact,
            "rr": routes,
            "fu": from_uri,
            "tu": to_uri,
            "sock": sock,
            **written,
        },
    )


def towards(
    to: str, shown: str, dialled: str, dst: str, from_uri: str, to_uri: str, media: bool
) -> dict[str, Any]:
    """The part of a start that tells where the call goes and how it is written there."""
    return {
        "to": to,
        "shown": shown,
        "dialled": dialled,
        "dst": dst,
        "fu2": from_uri,
        "tu2": to_uri,
        "media": 1 if media else 0,
    }


def attempt(journal: Journal, ident: str, number: int, dst: str) -> None:
    """The next address is tried, because the one before failed."""
    journal.write("try", ident, {"n": number, "dst": dst})


def ring(journal: Journal, ident: str, status: int) -> None:
    journal.write("ring", ident, {"status": status})


def answer(
    journal: Journal,
    ident: str,
    *,
    status: int,
    tag: str,
    contact: str,
    routes: Sequence[str],
    addr: str,
    sock: str,
) -> None:
    fields = {"status": status, "tt": tag, "ctc": contact, "rr": routes, "addr": addr, "sock": sock}
    journal.write("answer", ident, fields)


def update(
    journal: Journal, ident: str, *, side: str, method: str, cseq: int, contact: str, addr: str
) -> None:
    """A request inside the call: what our own BYE must know, because a CSeq once used cannot be
    used again.
    """
    fields = {"side": side, "m": method, "cseq": cseq, "ctc": contact, "addr": addr}
    journal.write("update", ident, fields)


def end(
    journal: Journal, ident: str, *, side: str, how: str, status: int, reason: str = ""
) -> None:
    journal.write("end", ident, {"side": side, "how": how, "status": status, "reason": reason})
