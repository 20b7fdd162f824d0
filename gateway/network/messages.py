"""Between what the kernel tells by netlink and the things of this package: pure, no socket."""

from __future__ import annotations

from typing import Any

from gateway.network.things import PROTOCOL, TABLES, Device, Route, Rule

# Flags and codes of linux/if.h, linux/rtnetlink.h and linux/fib_rules.h.
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_UNICAST, _UNREACHABLE = 1, 7
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_ONLINK = 4
_TO_TABLE = 1
LOCAL = 255
_SHAPE_OF_ROUTE = {
    *("RTA_TABLE", "RTA_PRIORITY", "RTA_DST", "RTA_PREFSRC", "RTA_GATEWAY", "RTA_OIF"),
    "RTA_CACHEINFO",
}
_SHAPE_OF_RULE = {
    *("FRA_TABLE", "FRA_PRIORITY", "FRA_SRC", "FRA_PROTOCOL"),
    "FRA_SUPPRESS_PREFIXLEN",
}
_NO_SUPPRESSION = 0xFFFFFFFF


def spelled(route: Route, out: int) -> dict[str, Any]:
    """A route as pyroute2 wants it; ``out``: the number of its device."""
    words: dict[str, Any] = {"dst": route.network, "table": route.table, "proto": PROTOCOL}
    if route.metric:
        words["priority"] = route.metric
    if not route.interface:
        return {**words, "type": _UNREACHABLE}
    words |= {"oif": out, "prefsrc": route.source}
    if route.gateway:
        # On the link whatever else is known of the next hop: each route can be made, and made
        # again, without the route to the link itself.
        return {**words, "gateway": route.gateway, "flags": _ONLINK}
    return {**words, "scope": _SCOPE_LINK}


def device(link: Any, names: dict[int, str]) -> Device:
    """A device; ``names`` of all devices by number."""
    vlan = 0
    if link.get(("linkinfo", "kind")) == "vlan":
        vlan = link.get(("linkinfo", "data", "vlan_id"))
    flags = link["flags"]
    # The other end of a cable may lie in another namespace, where the number means another device.
    near = link.get("link_netnsid") is None
    parent = names.get(link.get("link") or 0, "") if near else ""
    up, carrier = bool(flags & _IFF_UP), bool(flags & _IFF_LOWER_UP)
    return Device(link.get("ifname"), up, carrier, parent, vlan)


def route(message: Any, names: dict[int, str]) -> Route:
    """A route, whoever made it."""
    length = message["dst_len"]
    network = f"{message.get_attr('RTA_DST') or '0.0.0.0'}/{length}"
    return Route(
        table(message),
        network,
        message.get_attr("RTA_GATEWAY") or "",
        names.get(message.get_attr("RTA_OIF") or 0, ""),
        message.get_attr("RTA_PREFSRC") or "",
        message.get_attr("RTA_PRIORITY") or 0,
    )


def is_our_route(message: Any) -> bool:
    """Number and table of ours, and nothing about it that we never write."""
    plain = {name for name, _ in message["attrs"]} <= _SHAPE_OF_ROUTE and not message["tos"]
    if message["type"] == _UNREACHABLE:
        plain = plain and not message.get_attr("RTA_OIF")
    else:
        near = message.get_attr("RTA_GATEWAY") is None
        scope = _SCOPE_LINK if near else _SCOPE_UNIVERSE
        plain = plain and message["type"] == _UNICAST and message["scope"] == scope
    return bool(plain and message["proto"] == PROTOCOL and table(message) in TABLES)


def table(message: Any) -> int:
    """The header's field has one byte; the attribute has them all."""
    return message.get_attr("RTA_TABLE") or message["table"]


def rule(message: Any) -> Rule:
    """A rule, whoever made it."""
    number = message.get_attr("FRA_TABLE") or message["table"]
    return Rule(message.get_attr("FRA_SRC") or "", number, message.get_attr("FRA_PRIORITY") or 0)


def is_our_rule(message: Any) -> bool:
    """Number, table and priority of ours, and nothing about it that we never write."""
    read = rule(message)
    suppressed = message.get_attr("FRA_SUPPRESS_PREFIXLEN")
    return (
        message.get_attr("FRA_PROTOCOL") == PROTOCOL
        and read.table in TABLES
        and read.priority in TABLES
        and message["action"] == _TO_TABLE
        and message["src_len"] == 32
        and not message["flags"]
        and not message["tos"]
        and suppressed in (None, _NO_SUPPRESSION)
        and {name for name, _ in message["attrs"]} <= _SHAPE_OF_RULE
    )
