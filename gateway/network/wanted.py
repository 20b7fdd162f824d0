"""From legs and what is seen to the things that should be there: a pure function, which also says
what stands in the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.network.declared import Leg
from gateway.network.things import (
    TABLES,
    Address,
    Link,
    Route,
    Rule,
    Seen,
    Thing,
    last_resort,
)


@dataclass(frozen=True)
class Trouble:
    """What must be mended before anything can be changed. `at`: (carrier, trunk, key) or ()."""

    at: tuple[str, ...]
    what: str
    mend: str


@dataclass(frozen=True)
class Wanted:
    """What should be there; ``names`` says which hand-offs each thing is for."""

    names: Mapping[Thing, tuple[str, ...]]
    tables: Mapping[str, int]  # by our address
    troubles: tuple[Trouble, ...] = ()

    @property
    def things(self) -> frozenset[Thing]:
        return frozenset(self.names)


def want(legs: Sequence[Leg], seen: Seen) -> Wanted:
    """Everything the legs need, in the tables they have already or in free ones."""
    tables = _tables(legs, seen)
    names: dict[Thing, tuple[str, ...]] = {}
    troubles: list[Trouble] = []
    for leg in legs:
        troubles += _in_the_way(leg, seen)
        if leg.address not in tables:
            what = f"all tables {TABLES.start} to {TABLES.stop - 1} are in use by others"
            troubles.append(Trouble(leg.at, what, "Free one: ip route show table all"))
            continue
        for thing in _needed(leg, tables[leg.address]):
            names[thing] = (*names.get(thing, ()), *leg.names)
    return Wanted(names, tables, tuple(dict.fromkeys(troubles)))


def _needed(leg: Leg, table: int) -> list[Thing]:
    things: list[Thing] = [
        Address(leg.device, leg.address),
        Rule(leg.address, table, table),
        last_resort(table),
    ]
    if leg.vlan:
        things.append(Link(leg.device, leg.interface, leg.vlan))
    for network, gateway in leg.routes:
        things.append(Route(table, network, gateway, leg.device, leg.address))
    return things


def _tables(legs: Sequence[Leg], seen: Seen) -> dict[str, int]:
    """Which address has which table: as its rule says already, else the lowest free one.

    A table somebody else has put something into is left to them: their route must not lead our
    traffic, and ours must not touch theirs.
    """
    foreign = {thing.table for thing in seen.others if isinstance(thing, Route | Rule)}
    given: dict[str, int] = {}
    rules = sorted(
        (thing for thing in seen.mine if isinstance(thing, Rule)), key=lambda rule: rule.table
    )
    wanted = {leg.address for leg in legs}
    for rule in rules:
        free = rule.table not in foreign and rule.table not in given.values()
        if rule.source in wanted and rule.source not in given and free:
            given[rule.source] = rule.table
    # A table that a rule still to be removed looks into is not given to another address meanwhile.
    used = foreign | {rule.table for rule in rules}
    empty = iter([table for table in TABLES if table not in used])
    for leg in legs:
        if leg.address not in given:
            table = next(empty, None)
            if table is not None:
                given[leg.address] = table
    return given


def _in_the_way(leg: Leg, seen: Seen) -> list[Trouble]:
    at = (*leg.at[:2], leg.interface_key)
    parent = seen.devices.get(leg.interface)
    if parent is None:
        known = ", ".join(sorted(name for name in seen.devices if name != "lo"))
        mend = f"Interfaces here: {known or 'none'}"
        return [Trouble(at, f"there is no interface `{leg.interface}`", mend)]
    if not parent.up:
        mend = f"Switch it on where the machine's own interfaces are configured: {leg.interface} up"
        return [Trouble(at, f"the interface `{leg.interface}` is switched off", mend)]
    device = seen.devices.get(leg.device)
    if (
        device is not None
        and leg.vlan
        and (device.parent, device.vlan)
        != (
            leg.interface,
            leg.vlan,
        )
    ):
        what = f"`{leg.device}` is there and is not VLAN {leg.vlan} of {leg.interface}"
        return [Trouble(at, what, "Rename or remove that device")]
    ours = leg.device in {thing.name for thing in seen.mine if isinstance(thing, Link)}
    if device is not None and not device.up and not ours:
        return [Trouble(at, f"the interface `{leg.device}` is switched off", "Switch it on")]
    elsewhere = sorted(
        address.interface
        for address in seen.addresses(of_others=True)
        if address.address == leg.address and address.interface != leg.device
    )
    if elsewhere:
        what = f"{leg.address} is an address of `{elsewhere[0]}`, which Portgate did not put there"
        return [Trouble(leg.at, what, f"Remove it there, or declare interface = {elsewhere[0]!r}")]
    return []
