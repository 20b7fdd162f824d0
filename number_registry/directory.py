"""The few questions routing asks, and a directory in memory that answers them; no decisions, no
I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from number_registry.deals import Deal
from number_registry.e164 import E164
from number_registry.model import Pbx, Person, Scenario, Site, State


class NumberRoute(NamedTuple):
    """What routing must know of one of our numbers.

    ``tenancies``: (carrier's name, state), at most two: the one it leaves and the one it enters.
    ``pbx``: name of the PBX its attachment group points to, or empty when it is attached to none.
    ``other_pbx`` takes ``percent`` of its new calls.
    """

    tenancies: tuple[tuple[str, State], ...]
    pbx: str
    scenario: Scenario = Scenario.SCRIPT
    other_pbx: str = ""
    percent: int = 0


class Directory(Protocol):
    """Answers from memory at once; never raises for something unknown, never waits longer than its
    reader allows.
    """

    def number(self, e164: E164) -> NumberRoute | None: ...

    def pbx(self, name: str) -> Pbx | None: ...

    def person(self, extension: str, pbx: str) -> Person | None:
        """The person behind an extension of this PBX (an extension not tied to a PBX is found from
        any).
        """

    def staff(self, extension: str) -> Person | None:
        """As `person`, whichever PBX asks: who is meant by an extension that is called."""

    def site(self, name: str) -> Site | None:
        """The site of this name; the empty name asks for the company's main site (the first by
        name).
        """

    def emergency(self) -> frozenset[str]:
        """Digits that are emergency numbers here, for instance 112 and 101 to 104."""

    def deal(self, id: str) -> Deal | None:
        """The deal of this id: open, or closed or expired within the cool-off; None = unknown."""

    def deal_between(self, agent: str, outside: E164) -> Deal | None:
        """The newest open deal of this agent with this outside number."""

    @property
    def auto_connects(self) -> bool:
        """Whether there may be a deal with ``auto_connect`` at all: else no call asks for one."""

    def deal_of(self, outside: E164) -> Deal | None:
        """The newest open deal with ``auto_connect`` that this outside number is a party of."""

    def sim(self, e164: E164) -> Person | None:
        """Whose SIM this is."""

    def now(self) -> int:
        """Unix seconds by which deals expire; a clock that was set wrong does not move it at
        once.
        """


@dataclass(slots=True)
class MemoryDirectory:
    """A directory of plain dictionaries, for tests, dry runs and ``explain``; answers exactly as
    the published one. Of ``deals`` the last one is the newest; at ``time`` 0 none has expired.
    """

    numbers: Mapping[str, NumberRoute] = field(default_factory=dict)
    pbxs: Mapping[str, Pbx] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    emergency_numbers: frozenset[str] = frozenset({"112", "101", "102", "103", "104"})
    deals: Mapping[str, Deal] = field(default_factory=dict)
    sims: Mapping[E164, Person] = field(default_factory=dict)
    time: int = 0

    def number(self, e164: E164) -> NumberRoute | None:
        return self.numbers.get(e164)

    def pbx(self, name: str) -> Pbx | None:
        return self.pbxs.get(name)

    def person(self, extension: str, pbx: str) -> Person | None:
        person = self.people.get(extension)
        return person if person is not None and person.pbx in ("", pbx) else None

    def staff(self, extension: str) -> Person | None:
        return self.people.get(extension)

    def site(self, name: str) -> Site | None:
        if not name and self.sites:
            name = min(self.sites)
        return self.sites.get(name)

    def emergency(self) -> frozenset[str]:
        return self.emergency_numbers

    def deal(self, id: str) -> Deal | None:
        return self.deals.get(id)

    def deal_between(self, agent: str, outside: E164) -> Deal | None:
        return next((deal for deal in self._open(outside) if deal.agent == agent), None)

    @property
    def auto_connects(self) -> bool:
        return any(deal.auto_connect for deal in self.deals.values())

    def deal_of(self, outside: E164) -> Deal | None:
        return next((deal for deal in self._open(outside) if deal.auto_connect), None)

    def sim(self, e164: E164) -> Person | None:
        return self.sims.get(e164)

    def now(self) -> int:
        return self.time

    def _open(self, outside: E164) -> Iterator[Deal]:
        for deal in reversed(list(self.deals.values())):
            if deal.has(outside) and deal.state(self.time) == "open":
                yield deal
