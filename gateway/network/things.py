"""The things in the kernel that this package speaks of, and which of them are ours; it reads and
changes none.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

# What marks a thing as ours. A route or rule needs both, the number and a table of our range; the
# main, default and local tables (253 to 255) are out of reach. Kept apart from the numbers that
# other programs write: see rt_protos of iproute2.
PROTOCOL = 80
TABLES = range(21000, 22000)  # a rule's priority is the number of its table: before main's 32766
GROUP = 0x5067  # the device group of VLAN devices that we made, given at the moment of making
# Behind every other route of a table: from our address of a carrier nothing leaves another way.
LAST_METRIC = 4278198272


class Link(msgspec.Struct, frozen=True, tag="link", order=True):
    """A device on top of another. Ours are VLAN devices; others' are of any kind (``vlan`` 0)."""

    name: str
    parent: str
    vlan: int

    def __str__(self) -> str:
        what = f"VLAN {self.vlan} of" if self.vlan else "on top of"
        return f"{self.name}: {what} {self.parent}"


class Address(msgspec.Struct, frozen=True, tag="address", order=True):
    """One address of ours, always with prefix length 32.

    So the kernel adds no route of its own to the main table, and never makes somebody's address
    depend on ours (secondaries vanish with their primary).
    """

    interface: str
    address: str

    def __str__(self) -> str:
        return f"{self.address} on {self.interface}"


class Route(msgspec.Struct, frozen=True, tag="route", order=True):
    """One route. ``gateway`` empty: on the link. ``interface`` empty: refused (unreachable)."""

    table: int
    network: str
    gateway: str
    interface: str
    source: str
    metric: int = 0

    @property
    def key(self) -> tuple[int, str, int]:
        """What the kernel keeps one route of."""
        return self.table, self.network, self.metric

    def __str__(self) -> str:
        if not self.interface:
            return f"everything else is refused, table {self.table}"
        through = f" through {self.gateway}" if self.gateway else ""
        return f"{self.network}{through} on {self.interface}, table {self.table}"


class Rule(msgspec.Struct, frozen=True, tag="rule", order=True):
    """What comes from ``source`` is sent by ``table``."""

    source: str
    table: int
    priority: int

    def __str__(self) -> str:
        return f"from {self.source}, table {self.table}"


Thing = Link | Address | Route | Rule


def kind(thing: Thing) -> str:
    """link, address, route or rule."""
    return type(thing).__name__.lower()


def last_resort(table: int) -> Route:
    """The route that refuses what no other route of this table takes."""
    return Route(table, "0.0.0.0/0", "", "", "", LAST_METRIC)


@dataclass(frozen=True)
class Device:
    """An interface as seen. ``up``: switched on; ``carrier``: the other end is there."""

    name: str
    up: bool = True
    carrier: bool = True
    parent: str = ""
    vlan: int = 0


@dataclass(frozen=True)
class Seen:
    """All that matters of one network namespace: every device, what is ours, what is others'."""

    devices: dict[str, Device]
    mine: frozenset[Thing]
    others: frozenset[Thing]

    def addresses(self, *, of_others: bool) -> set[Address]:
        """Addresses that are ours, or others'."""
        things = self.others if of_others else self.mine
        return {thing for thing in things if isinstance(thing, Address)}
