"""Whether calls to a PBX would reach anybody now, by what the daemon and SIP workers have noted; it
asks no PBX.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import ports
from gateway.health.said import UNKNOWN, states
from gateway.home import Home
from gateway.names import said
from gateway.registered import Contact, contacts
from number_registry.names import Names


@dataclass(frozen=True)
class Noted:
    """What is known of all PBXs. ``on_paper``: beginning of the addresses of the demo company,
    where somebody is for the length of a test call only.
    """

    health: Mapping[str, str]
    names: Names
    registered: Mapping[str, Sequence[Contact]]
    on_paper: str = ""


def noted(home: Home) -> Noted:
    """As the files of this home say now."""
    net = f"sip:{ports.load(home).demo_net}." if home.demo.exists() else ""
    snapshot = home.snapshot
    return Noted(states(snapshot), said.read(snapshot), contacts(snapshot), net)


def why_not(pbx: Mapping[str, Any], now: Noted) -> str:
    """Why its calls would fail, as ``is not registered``; empty where nothing speaks against it.
    ``pbx``: a row of the query list_pbxs. What nobody has asked counts as there.
    """
    bound = now.registered.get(pbx["account"] or "", ())
    if pbx["trust"] == "register" and not bound and not pbx["addresses"]:
        return "is not registered"
    if now.on_paper and any(one.startswith(now.on_paper) for one in pbx["addresses"]):
        return ""
    heard = {one: said.state(now.names, one, now.health) for one in pbx["addresses"]}
    heard |= {one.uri: now.health.get(one.uri, UNKNOWN) for one in bound}
    if set(heard.values()) == {"down"}:
        return f"does not answer at {', '.join(heard)}"
    return ""


def warnings(pbxs: Collection[Mapping[str, Any]], name: str, now: Noted) -> tuple[str, ...]:
    """What a person must hear before calls are moved to this PBX."""
    return tuple(
        f"PBX {name} {why} now: calls to it would fail; ./portgate pbx check {name} says more"
        for pbx in pbxs
        if pbx["name"] == name and (why := why_not(pbx, now))
    )
