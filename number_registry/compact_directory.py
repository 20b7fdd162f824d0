"""Answers routing's questions from the published copy: packed numbers plus the decoded directory;
no I/O, no decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from number_registry.cache_layout import (
    GroupCell,
    group_of,
    payload_of,
    unpack_group,
    unpack_number,
)
from number_registry.deal_layout import auto_key, deal_key, pair_key, unpack_deal
from number_registry.deals import Deal
from number_registry.directory import NumberRoute
from number_registry.e164 import E164
from number_registry.errors import CacheCorruptError, RefuseError
from number_registry.model import Account, Pbx, PbxState, Person, Scenario, Site, State
from number_registry.names import NO_NAMES, Names, ranked
from number_registry.pbx_profile import Profile
from number_registry.steady_clock import SteadyClock

# Looked up by the packed value, since calling the enum costs a microsecond each; 0 is no state and
# never looked up.
_STATES = (State.RELEASED, *State)
_SCENARIOS = (Scenario.SCRIPT, Scenario.DIRECT, Scenario.SCRIPT, Scenario.SCRIPT)
_NOWHERE = GroupCell(0)
# For a role that is not published, which no role of a registry is: the most careful of all.
_NO_ROLE: Mapping[str, Any] = {"dials_outside": "deals_only", "shows": "city", "rung_by": ()}
REMEMBERED = 8192  # unpacked routes; numbers of one city and carrier have theirs in common


class PackedNumbers(Protocol):
    """Where packed values come from: a SnapshotView, or one that asks Redis for what the snapshot
    does not know.
    """

    def number(self, e164: int) -> int:
        """The packed value, 0 = not a number of ours."""

    def group(self, index: int) -> int:
        """The packed value, 0 = no such group."""


class PackedDeals(Protocol):
    """Where published deals come from: a file of deals, or one that asks Redis besides. Bytes are
    as deal_layout.is_ours has accepted them.
    """

    def deal(self, key: int) -> bytes:
        """A deal by its key; no bytes = no such deal."""

    def named(self, key: int) -> list[tuple[int, bytes]]:
        """(key, bytes) of the deals that an index names, newest first."""

    def auto_connects(self) -> bool:
        """Whether there may be a deal with auto_connect."""


class NoDeals:
    """Where there are none."""

    def deal(self, key: int) -> bytes:
        return b""

    def named(self, key: int) -> list[tuple[int, bytes]]:
        return []

    def auto_connects(self) -> bool:
        return False


NO_DEALS = NoDeals()


class CompactDirectory:
    """The `Directory` of a SIP worker.

    Build it anew when the directory's generation changes, or what names lead to; numbers are read
    live. A PBX's address whose name leads nowhere yet is left out: no call waits for DNS.

    Raises CacheCorruptError when the content is not what the publisher writes, so the caller keeps
    the one it had.
    """

    def __init__(
        self,
        numbers: PackedNumbers,
        content: dict[str, Any],
        names: Names = NO_NAMES,
        deals: PackedDeals = NO_DEALS,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._numbers, self._deals = numbers, deals
        self._clock = clock or SteadyClock()
        self._routes: dict[tuple[int, int], NumberRoute] = {}
        try:
            self._carriers: list[str | None] = list(content["carriers"])
            self._by_index = [_pbx(entry, names) for entry in content["pbxs"]]
            roles = content["roles"]
            self._people = {
                ext: _person(ext, entry, roles.get(entry["role"], _NO_ROLE))
                for ext, entry in content["people"].items()
            }
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
        key = deal_key(id)
        packed = self._deals.deal(key)
        return unpack_deal(key, packed) if packed else None

    def deal_between(self, agent: str, outside: E164) -> Deal | None:
        for deal in self._open(pair_key(agent, outside), outside):
            if deal.agent == agent:
                return deal
        return None

    @property
    def auto_connects(self) -> bool:
        return self._deals.auto_connects()

    def deal_of(self, outside: E164) -> Deal | None:
        for deal in self._open(auto_key(outside), outside):
            if deal.auto_connect:
                return deal
        return None

    def _open(self, index: int, outside: E164) -> Iterator[Deal]:
        """Those that an index names, and that are as it says: it is a hint."""
        for key, packed in self._deals.named(index):
            deal = unpack_deal(key, packed)
            if deal.has(outside) and deal.state(self.now()) == "open":
                yield deal

    def sim(self, e164: E164) -> Person | None:
        return self._sims.get(e164)

    def now(self) -> int:
        return self._clock()

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


def _person(extension: str, entry: dict[str, Any], role: Mapping[str, Any]) -> Person:
    mobile = entry.get("mobile")
    return Person(
        extension,
        entry["person"],
        entry["role"],
        E164(entry["shown"]) if entry["shown"] else None,
        entry["site"],
        entry["pbx"],
        E164(mobile) if mobile else None,
        entry.get("mobile_carrier", ""),
        role["dials_outside"],
        role["shows"],
        tuple(role["rung_by"]),
    )


def _site(name: str, entry: dict[str, Any]) -> Site:
    return Site(name, entry["carrier"], E164(entry["callback"]))
