"""A kernel in memory that refuses what a real one refuses; it knows nothing of plans.

What it holds to was seen in a real kernel: routes go with their source address and with their
device, a device needs its parent, nothing is added twice.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

from gateway.network.kernel import RefusedError
from gateway.network.plan import Change
from gateway.network.things import Address, Device, Link, Route, Rule, Seen, Thing


class KilledError(BaseException):
    """The process ends here: no handler of the code under test may do anything more."""


@dataclass
class Model:
    """Devices, and things by owner. `refuses_at`, `killed_at`: count of steps until then."""

    devices: dict[str, Device]
    mine: set[Thing] = field(default_factory=set)
    others: set[Thing] = field(default_factory=set)
    refuses_at: int | None = None
    killed_at: int | None = None
    steps: int = 0
    dead: bool = False

    async def see(self) -> Seen:
        if self.dead:
            raise KilledError
        return self.seen()

    def seen(self) -> Seen:
        return Seen(dict(self.devices), frozenset(self.mine), frozenset(self.others))

    async def do(self, change: Change) -> None:
        if self.dead or self.steps == self.killed_at:
            self.dead = True
            raise KilledError
        self.steps += 1
        if self.steps - 1 == self.refuses_at:
            raise RefusedError(change, errno.EBUSY, "this step is refused")
        self.take(change)

    def take(self, change: Change) -> None:
        """One step, refused as a kernel would refuse it."""
        if change.op == "~" and isinstance(change.thing, Link):
            self._switch_on(change)
        elif change.op == "~":
            self._need(change, change.now in self.mine, errno.ENOENT)
            assert change.now is not None
            self.mine.discard(change.now)
            self._add(change, change.thing)
        elif change.op == "+":
            self._add(change, change.thing)
        else:
            self._need(change, change.thing in self.mine, errno.ESRCH)
            self.remove(change.thing)

    def remove(self, thing: Thing) -> None:
        """Whoever removes it: what leans on it goes with it."""
        self.mine.discard(thing)
        self.others.discard(thing)
        if isinstance(thing, Link):
            del self.devices[thing.name]
            self._drop(lambda one: isinstance(one, Address | Route) and one.interface == thing.name)
        elif isinstance(thing, Address) and thing.address not in self._local():
            self._drop(lambda one: isinstance(one, Route) and one.source == thing.address)

    def _drop(self, goes) -> None:  # type: ignore[no-untyped-def]
        for things in (self.mine, self.others):
            things.difference_update([one for one in things if goes(one)])

    def _add(self, change: Change, thing: Thing) -> None:
        self._need(change, thing not in self.mine, errno.EEXIST)
        if isinstance(thing, Link):
            self._need(change, thing.name not in self.devices, errno.EEXIST)
            self._need(change, self._is_up(thing.parent), errno.ENETDOWN)
            self.devices[thing.name] = Device(thing.name, parent=thing.parent, vlan=thing.vlan)
        elif isinstance(thing, Address):
            self._need(change, thing.interface in self.devices, errno.ENODEV)
        elif isinstance(thing, Route):
            self._route(change, thing)
        self.mine.add(thing)

    def _route(self, change: Change, route: Route) -> None:
        routes = [one for one in self.mine | self.others if isinstance(one, Route)]
        self._need(change, all(one.key != route.key for one in routes), errno.EEXIST)
        if not route.interface:
            return
        self._need(change, self._is_up(route.interface), errno.ENETDOWN)
        self._need(change, route.source in self._local(), errno.EINVAL)
        self._need(change, route.gateway not in self._local(), errno.EINVAL)

    def _switch_on(self, change: Change) -> None:
        link = change.thing
        assert isinstance(link, Link)
        self._need(change, self._is_up(link.parent), errno.ENETDOWN)
        self.devices[link.name] = Device(link.name, parent=link.parent, vlan=link.vlan)

    def _is_up(self, name: str) -> bool:
        return name in self.devices and self.devices[name].up

    def _local(self) -> set[str]:
        both = self.mine | self.others
        return {one.address for one in both if isinstance(one, Address)}

    @staticmethod
    def _need(change: Change, fine: bool, code: int) -> None:
        if not fine:
            raise RefusedError(change, code, errno.errorcode[code])


def rules(things: frozenset[Thing] | set[Thing]) -> dict[str, int]:
    """Source address and table of each rule."""
    return {one.source: one.table for one in things if isinstance(one, Rule)}
