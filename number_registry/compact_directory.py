"""Answers routing's questions from the published copy: packed numbers plus the decoded directory;
no I/O, no decisions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Protocol

from number_registry.cache_layout import (
    GroupCell,
    group_of,
    payload_of,
    unpack_group,
    unpack_number,
)
from number_registry.deals import Deal
from number_registry.directory import NumberRoute
from number_registry.e164 import E164
from number_registry.errors import CacheCorruptError, RefuseError
from number_registry.model import Account, Pbx, PbxState, Person, Scenario, Site, State
from number_registry.names import NO_NAMES, Names, ranked
from number_registry.pbx_profile import Profile

# Looked up by the packed value, since calling the enum costs a microsecond each; 0 is no state and
# never looked up.
_STATES = (State.RELEASED, *State)
_SCENARIOS = (Scenario.SCRIPT, Scenario.DIRECT, Scenario.SCRIPT, Scenario.SCRIPT)
_NOWHERE = GroupCell(0)
REMEMBERED = 8192  # unpacked routes; numbers of one city and carrier have theirs in common


class PackedNumbers(Protocol):
    """Where packed values come from: a SnapshotView, or one that asks Redis for what the snapshot
    does not know.
    """

    def number(self, e164: int) -> int:
        """The packed value, 0 = not a number of ours."""

    def group(self, index: int) -> int:
        """The packed value, 0 = no such group."""


class CompactDirectory:
    """The `Directory` of a SIP worker.

    Build it anew when the directory's generation changes, or what names lead to; numbers are read
    live. A PBX's address whose name leads nowhere yet is left out: no call waits for DNS.

    Raises CacheCorruptError when the content is not what the publisher writes, so the caller keeps
    the one it had.
    """

    def __init__(
        self, numbers: PackedNumbers, content: dict[str, Any], names: Names = NO_NAMES
    ) -> None:
        self._numbers = numbers
        self._routes: dict[tuple[int, int], NumberRoute] = {}
        try:
            self._carriers: list[str | None] = list(content["carriers"])
            self._by_index = [_pbx(entry, names) for entry in content["pbxs"]]
            self._people = {ext: _person(ext, entry) for ext, entry in content["people"].items()}
            self._sites = {name: _site(name, entry) for name, entry in content["sites"].items()}
            self._emergency = frozenset(str(digits) for digits in content["emergency"])
        except (KeyError, TypeError, AttributeError, ValueError, RefuseError) as error:
            raise CacheCorruptError(f"directory: {type(error).__name__}: {error}") from error
        people = self._people.values()
        self._sims = {person.mobile: person for person in people if person.mobile is not None}
        self._pbxs = {pbx.name: pbx for pbx in self._by_index if pbx is not None}

    def number(self, e164: E164) -> NumberRoute | None:
        packed = self._numbers.number(int(e164))
        if not packed:
            return None
        # The group's pointer is read for each call: it moves when numbers move to another PBX.
        group = group_of(packed)
        pointer = self._numbers.group(group) if group else 0
        key = payload_of(packed), pointer
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= REMEMBERED:
                self._routes.clear()
            route = self._routes[key] = self._unpacked(packed, pointer)
        return route

    def _unpacked(self, packed: int, pointer: int) -> NumberRoute:
        _, carrier, state, other, other_state, scenario, _recording = unpack_number(packed)
        name = self._carrier(carrier)
        tenancies: tuple[tuple[str, State], ...] = ()
        if state and name is not None:
            tenancies = ((name, _STATES[state]),)
        if other_state and (name := self._carrier(other)) is not None:
            tenancies += ((name, _STATES[other_state]),)
        pbx, other, percent = unpack_group(pointer) if pointer else _NOWHERE
        shared = self._named(other) if percent else ""
        return NumberRoute(tenancies, self._named(pbx), _SCENARIOS[scenario], shared, percent)

    def pbx(self, name: str) -> Pbx | None:
        return self._pbxs.get(name)

    def person(self, extension: str, pbx: str) -> Person | None:
        person = self._people.get(extension)
        return person if person is not None and person.pbx in ("", pbx) else None

    def staff(self, extension: str) -> Person | None:
        return self._people.get(extension)

    def site(self, name: str) -> Site | None:
        if not name and self._sites:
            name = min(self._sites)
        return self._sites.get(name)

    def emergency(self) -> frozenset[str]:
        return self._emergency

    def deal(self, id: str) -> Deal | None:
        return None  # deals are not published yet

    def deal_between(self, agent: str, outside: E164) -> Deal | None:
        return None

    @property
    def auto_connects(self) -> bool:
        return False

    def deal_of(self, outside: E164) -> Deal | None:
        return None

    def sim(self, e164: E164) -> Person | None:
        return self._sims.get(e164)

    def now(self) -> int:
        return int(time.time())

    def pbxs(self) -> Iterator[Pbx]:
        """Every PBX, for the guard that knows neighbours by the network they call from."""
        return iter(self._pbxs.values())

    def _carrier(self, index: int) -> str | None:
        return self._carriers[index] if index < len(self._carriers) else None

    def _named(self, index: int) -> str:
        """Name of the PBX of this index; empty when there is none."""
        pbx = self._by_index[index] if index < len(self._by_index) else None
        return pbx.name if pbx is not None else ""


def _pbx(entry: dict[str, Any] | None, names: Names) -> Pbx | None:
    if entry is None:
        return None
    profile = dict(entry["profile"])
    sources, account = tuple(profile.pop("sources", ())), entry.get("account")
    return Pbx(
        name=entry["name"],
        addresses=tuple(
            address
            for a in entry["addresses"]
            for address in ranked(names, a["uri"], a["priority"])
        ),
        sources=sources,
        state=PbxState(entry["state"]),
        profile=Profile.of(profile),
        account=Account(**account) if account else None,
    )


def _person(extension: str, entry: dict[str, Any]) -> Person:
    shown = E164(entry["shown"]) if entry["shown"] else None
    return Person(extension, entry["person"], entry["role"], shown, entry["site"], entry["pbx"])


def _site(name: str, entry: dict[str, Any]) -> Site:
    return Site(name, entry["carrier"], E164(entry["callback"]))
