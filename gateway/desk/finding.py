"""Which live call is meant, and which of its legs is the client's at a PBX; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.calls.fold import Call
from gateway.desk.socket import DeskError
from gateway.hooks.said import Leg
from number_registry.e164 import E164

SHORTEST_PREFIX = 6
_LIST = "See which there are: ./portgate calls list --phase live"


class AtPbx(NamedTuple):
    """The client's leg at a PBX."""

    pbx: str
    leg: Leg


def find(calls: Mapping[str, Call], wanted: str) -> Call:
    """The call up now that this names: its id or the beginning of that, or the number outside.

    Raises DeskError for none, and for several.
    """
    number = wanted.strip().removeprefix("+")
    outside = E164.maybe(number)
    found = [
        call
        for call in calls.values()
        if call.start is not None
        and (
            (len(wanted) >= SHORTEST_PREFIX and call.id.startswith(wanted))
            or (outside is not None and outside in (_outside(call), _dialled(call)))
        )
        and call.start.kind in ("pbx", "carrier")
    ]
    exact = [call for call in found if call.id == wanted]
    found = exact or found
    if not found:
        raise DeskError(f"no call {wanted!r} is up", _LIST)
    if len(found) > 1:
        ids = ", ".join(sorted(call.id[:12] for call in found))
        raise DeskError(f"{wanted!r} are {len(found)} calls: {ids}", "Name one by its id")
    return found[0]


def _outside(call: Call) -> str:
    return call.start.caller.removeprefix("+") if call.start and call.start.dir == "in" else ""


def _dialled(call: Call) -> str:
    return call.start.called.removeprefix("+") if call.start and call.start.dir == "out" else ""


def at_pbx(call: Call) -> AtPbx:
    """Where the client's leg of an answered call is. Raises DeskError."""
    start = call.start
    if start is None or call.answer is None:
        raise DeskError("that call is not answered yet", "Wait until the operator has it")
    if start.kind == "pbx":
        return AtPbx(start.to, Leg(start.cid, start.caller))
    return AtPbx(start.src, Leg(start.cid, start.called))
