"""The events of a call as lines of the journal: the one place in kemi/ that knows their fields; it
decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import time_ns

from kemi.facts import Facts, Source
from kemi.journal import Journal
from kemi.json_line import Template
from number_registry.call import Call, Drop, Reject, Side, ToCarrier, ToPbx, ToSim, Verdict
from number_registry.e164 import E164

KINDS = {ToPbx: "pbx", ToCarrier: "carrier", ToSim: "sim", Reject: "reject", Drop: "drop"}

_START = Template(
    (
        # what came in
        *("e", "c", "dir", "src", "trunk", "addr", "cid", "ft", "caller", "called", "ctc"),
        *("fu", "tu", "sock", "kind"),
        # who stands behind a PBX's leg
        *("conv", "did", "client"),
        # by which deal, and whose call of those who have SIMs of ours
        *("deal", "agent"),
        # where it goes and how it is written there; empty for a refusal
        *("to", "trunk2", "shown", "dialled", "dst", "fu2", "tu2", "cid2", "ft2"),
    ),
    ("t", "cseq", "status", "media"),
    ("rr", "rules"),
)
_TRY = Template(("e", "c", "to", "trunk2", "dst", "fu2", "tu2"), ("t", "n", "status", "q850"))
_FULL = Template(("e", "c", "to", "trunk2", "why"), ("t",))
_RING = Template(("e", "c"), ("t", "status"))
_ANSWER = Template(("e", "c", "tt", "tt2", "ctc", "addr", "sock"), ("t", "status"), ("rr",))
_LATE = Template(("e", "c", "tt", "addr"), ("t", "status", "late"))
_UPDATE = Template(("e", "c", "side", "m", "ctc", "addr"), ("t", "cseq"))
_END = Template(("e", "c", "side", "how", "reason", "tt"), ("t", "status", "q850"))

# (to, its trunk, shown, dialled, dst, From and To as written, Call-ID and From tag): the part of a
# start that tells where the call goes and how it is written there.
Towards = tuple[str, str, str, str, str, str, str, str, str]
NOWHERE: Towards = ("", "", "", "", "", "", "", "", "")
AS_IT_CAME = ("", "")  # Call-ID and tag of a call that is not masked


def start(
    journal: Journal,
    ident: str,
    call: Call,
    facts: Facts,
    *,
    kind: str,
    routes: Sequence[str],
    sock: str,
    status: int,
    media: bool,
    verdict: Verdict,
    towards: Towards,
) -> None:
    """A new call and what was decided of it. ``towards``: how it goes on; NOWHERE for a refusal."""
    (side, source, trunk), called, caller, _, _, _, behind, _, _, _ = call
    call_id, tag, cseq, from_uri, to_uri, contact, _, _, _, ip, port, proto = facts
    way = "in" if side is Side.CARRIER else "out"
    addr = f"{ip}:{port}/{proto}"
    number = "+" + called if isinstance(called, E164) else called
    values = (
        *("start", ident, way, source, trunk, addr, call_id, tag, caller, number, contact),
        *(from_uri, to_uri, sock, kind),
        *behind[:3],
        verdict.deal,
        verdict.agent,
        *towards,
        *(time_ns() // 1000, cseq, status, 1 if media else 0),
    )
    journal.write(_START.line(values, routes, verdict.trace))


def attempt(
    journal: Journal,
    ident: str,
    to: str,
    trunk: str,
    number: int,
    dst: str,
    failed: tuple[int, int],
    written: tuple[str, str] = ("", ""),
) -> None:
    """The next address is tried, because the one before ``failed``: status and Q.850 cause.
    ``written``: From and To, where this attempt has its own.
    """
    values = ("try", ident, to, trunk, dst, *written, time_ns() // 1000, number, *failed)
    journal.write(_TRY.line(values))


def full(journal: Journal, ident: str, to: str, trunk: str, why: str) -> None:
    """A trunk that was next has no room for the call."""
    journal.write(_FULL.line(("full", ident, to, trunk, why, time_ns() // 1000)))


def ring(journal: Journal, ident: str, status: int) -> None:
    journal.write(_RING.line(("ring", ident, time_ns() // 1000, status)))


def answer(
    journal: Journal,
    ident: str,
    *,
    status: int,
    tag: str,
    near_tag: str = "",
    contact: str,
    routes: Sequence[str],
    source: Source,
    sock: str,
) -> None:
    ip, port, proto = source
    values = ("answer", ident, tag, near_tag, contact, f"{ip}:{port}/{proto}", sock)
    journal.write(_ANSWER.line((*values, time_ns() // 1000, status), routes))


def answered_late(journal: Journal, ident: str, tag: str, source: Source) -> None:
    """An attempt that was given up is answered; that is hung up, and is not the call's answer."""
    ip, port, proto = source
    journal.write(
        _LATE.line(("answer", ident, tag, f"{ip}:{port}/{proto}", time_ns() // 1000, 200, 1))
    )


def update(
    journal: Journal,
    ident: str,
    *,
    side: str,
    method: str,
    cseq: int,
    contact: str,
    source: Source,
) -> None:
    """A request inside the call: what our own BYE must know, because a CSeq once used cannot be
    used again.
    """
    ip, port, proto = source
    values = ("update", ident, side, method, contact, f"{ip}:{port}/{proto}", time_ns() // 1000)
    journal.write(_UPDATE.line((*values, cseq)))


def end(
    journal: Journal,
    ident: str,
    *,
    side: str,
    how: str,
    status: int,
    reason: str = "",
    called_tag: str = "",
    q850: int = 0,
) -> None:
    """``called_tag``: of the dialog that a BYE ends; an INVITE that forked may have several.
    ``q850``: the cause that the far side gave with its final status.
    """
    values = ("end", ident, side, how, reason, called_tag, time_ns() // 1000, status, q850)
    journal.write(_END.line(values))
