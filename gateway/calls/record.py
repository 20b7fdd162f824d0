"""What a person or a statistic reads of a call, derived from the fold; pure.

Times are put in the order in which things happen: a clock that was set back in the middle of a call
makes no duration negative, and no answer precedes its call.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from gateway.calls import causes
from gateway.calls.events import Start, Try
from gateway.calls.fold import Call

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Record(NamedTuple):
    """One row of the table `calls`, in the order of the query put_calls."""

    id: str
    phase: str
    direction: str | None
    source: str
    target: str
    carrier: str
    pbx: str
    trunk: str
    source_address: str
    caller: str
    called: str
    shown: str
    dialled: str
    verdict: str | None
    rules: str  # JSON
    attempts: int
    destination: str
    started_at: datetime
    ring_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    end_side: str | None
    end_how: str | None
    final_status: int | None
    cause: str
    pdd_ms: int | None
    talk_ms: int | None
    first_leg: str | None
    joined_by: str
    deal: str
    agent: str
    leg: str
    state: str  # JSON
    tries: str  # JSON


def at(micros: int) -> datetime:
    """Microseconds since 1970 as a time in UTC, exactly."""
    return _EPOCH + timedelta(microseconds=micros)


def record(call: Call) -> Record:
    """The row for what is known so far."""
    start = call.start
    began = start.t if start else call.first_t
    ring = max(call.ring.t, began) if call.ring else None
    answer = max(call.answer.t, began) if call.answer else None
    side, how, ended = _end(call)
    if ended is not None:
        ended = max(ended, began, answer or 0)
    first_sign = min((sign for sign in (ring, answer) if sign is not None), default=None)
    taken = call.taken
    target = (taken.to if taken else "") or (start.to if start else "")
    stood_in = isinstance(taken, Try) and not taken.trunk2
    carrier, pbx = _neighbours(start, target, stood_in) if start else ("", "")
    return Record(
        call.id,
        call.phase,
        start.dir if start else None,
        start.src if start else "",
        target,
        carrier,
        pbx,
        (start.trunk or (taken.trunk2 if taken else "")) if start else "",
        start.addr if start else "",
        start.caller if start else "",
        start.called if start else "",
        start.shown if start else "",
        start.dialled if start else "",
        start.kind if start else None,
        _encode(start.rules if start else ()).decode(),
        call.attempts,
        taken.dst if taken else "",
        at(began),
        at(ring) if ring is not None else None,
        at(answer) if answer is not None else None,
        at(ended) if ended is not None else None,
        side,
        how,
        final_status(call),
        cause(call),
        (first_sign - began) // 1000 if first_sign is not None else None,
        (ended - answer) // 1000 if ended is not None and answer is not None else None,
        (start.conv if start else "") or None,
        "correlation" if start and start.conv else "",
        start.deal if start else "",
        start.agent if start else "",
        leg(start, stood_in) if start else "",
        _encode(call).decode(),
        _encode(tries(call)).decode(),
    )


def leg(start: Start, stood_in: bool) -> str:
    """Which part of an agent's work the call is: to_agent (a SIM rings), to_operators (they take it
    where the agent does not: ``stood_in``), to_client (a deal is dialled), by_agent (another call
    of one with a SIM of ours), or empty.
    """
    if start.kind == "sim":
        return "to_operators" if stood_in else "to_agent"
    if start.kind not in ("carrier", "pbx"):
        return ""
    if start.deal and start.agent:
        return "to_client"
    return "by_agent" if start.agent else ""


def final_status(call: Call) -> int | None:
    """The SIP status that the caller was finally answered with, None while there is none."""
    if call.answer is not None:
        return call.answer.status
    if call.end is not None and call.end.status:
        return call.end.status
    if call.end is None:
        return call.start.status or None if call.start and call.refused_at_once else None
    # The INVITE is answered by 487 after a CANCEL (RFC 3261, 9.2), and after a BYE before 200.
    return 487 if call.end.how in ("cancel", "bye") else 408


def cause(call: Call) -> str:
    """Why it ended, in words; empty while it is not over."""
    if call.end is not None:
        if call.end.how == "reject" and not call.end.reason and call.start and call.start.rules:
            return _refused_by(call.start)
        return causes.words(call.end, answered=call.answer is not None)
    return _refused_by(call.start) if call.start and call.refused_at_once else ""


def _refused_by(start: Start) -> str:
    rule = ": ".join(part for part in start.rules[-1] if part) if start.rules else ""
    return "refused before it was sent on" + (f" ({rule})" if rule else "")


def _end(call: Call) -> tuple[str | None, str | None, int | None]:
    if call.end is not None:
        return call.end.side, call.end.how, call.end.t
    if call.start is not None and call.refused_at_once:
        return "gw", "reject", call.start.t
    return None, None, None


def tries(call: Call) -> list[dict[str, str | int]]:
    """Each attempt where there was more than one: whom, by which trunk, where, and the SIP status
    and Q.850 cause it failed with (0: none; no ``status`` where it did not fail); ``full`` instead
    of a place says why a trunk was passed over. Empty for a single attempt.
    """
    if not call.tries and not call.full:
        return []
    told = _attempts(call)
    told += [
        {"at_ms": one.t // 1000, "to": one.to, "trunk": one.trunk2, "full": one.why}
        for one in call.full
    ]
    return sorted(told, key=lambda one: one["at_ms"])


def _attempts(call: Call) -> list[dict[str, str | int]]:
    every = [call.start, *call.tries] if call.start else list(call.tries)
    failures = [(one.status, one.q850) for one in call.tries]
    if call.answer is None and call.end is not None and call.end.how in ("failed", "timeout"):
        failures.append((call.end.status, call.end.q850))
    told: list[dict[str, str | int]] = []
    for place, one in enumerate(every):
        if one is None:
            continue
        told.append({"at_ms": one.t // 1000, "to": one.to, "trunk": one.trunk2, "where": one.dst})
        after = place if call.start else place + 1
        if after < len(failures):
            told[-1] |= {"status": failures[after][0], "q850": failures[after][1]}
    return told


def _neighbours(start: Start, target: str, stood_in: bool) -> tuple[str, str]:
    """(carrier, PBX), empty where it has none; a call from carrier to carrier names the first."""
    if start.dir == "in":
        at_pbx = start.kind == "pbx" or (start.kind == "sim" and stood_in)
        return start.src, target if at_pbx else ""
    return target if start.kind in ("carrier", "sim") else "", start.src
