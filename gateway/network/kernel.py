"""The only module that speaks netlink: reads one network namespace, and takes one step of a plan at
a time; it decides nothing.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkDumpInterrupted, NetlinkError
from pyroute2.netlink.rtnl import (
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV4_ROUTE,
    RTMGRP_IPV4_RULE,
    RTMGRP_LINK,
)

from gateway.network import messages
from gateway.network.plan import Change
from gateway.network.things import (
    GROUP,
    PROTOCOL,
    TABLES,
    Address,
    Link,
    Route,
    Seen,
    Thing,
)

EVENTS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE
LOOKS = 8  # a dump is interrupted whenever somebody else changes something meanwhile


class RefusedError(Exception):
    """The kernel refused a step."""

    def __init__(self, change: Change, code: int, text: str) -> None:
        super().__init__(f"{change}: {text}")
        self.change, self.code, self.text = change, code, text


class Kernel:
    """One network namespace through one socket. Make it with `opened`."""

    def __init__(self, route: AsyncIPRoute) -> None:
        self._route = route

    async def see(self) -> Seen:
        """Every device, and every IPv4 address, route and rule, ours and others'."""
        for _ in range(LOOKS):
            try:
                return await self._look()
            except NetlinkDumpInterrupted as error:
                last = error
        raise last

    async def _look(self) -> Seen:
        links = [message async for message in await self._route.link("dump")]
        names = {link["index"]: link.get("ifname") for link in links}
        devices = {names[link["index"]]: messages.device(link, names) for link in links}
        mine: set[Thing] = set()
        others: set[Thing] = set()
        for link in links:
            device = devices[names[link["index"]]]
            if device.parent:
                ours = device.vlan and link.get("group") == GROUP
                whose = mine if ours else others
                whose.add(Link(device.name, device.parent, device.vlan))
        family = socket.AF_INET
        async for message in await self._route.addr("dump", family=family):
            address = Address(names.get(message["index"], ""), message.get("local") or "")
            ours = message.get("proto") == PROTOCOL and message["prefixlen"] == 32
            (mine if ours else others).add(address)
        async for message in await self._route.route("dump", family=family):
            if messages.table(message) == messages.LOCAL:
                continue  # the kernel's own book of addresses: it comes and goes with them
            (mine if messages.is_our_route(message) else others).add(messages.route(message, names))
        async for message in await self._route.rule("dump", family=family):
            (mine if messages.is_our_rule(message) else others).add(messages.rule(message))
        return Seen(devices, frozenset(mine), frozenset(others))

    async def do(self, change: Change) -> None:
        """Take one step. Raises RefusedError."""
        try:
            await self._do(change)
        except NetlinkError as error:
            text = str(error.args[-1]) if error.args else str(error)
            raise RefusedError(change, error.code, text) from error

    async def _do(self, change: Change) -> None:
        thing = change.thing
        verb = {"+": "add", "-": "del", "~": "replace"}[change.op]
        if isinstance(thing, Link):
            await self._link(change.op, thing)
        elif isinstance(thing, Address):
            index = await self._index(change, thing.interface)
            await self._route.addr(
                verb, index=index, address=thing.address, prefixlen=32, proto=PROTOCOL
            )
        elif isinstance(thing, Route):
            out = await self._index(change, thing.interface) if thing.interface else 0
            await self._route.route(verb, **messages.spelled(thing, out))
        else:
            await self._route.rule(
                verb,
                src=thing.source,
                src_len=32,
                table=thing.table,
                priority=thing.priority,
                protocol=PROTOCOL,
            )

    async def _link(self, op: str, link: Link) -> None:
        change = Change("~", link, link)
        if op == "+":
            await self._route.link(
                "add",
                ifname=link.name,
                kind="vlan",
                link=await self._index(change, link.parent),
                vlan_id=link.vlan,
                group=GROUP,
                state="up",
            )
        elif op == "~":
            await self._route.link("set", index=await self._index(change, link.name), state="up")
        else:
            await self._route.link("del", index=await self._index(change, link.name))

    async def _index(self, change: Change, name: str) -> int:
        found = await self._route.link_lookup(ifname=name)
        if not found:
            raise RefusedError(change, 19, f"there is no interface {name}")  # ENODEV
        return int(found[0])


@asynccontextmanager
async def opened() -> AsyncIterator[Kernel]:
    """The network namespace this is called in."""
    route = AsyncIPRoute(ext_ack=True)
    try:
        await route.setup_endpoint()
        yield Kernel(route)
    finally:
        route.close()


async def events() -> AsyncIterator[None]:
    """One None at once, when the kernel has begun to tell; then one for each change.

    Routes in tables that are never ours say nothing: a machine that speaks BGP has many.
    """
    route = AsyncIPRoute()
    try:
        await route.bind(groups=EVENTS)
        yield None
        while True:
            async for message in route.get():
                if "ROUTE" not in message["event"] or messages.table(message) in TABLES:
                    yield None
    finally:
        route.close()
