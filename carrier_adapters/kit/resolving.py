"""Carriers with the host names of their gateways replaced by where these lead; pure, asks no DNS.

A name is the word of whoever answers for it in DNS, and must not make one carrier's calls
another's: an address that a carrier has declared, or that another name leads to already, sends
calls for that one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace

from carrier_adapters.contract import Carrier, Gateway, Trunk
from number_registry.names import Names

_Networks = list[tuple[str, str, ipaddress.IPv4Network | ipaddress.IPv6Network]]


def resolved(
    carriers: Mapping[str, Carrier], names: Names
) -> tuple[dict[str, Carrier], tuple[str, ...]]:
    """The same carriers, and a sentence for each address that is not trusted. Those without names
    are the very same objects.
    """
    if not any(trunk.names for carrier in carriers.values() for trunk in carrier.trunks):
        return dict(carriers), ()
    taken: _Networks = [
        (f"{carrier.name}.{trunk.name}", trunk.receives_on, ipaddress.ip_network(network))
        for carrier in carriers.values()
        for trunk in carrier.trunks
        for network in trunk.networks
    ]
    found, refused = {}, []
    for name, carrier in carriers.items():
        if not any(trunk.names for trunk in carrier.trunks):
            found[name] = carrier
            continue
        trunks = []
        for trunk in carrier.trunks:
            led, said = _trusted(f"{name}.{trunk.name}", trunk, names, taken)
            trunks.append(led)
            refused += said
        found[name] = type(type(carrier).__name__, (type(carrier),), {"trunks": tuple(trunks)})()
    return found, tuple(refused)


def _trusted(whose: str, trunk: Trunk, names: Names, taken: _Networks) -> tuple[Trunk, list[str]]:
    """The trunk resolved, without trust in addresses of others; ``taken`` grows by the rest."""
    led = trunk.resolved(names)
    own = {gateway.uri for gateway in trunk.gateways}
    kept, said = [], []
    for gateway in led.gateways:
        if gateway.literal and gateway.uri not in own and gateway.direction != "out":
            owner = _owner(whose, led.receives_on, gateway, taken)
            if owner:
                said.append(f"{whose}: {gateway.address.host} is {owner}'s, by its declaration")
                if gateway.direction == "in":
                    continue
                gateway = replace(gateway, direction="out")
            else:
                network = ipaddress.ip_network(gateway.address.host.strip("[]"))
                taken.append((whose, led.receives_on, network))
        kept.append(gateway)
    return replace(led, gateways=tuple(kept)), said


def _owner(whose: str, receives_on: str, gateway: Gateway, taken: _Networks) -> str:
    ip = ipaddress.ip_address(gateway.address.host.strip("[]"))
    for other, on, network in taken:
        apart = bool(on and receives_on and on != receives_on)
        if other != whose and not apart and ip in network:
            return other
    return ""
