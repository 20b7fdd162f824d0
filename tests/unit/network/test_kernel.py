"""What the kernel tells, read: where a live one cannot be made to tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pyroute2.netlink.exceptions import NetlinkDumpInterrupted
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from gateway.network.kernel import Kernel
from gateway.network.things import GROUP, Device, Link

UP, LOWER_UP = 0x1, 0x10000


def link(index: int, name: str, flags: int, *more: tuple[str, Any]) -> ifinfmsg:
    """A device as the kernel writes it: encoded, then read back."""
    message = ifinfmsg()
    message["index"], message["flags"] = index, flags
    message["attrs"] = [("IFLA_IFNAME", name), *more]
    message.encode()
    told = ifinfmsg(message.data)
    told.decode()
    return told


def vlan(index: int, name: str, number: int, group: int) -> ifinfmsg:
    inside = {"attrs": [("IFLA_VLAN_ID", number)]}
    info = {"attrs": [("IFLA_INFO_KIND", "vlan"), ("IFLA_INFO_DATA", inside)]}
    more = [("IFLA_LINK", 2), ("IFLA_GROUP", group), ("IFLA_LINKINFO", info)]
    return link(index, name, UP | LOWER_UP, *more)


class Told:
    """Stands for the socket: gives these links, and nothing else; the first looks are cut short."""

    def __init__(self, links: Sequence[ifinfmsg], cut_short: int = 0) -> None:
        self._links, self._cut_short = links, cut_short

    async def link(self, verb: str) -> AsyncIterator[ifinfmsg]:
        self._cut_short -= 1
        if self._cut_short >= 0:
            raise NetlinkDumpInterrupted(4, "somebody changed something meanwhile")
        return _each(self._links)

    async def _nothing(self, verb: str, family: int) -> AsyncIterator[ifinfmsg]:
        return _each(())

    addr = route = rule = _nothing


async def _each(messages: Sequence[ifinfmsg]) -> AsyncIterator[ifinfmsg]:
    for message in messages:
        yield message


def test_a_vlan_device_is_ours_by_its_group() -> None:
    links = [
        link(2, "eth1", UP | LOWER_UP),
        vlan(3, "eth1.120", 120, GROUP),
        vlan(4, "eth1.130", 130, 0),
    ]

    seen = asyncio.run(Kernel(Told(links)).see())  # type: ignore[arg-type]

    assert seen.mine == {Link("eth1.120", "eth1", 120)}
    assert seen.others == {Link("eth1.130", "eth1", 130)}
    assert seen.devices["eth1.120"] == Device("eth1.120", parent="eth1", vlan=120)


def test_a_device_is_up_and_has_a_link_by_its_flags() -> None:
    links = [link(2, "eth1", UP), link(3, "eth2", 0), link(4, "eth3", UP | LOWER_UP)]

    seen = asyncio.run(Kernel(Told(links)).see())  # type: ignore[arg-type]

    found = {name: (device.up, device.carrier) for name, device in seen.devices.items()}
    assert found == {"eth1": (True, False), "eth2": (False, False), "eth3": (True, True)}


def test_a_device_whose_other_end_is_elsewhere_stands_on_nothing_here() -> None:
    elsewhere = link(3, "veth0", UP, ("IFLA_LINK", 2), ("IFLA_LINK_NETNSID", 0))

    seen = asyncio.run(Kernel(Told([link(2, "eth1", UP), elsewhere])).see())  # type: ignore[arg-type]

    assert seen.devices["veth0"].parent == ""
    assert seen.others == frozenset()


def test_a_look_that_is_cut_short_is_taken_again() -> None:
    told = Told([link(2, "eth1", UP)], cut_short=3)

    assert set(asyncio.run(Kernel(told).see()).devices) == {"eth1"}  # type: ignore[arg-type]
