"""The only module that speaks netlink: reads one network namespace, and takes one step of a plan at
a time; it decides nothing.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkDumpInterrupted, NetlinkError
from pyroute2.netlink.rtnl import (
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV4_ROUTE,
    RTMGRP_IPV4_RULE,
    RTMGRP_LINK,
)

from gateway.network.plan import Change
from gateway.network.things import (
    GROUP,
    PROTOCOL,
    TABLES,
    Address,
    Device,
    Link,
    Route,
    Rule,
    Seen,
    Thing,
)

EVENTS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE
LOOKS = 8  # a dump is interrupted whenever somebody else changes something meanwhile

# Flags and codes of linux/if.h, linux/rtnetlink.h and linux/fib_rules.h.
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_UNICAST, _UNREACHABLE = 1, 7
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_ONLINK = 4
_TO_TABLE = 1
_LOCAL = 255
_SHAPE_OF_ROUTE = {
    *("RTA_TABLE", "RTA_PRIORITY", "RTA_DST", "RTA_PREFSRC", "RTA_GATEWAY", "RTA_OIF"),
    "RTA_CACHEINFO",
}
_SHAPE_OF_RULE = {
    *("FRA_TABLE", "FRA_PRIORITY", "FRA_SRC", "FRA_PROTOCOL"),
    "FRA_SUPPRESS_PREFIXLEN",
}
_NO_SUPPRESSION = 0xFFFFFFFF


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
        devices = {names[link["index"]]: _device(link, names) for link in links}
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
            if _table(message) == _LOCAL:
                continue  # the kernel's own book of addresses: it comes and goes with them
            (mine if _our_route(message) else others).add(_route(message, names))
        async for message in await self._route.rule("dump", family=family):
            (mine if _our_rule(message) else others).add(_rule(message))
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
            await self._route.route(verb, **_spelled(thing, out))
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
                if "ROUTE" not in message["event"] or _table(message) in TABLES:
                    yield None
    finally:
        route.close()


def _spelled(route: Route, out: int) -> dict[str, Any]:
    spelled: dict[str, Any] = {"dst": route.network, "table": route.table, "proto": PROTOCOL}
    if route.metric:
        spelled["priority"] = route.metric
    if not route.interface:
        return {**spelled, "type": _UNREACHABLE}
    spelled |= {"oif": out, "prefsrc": route.source}
    if route.gateway:
        # On the link whatever else is known of the next hop: each route can be made, and made
        # again, without the route to the link itself.
        return {**spelled, "gateway": route.gateway, "flags": _ONLINK}
    return {**spelled, "scope": _SCOPE_LINK}


def _device(link: Any, names: dict[int, str]) -> Device:
    vlan = 0
    if link.get(("linkinfo", "kind")) == "vlan":
        vlan = link.get(("linkinfo", "data", "vlan_id"))
    flags = link["flags"]
    # The other end of a cable may lie in another namespace, where the number means another device.
    near = link.get("link_netnsid") is None
    parent = names.get(link.get("link") or 0, "") if near else ""
    up, carrier = bool(flags & _IFF_UP), bool(flags & _IFF_LOWER_UP)
    return Device(link.get("ifname"), up, carrier, parent, vlan)


def _route(message: Any, names: dict[int, str]) -> Route:
    length = message["dst_len"]
    network = f"{message.get_attr('RTA_DST') or '0.0.0.0'}/{length}"
    return Route(
        _table(message),
        network,
        message.get_attr("RTA_GATEWAY") or "",
        names.get(message.get_attr("RTA_OIF") or 0, ""),
        message.get_attr("RTA_PREFSRC") or "",
        message.get_attr("RTA_PRIORITY") or 0,
    )


def _our_route(message: Any) -> bool:
    """Number and table of ours, and nothing about it that we never write."""
    plain = {name for name, _ in message["attrs"]} <= _SHAPE_OF_ROUTE and not message["tos"]
    if message["type"] == _UNREACHABLE:
        plain = plain and not message.get_attr("RTA_OIF")
    else:
        near = message.get_attr("RTA_GATEWAY") is None
        scope = _SCOPE_LINK if near else _SCOPE_UNIVERSE
        plain = plain and message["type"] == _UNICAST and message["scope"] == scope
    return bool(plain and message["proto"] == PROTOCOL and _table(message) in TABLES)


def _table(message: Any) -> int:
    """The header's field has one byte; the attribute has them all."""
    return message.get_attr("RTA_TABLE") or message["table"]


def _rule(message: Any) -> Rule:
    table = message.get_attr("FRA_TABLE") or message["table"]
    return Rule(message.get_attr("FRA_SRC") or "", table, message.get_attr("FRA_PRIORITY") or 0)


def _our_rule(message: Any) -> bool:
    rule = _rule(message)
    suppressed = message.get_attr("FRA_SUPPRESS_PREFIXLEN")
    return (
        message.get_attr("FRA_PROTOCOL") == PROTOCOL
        and rule.table in TABLES
        and rule.priority in TABLES
        and message["action"] == _TO_TABLE
        and message["src_len"] == 32
        and not message["flags"]
        and not message["tos"]
        and suppressed in (None, _NO_SUPPRESSION)
        and {name for name, _ in message["attrs"]} <= _SHAPE_OF_RULE
    )
