"""From the wanted things and what is seen to the ordered list of changes: a pure function that
changes nothing.

The order keeps traffic going at every step: a new way is complete before its rule sends anything
there, and a rule is gone before its way is taken down. Stopped after any step, a new plan leads to
the same end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from gateway.network.declared import Leg
from gateway.network.things import Address, Link, Route, Rule, Seen, Thing, kind
from gateway.network.wanted import Trouble, want

_UP = (Link, Address, Route, Rule)


class Change(msgspec.Struct, frozen=True):
    """One step. ``+``: ``then`` is made; ``-``: ``now`` is removed; ``~``: ``now`` becomes ``then``
    at once (a route that is replaced, a VLAN device that is switched on).
    """

    op: Literal["+", "~", "-"]
    now: Thing | None
    then: Thing | None
    names: tuple[str, ...] = ()

    @property
    def thing(self) -> Thing:
        found = self.then or self.now
        assert found is not None  # one of them is always there
        return found

    def __str__(self) -> str:
        thing = self.thing
        text = f"{self.op} {kind(thing):8} {thing}"
        if isinstance(self.now, Route) and self.op == "~":
            before = f"through {self.now.gateway}" if self.now.gateway else "on the link"
            text += f" (now {before} on {self.now.interface or 'nothing'})"
        elif self.op == "~":
            text += " (now switched off)"
        return text


@dataclass(frozen=True)
class Plan:
    """Steps in order, and what must be mended before any of them is taken."""

    changes: tuple[Change, ...]
    troubles: tuple[Trouble, ...] = ()

    @property
    def id(self) -> str:
        """Twelve digits that are the same for the same steps."""
        text = msgspec.json.encode(self.changes)
        return hashlib.blake2b(text, digest_size=6).hexdigest()


def plan(legs: Sequence[Leg], seen: Seen) -> Plan:
    """What turns what is seen into what is declared."""
    wanted = want(legs, seen)
    found = towards(wanted.things, seen, wanted.names)
    return Plan(found.changes, (*wanted.troubles, *found.troubles))


def towards(
    wanted: frozenset[Thing], seen: Seen, names: Mapping[Thing, tuple[str, ...]] | None = None
) -> Plan:
    """What turns what is ours into exactly ``wanted``; what others made counts, and stays."""
    names = names or {}
    missing = {thing for thing in wanted - seen.mine if not _is_there(thing, seen)}
    surplus = set(seen.mine - wanted)
    changes = [
        Change("~", thing, thing, names.get(thing, ()))
        for thing in wanted & seen.mine
        if isinstance(thing, Link) and not seen.devices[thing.name].up
    ]
    standing = {thing.key: thing for thing in surplus if isinstance(thing, Route)}
    for thing in missing:
        now = standing.get(thing.key) if isinstance(thing, Route) else None
        surplus.discard(now)  # type: ignore[arg-type]
        changes.append(Change("~" if now else "+", now, thing, names.get(thing, ())))
    changes += [Change("-", thing, None) for thing in surplus]
    troubles = tuple(trouble for thing in surplus if (trouble := _leaned_on(thing, seen)))
    return Plan(tuple(sorted(changes, key=_turn)), troubles)


def _is_there(thing: Thing, seen: Seen) -> bool:
    """Others' address or VLAN device serves as well, and stays theirs."""
    return isinstance(thing, Link | Address) and thing in seen.others


def _turn(change: Change) -> tuple[int, int, str]:
    place = _UP.index(type(change.thing))
    near = isinstance(change.thing, Route) and not change.thing.gateway
    if change.op == "-":
        return 10 - place, 1 if near else 0, str(change)
    return place, 0 if near else 1, str(change)


def _leaned_on(thing: Thing, seen: Seen) -> Trouble | None:
    """The kernel removes routes with their source address, and all that is on a device with it."""
    for other in seen.others:
        if isinstance(thing, Address):
            leans = isinstance(other, Route) and other.source == thing.address
            leans = leans and not _held_otherwise(thing, seen)
        elif isinstance(thing, Link):
            on_it = isinstance(other, Address | Route) and other.interface == thing.name
            leans = on_it or (isinstance(other, Link) and other.parent == thing.name)
        else:
            return None
        if leans:
            what = f"{kind(thing)} {thing} cannot go: {kind(other)} {other} would go with it"
            return Trouble((), what, "Remove that first, or keep the hand-off declared")
    return None


def _held_otherwise(thing: Address, seen: Seen) -> bool:
    """The same address on another device, or with another prefix length, keeps what leans on it."""
    addresses = seen.addresses(of_others=True) | seen.addresses(of_others=False)
    others = seen.addresses(of_others=True)
    return thing in others or any(one.address == thing.address for one in addresses if one != thing)
