"""Folds the events of a call into what is known of it; pure: no clock, no storage.

Events of one call come from several workers' files in any order, and some come twice. So the fold
only ever takes the earliest, the latest or the highest of what it has heard: the result is the same
for every order, and hearing something again changes nothing. What a person reads (record.py) is
derived from that at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from gateway.calls.events import Answer, End, Event, Full, Party, Ring, Start, Try, Update

# Requests that move their sender's target (RFC 3261, 12.2; RFC 3311, 5).
_REFRESHING = ("INVITE", "UPDATE")

_One = TypeVar("_One", bound=Event)
_Tagged = TypeVar("_Tagged", Answer, End)
_encode = msgspec.json.Encoder().encode


class Target(msgspec.Struct, frozen=True, omit_defaults=True, order=True):
    """Where a side wants to be reached: its Contact URI, and "ip:port/udp" it really spoke from."""

    ctc: str = ""
    addr: str = ""


class Heard(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one side has last said inside the dialog: its highest CSeq, and its newest target."""

    cseq: int = 0
    target: Target = Target()
    target_at: tuple[int, int] = (-1, 0)  # (CSeq, time) of the request that brought `target`


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is known of one crossing of the gateway. Times are microseconds since 1970."""

    id: str
    first_t: int
    last_t: int
    start: Start | None = None
    tries: tuple[Try, ...] = ()  # attempts after the first, in their order
    full: tuple[Full, ...] = ()  # trunks passed over, by time
    ring: Ring | None = None
    answer: Answer | None = None  # the earliest of those not hung up, else the earliest
    forks: tuple[Answer, ...] = ()  # answers with other tags: the INVITE forked at the far side
    late: tuple[Answer, ...] = ()  # of attempts given up before, hung up by the gateway
    byes: tuple[End, ...] = ()  # the first BYE of each dialog
    a: Heard = Heard()
    b: Heard = Heard()
    undone: End | None = None  # the attempt to set it up ended
    over: End | None = None  # the call itself ended

    @property
    def attempts(self) -> int:
        """How many addresses were tried."""
        if self.tries:
            return max(one.n for one in self.tries)
        return 1 if self.start is not None and self.start.dst else 0

    @property
    def taken(self) -> Start | Try | None:
        """The attempt that the far side answered, by where the answer came from, else the last.

        A gateway that was given up may answer all the same, later than the one after it was tried.
        """
        last = self.tries[-1] if self.tries else self.start
        if self.answer is None or not self.tries:
            return last
        came_from = self.answer.addr.partition("/")[0]
        every = [self.start, *self.tries] if self.start else self.tries
        return next((one for one in every if one and _host_port(one.dst) == came_from), last)

    @property
    def end(self) -> End | None:
        """What ended the call, None while it is not over."""
        if self.answer is None:
            late = {one.tt for one in self.late}
            ends = [self.undone, self.over, *(bye for bye in self.byes if bye.tt not in late)]
        else:
            ends = [self.over, self._hung_up(self.answer)]
        return min(filter(None, ends), key=_order, default=None)

    def _hung_up(self, answer: Answer) -> End | None:
        """The BYE after which none of the answers was left."""
        answered = {one.tt for one in (answer, *self.forks)}
        byes = [bye for bye in self.byes if bye.tt in answered]
        return max(byes, key=_order) if len(byes) == len(answered) else None

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come; a call refused at once needs no `end` for that."""
        return self.end is not None or self.refused_at_once

    @property
    def refused_at_once(self) -> bool:
        return (
            self.answer is None and self.start is not None and self.start.kind in ("reject", "drop")
        )

    @property
    def phase(self) -> str:
        """setup, ringing, live or ended."""
        if self.ended:
            return "ended"
        if self.answer is not None:
            return "live"
        return "ringing" if self.ring is not None else "setup"


