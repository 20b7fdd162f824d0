"""What of the declared networks is lost, and why, said for each hand-off: a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.network.declared import Leg
from gateway.network.plan import towards
from gateway.network.things import Address, Link, Seen, kind
from gateway.network.wanted import want

_APPLY = "Put it back: ./portgate network apply"


class Fault(msgspec.Struct, frozen=True):
    """One thing lost. ``names``: carrier.trunk of the hand-offs that suffer; ``address``: ours that
    cannot be used, or "" for all on this interface.
    """

    kind: Literal["link", "address", "route", "rule", "conflict"]
    interface: str
    names: tuple[str, ...]
    what: str
    mend: str
    address: str = ""


def faults(legs: Sequence[Leg], seen: Seen) -> tuple[Fault, ...]:
    """All that is lost, links first. A lost link hides what is lost only because of it."""
    wanted = want(legs, seen)
    devices = {leg.device: leg for leg in legs}
    lost = [fault for leg in devices.values() if (fault := _link(leg, legs, seen))]
    down = {fault.interface for fault in lost}
    by_table = {wanted.tables.get(leg.address): leg.address for leg in legs}
    by_address = {leg.address: leg for leg in legs}
    for change in towards(wanted.things, seen, wanted.names).changes:
        thing = change.thing
        if change.op == "-" or isinstance(thing, Link):
            continue
        address = thing.address if isinstance(thing, Address) else by_table[thing.table]
        interface = by_address[address].device
        if interface not in down:
            word = "leads elsewhere" if change.op == "~" else "is not there"
            what = f"{kind(thing)} {thing} {word}"
            lost.append(Fault(kind(thing), interface, change.names, what, _APPLY, address))  # type: ignore[arg-type]
    for trouble in wanted.troubles:
        leg = next(leg for leg in legs if leg.at[:2] == trouble.at[:2])
        if leg.device not in down:
            names = (".".join(trouble.at[:2]),)
            lost.append(Fault("conflict", leg.device, names, trouble.what, trouble.mend))
    return tuple(lost)


def _link(leg: Leg, legs: Sequence[Leg], seen: Seen) -> Fault | None:
    names = tuple(
        dict.fromkeys(name for one in legs if one.device == leg.device for name in one.names)
    )
    device, parent = seen.devices.get(leg.device), seen.devices.get(leg.interface)
    if device is None:
        mend = _APPLY if parent else f"Look for the interface {leg.interface}"
        return Fault("link", leg.device, names, f"{leg.device} is not there", mend)
    if not device.up:
        what = f"{leg.device} is switched off"
        return Fault("link", leg.device, names, what, f"Switch {leg.device} on, then apply")
    if not device.carrier:
        what = f"{leg.device} has no link: nobody is at the other end"
        return Fault("link", leg.device, names, what, "Look at the cable, the port, the carrier")
    return None
