"""The journal's lines as values: what a SIP worker may say about a call; it reads no files.

One JSON object per line, ASCII; control characters may stand unescaped in its strings. `t` is
microseconds since 1970 by the clock of the host that wrote it, `c` the call id: 32 hex digits made
from the INVITE itself, so that a retransmission after a restart of Kamailio speaks of the same
call. Side "a" is the caller, "b" the called party, "gw" the gateway itself.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

CallId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
# 2000 .. 2100: a time outside is a broken line, and PostgreSQL could not even hold some of them.
Micros = Annotated[int, msgspec.Meta(ge=946_684_800_000_000, le=4_102_444_800_000_000)]
CSeq = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]  # RFC 3261, 8.1.1.5: below 2**31; be lenient
Status = Annotated[int, msgspec.Meta(ge=0, le=999)]
Cause = Annotated[int, msgspec.Meta(ge=0, le=127)]  # Q.850
Party: TypeAlias = Literal["a", "b"]


class Start(msgspec.Struct, tag_field="e", tag="start", frozen=True, kw_only=True):
    """An INVITE that began a call, with the decision on it. URIs and tags as on the wire."""

    c: CallId
    t: Micros
    dir: Literal["in", "out"]
    src: str  # the peer it came from: a carrier's name (dir "in") or a PBX's
    cid: str  # Call-ID
    ft: str  # From tag
    cseq: CSeq
    kind: Literal["pbx", "carrier", "sim", "reject", "drop"]
    conv: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""  # the first leg's id
    did: str = ""  # the number of ours by which that came in, digits; else those that diverted it
    client: str = ""  # the party outside, as far as a PBX's leg tells
    deal: str = ""  # the deal by which it goes, or which was asked for
    agent: str = ""  # extension of the person with a SIM of ours whose call it is
    trunk: str = ""
    addr: str = ""  # "ip:port/udp" that it came from
    caller: str = ""
    called: str = ""
    to: str = ""  # PBX or carrier it was sent to
    trunk2: str = ""  # trunk of the carrier it was sent to
    shown: str = ""
    dialled: str = ""
    dst: str = ""  # where the first attempt went, "sip:ip:port;transport=udp"
    status: Status = 0  # of a rejected call
    rules: tuple[tuple[str, str], ...] = ()
    ctc: str = ""  # the caller's Contact URI
    rr: tuple[str, ...] = ()  # Record-Route of the INVITE as it arrived, in the order received
    fu: str = ""  # From and To URI as the caller wrote them
    tu: str = ""
    fu2: str = ""  # and as they were written to the far side
    tu2: str = ""
    cid2: str = ""  # Call-ID and From tag that the far side knows, where they are not the caller's
    ft2: str = ""
    sock: str = ""  # our socket towards the caller, "udp:ip:port"
    media: int = 0  # 1: the audio passes rtpengine under this call id


class Try(msgspec.Struct, tag_field="e", tag="try", frozen=True, kw_only=True):
    """One more address is tried, the `n`-th (the first attempt is told by the start), because the
    one before failed with `status` (0: it could not be sent) and `q850` (0: no cause was given).
    """

    c: CallId
    t: Micros
    dst: str
    to: str = ""
    trunk2: str = ""
    fu2: str = ""  # From and To as written in this attempt; empty: as in the first
    tu2: str = ""
    status: Status = 0
    q850: Cause = 0
    n: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 1


class Full(msgspec.Struct, tag_field="e", tag="full", frozen=True, kw_only=True):
    """A trunk that was next has no room for the call, and was passed over."""

    c: CallId
    t: Micros
    to: str = ""
    trunk2: str = ""
    why: str = ""


class Ring(msgspec.Struct, tag_field="e", tag="ring", frozen=True, kw_only=True):
    """The far side rings or plays something (180, 183)."""

    c: CallId
    t: Micros
    status: Status = 180


class Answer(msgspec.Struct, tag_field="e", tag="answer", frozen=True, kw_only=True):
    """A 200 to the INVITE; `rr` is its Record-Route in the order received, without our own."""

    c: CallId
    t: Micros
    status: Status = 200
    tt: str = ""  # To tag
    tt2: str = ""  # the one that the caller knows, where it is another one
    ctc: str = ""
    rr: tuple[str, ...] = ()
    addr: str = ""  # "ip:port/udp" that the 200 came from
    sock: str = ""  # our socket towards the called party
    late: int = 0  # 1: of an attempt given up before; the gateway hung it up, it answers no call


class Update(msgspec.Struct, tag_field="e", tag="update", frozen=True, kw_only=True):
    """A request inside the dialog, with its Contact URI and where it came from."""

    c: CallId
    t: Micros
    side: Party
    cseq: CSeq
    m: str = ""
    ctc: str = ""
    addr: str = ""


class End(msgspec.Struct, tag_field="e", tag="end", frozen=True, kw_only=True):
    """The call is over, or never came about. A time-out of set-up has status 408, else 0.

    `tt`: To tag of the answer that a BYE takes back; empty ends the call, however it was answered.
    """

    c: CallId
    t: Micros
    side: Literal["a", "b", "gw"]
    how: Literal["bye", "cancel", "reject", "failed", "timeout"]
    status: Status = 0
    reason: str = ""
    tt: str = ""
    q850: Cause = 0  # with a final status of the far side


Event: TypeAlias = Start | Try | Full | Ring | Answer | Update | End

_strict = msgspec.json.Decoder(Event)
_encode = msgspec.json.Encoder().encode
KINDS: dict[type[Event], str] = {
    Start: "start", Try: "try", Full: "full", Ring: "ring", Answer: "answer", Update: "update",
    End: "end",
}  # fmt: skip


# A worker does not escape these, to save time; JSON wants it, so they take the other way in.
_CONTROLS = re.compile(rb"[\x00-\x1f]")


class BadLine(ValueError):
    """A line that no worker of this release writes; the message says what is wrong with it."""


def parse(line: bytes) -> tuple[Event, str]:
    """One line without its newline -> the event, and its JSON as PostgreSQL can hold it.

    Raises BadLine. Text that SIP carried in but PostgreSQL cannot hold (NUL, half a surrogate
    pair) becomes U+FFFD: a strange display name must not cost a call its record.
    """
    try:
        if b"\\u" not in line and _CONTROLS.search(line) is None:
            return _strict.decode(line), line.decode("utf-8")
        clean = _clean(json.loads(line, strict=False))
        return msgspec.convert(clean, Event), json.dumps(clean)
    except (ValueError, RecursionError) as error:
        raise BadLine(str(error) or type(error).__name__) from error


def line(event: Event) -> bytes:
    """The event as one journal line, newline included."""
    return _encode(event) + b"\n"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        halves = value.encode("utf-16-le", "surrogatepass")
        return halves.decode("utf-16-le", "replace").replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value