def fold(call: Call | None, event: Event) -> Call:
    """What is known of the call once this event has been heard, too."""
    known = call or Call(event.c, event.t, event.t)
    changes: dict[str, object] = {
        "first_t": min(known.first_t, event.t),
        "last_t": max(known.last_t, event.t),
    }
    if isinstance(event, Start):
        changes["start"] = _earliest(known.start, event)
    elif isinstance(event, Try):
        changes["tries"] = _in_order(known.tries, event)
    elif isinstance(event, Full):
        changes["full"] = tuple(sorted({*known.full, event}, key=_order))
    elif isinstance(event, Ring):
        changes["ring"] = _earliest(known.ring, event)
    elif isinstance(event, Answer) and event.late:
        changes["late"] = _by_tag(known.late, event)
    elif isinstance(event, Answer):
        changes |= _answers(known, event, known.byes)
    elif isinstance(event, Update):
        changes[event.side] = _hear(known.a if event.side == "a" else known.b, event)
    elif _ends_a_call(event) and event.tt:
        changes["byes"] = byes = _by_tag(known.byes, event)
        changes |= _answers(known, None, byes)
    elif _ends_a_call(event):
        changes["over"] = _earliest(known.over, event)
    else:
        changes["undone"] = _earliest(known.undone, event)
    return msgspec.structs.replace(known, **changes)


def fold_all(call: Call | None, events: Iterable[Event]) -> Call:
    """Fold several; raises ValueError when there is nothing to fold."""
    for event in events:
        call = fold(call, event)
    if call is None:
        raise ValueError("no event to fold")
    return call


def last_cseq(call: Call, side: Party) -> int:
    """The highest CSeq this side is known to have used in the dialog; 0 when it sent nothing."""
    if side == "b":
        return call.b.cseq
    return max(call.a.cseq, call.start.cseq if call.start else 0)


def target(call: Call, side: Party) -> Target:
    """The side's remote target (RFC 3261, 12.2.1.2), empty when unknown."""
    heard = call.a if side == "a" else call.b
    first = call.start if side == "a" else call.answer
    if heard.target.ctc or first is None:
        return heard.target
    return Target(first.ctc, first.addr)


def _ends_a_call(end: End) -> bool:
    """Whether this ends a call that was up; the others end an attempt to set one up.

    With CANCEL and 200 crossing on the wire a call may be cancelled and yet answered (RFC 3261,
    9.1): it lasts until its BYE.
    """
    return end.how == "bye" or (end.how == "timeout" and end.status == 0)


def _order(event: Event) -> tuple[int, bytes]:
    # Two different events of the same microsecond need some order that does not depend on arrival.
    return event.t, _encode(event)


def _earliest(known: _One | None, event: _One) -> _One:
    return event if known is None else min(known, event, key=_order)


def _by_tag(known: Iterable[_Tagged], event: _Tagged) -> tuple[_Tagged, ...]:
    """The earliest of each tag, in the order of their tags."""
    found = {one.tt: one for one in known}
    found[event.tt] = _earliest(found.get(event.tt), event)
    return tuple(found[tag] for tag in sorted(found))


def _answers(known: Call, event: Answer | None, byes: Iterable[End]) -> dict[str, object]:
    """The answer that counts, and the others. Nearly always there is one."""
    found = known.forks if known.answer is None else (known.answer, *known.forks)
    if event is not None:
        found = _by_tag(found, event)
    over = {bye.tt for bye in byes}
    ordered = sorted(found, key=lambda answer: (answer.tt in over, _order(answer)))
    return {"answer": ordered[0], "forks": tuple(ordered[1:])} if ordered else {}


def _in_order(known: tuple[Try, ...], event: Try) -> tuple[Try, ...]:
    return tuple(sorted({*known, event}, key=lambda one: (one.n, _order(one))))


def _host_port(uri: str) -> str:
    """``192.0.2.1:5060`` of ``sip:192.0.2.1:5060;transport=udp``."""
    return uri.partition(":")[2].partition(";")[0]


def _hear(heard: Heard, event: Update) -> Heard:
    found, found_at = heard.target, heard.target_at
    if event.ctc and event.m in _REFRESHING:
        # The text breaks ties, as above.
        new = (event.cseq, event.t), Target(event.ctc, event.addr)
        found_at, found = max((found_at, found), new)
    return Heard(max(heard.cseq, event.cseq), found, found_at)
