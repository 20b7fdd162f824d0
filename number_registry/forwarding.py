"""A PBX sends a call on for somebody outside: which number of ours it shows, and whether it goes in
circles; pure, and no SIP.
"""

from __future__ import annotations

from number_registry.call import Call, Rule
from number_registry.conversations import (
    FAST_S,
    FORGED,
    MOST_AGAIN,
    MOST_AT_ONCE,
    MOST_DIVERSIONS,
    MOST_ROUNDS,
    SLOW_S,
    STALE,
)
from number_registry.directory import Directory, NumberRoute
from number_registry.e164 import E164

Trace = list[Rule]

_IGNORED = {
    FORGED: "the correlation that came with the call is none of ours for this PBX: ignored",
    STALE: "the correlation that came with the call is older than any call: ignored",
}
MEND = (
    "let the PBX return the correlation of the call it forwards, or name the number of ours that "
    "was called as the diverting one; or give the extension that calls a number to show"
)


def note(call: Call, trace: Trace) -> None:
    """What the leg says of its conversation, for the record."""
    behind = call.behind
    if behind.conversation:
        trace.append(("conversation", f"goes on with {behind.conversation}, by its correlation"))
    elif behind.mark:
        trace.append(("conversation", _IGNORED[behind.mark]))


def number_called(call: Call, directory: Directory, trace: Trace) -> E164 | None:
    """The number of ours by which the call came in that the PBX now forwards: of the conversation,
    which nobody but us can have said; else the last that diverted the call, if it is attached to
    this PBX. None, with the mend in the trace, where neither is known.
    """
    behind = call.behind
    if behind.conversation:
        did = E164(behind.came_by)
        if directory.number(did) is not None:
            trace.append(("forwarded", f"the conversation came in by {did.plus}"))
            return did
    for number in behind.diverted:
        route = directory.number(number)
        if route is not None and _is_attached(route, call.peer.name):
            trace.append(("forwarded", f"diverted by {number.plus}, which is on this PBX"))
            return number
    trace.append(("forwarded", MEND))
    return None


def _is_attached(route: NumberRoute, pbx: str) -> bool:
    return route.pbx == pbx or bool(route.percent and route.other_pbx == pbx)


def circle(call: Call, shared: bool) -> str:
    """Why the call is going in circles, empty while it is not. ``shared``: its caller is a number
    that many people may show.
    """
    behind = call.behind
    if behind.rounds >= MOST_ROUNDS:
        return f"the conversation has gone from PBX to PBX {behind.rounds} times"
    if len(behind.diverted) > MOST_DIVERSIONS:
        return f"the call was diverted {len(behind.diverted)} times"
    # A queue that closes may forward many calls of one caller at once; where their conversations
    # are known the rounds tell, and a PBX that returns the same one for ever is faster than people.
    if shared or behind.conversation:
        return _more(call.at_once, MOST_AT_ONCE, FAST_S)
    return _more(call.again, MOST_AGAIN, SLOW_S)


def comes_back(call: Call) -> str:
    """The same for a call that a carrier brings: what left with this number as its caller is coming
    in again.
    """
    return _more(call.again, MOST_AGAIN, SLOW_S)


def _more(times: int, most: int, within_s: int) -> str:
    if times <= most:
        return ""
    return f"the same caller came to the same number {times} times within {within_s} s"
