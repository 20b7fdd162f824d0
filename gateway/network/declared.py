"""What `[network.<carrier>.<trunk>]` may say, and the legs that follow from it; never looks at the
machine.

A leg is one address of ours with all that is reached from it. SIP and RTP share one, or have one
each where the carrier hands media off separately.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated

import msgspec

Vlan = Annotated[int, msgspec.Meta(ge=0, le=4094)]
MOST_NAME = 15  # IFNAMSIZ of the kernel without the closing NUL


class Clash(ValueError):
    """Two hand-offs that cannot both be. `at`: (carrier, trunk, key)."""

    def __init__(self, at: tuple[str, str, str], what: str, mend: str) -> None:
        super().__init__(what)
        self.at, self.what, self.mend = at, what, mend


class HandOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one trunk is handed to us. The address belongs to this carrier alone: what it cannot
    reach through the carrier, it cannot reach at all.

    ``vlan`` 0: untagged. ``gateway`` empty: their networks are on the link. The ``rtp_`` four are
    for a carrier that hands media off separately; left out, media goes the way of SIP.
    """

    interface: str
    address: str
    gateway: str = ""
    vlan: Vlan = 0
    sip: tuple[str, ...] = ()
    rtp: tuple[str, ...] = ()
    rtp_interface: str = ""
    rtp_vlan: Vlan = 0
    rtp_address: str = ""
    rtp_gateway: str = ""

    def __post_init__(self) -> None:
        _check_device("interface", self.interface, self.vlan)
        _check_ours("address", self.address)
        if self.rtp_interface:
            _check_device("rtp_interface", self.rtp_interface, self.rtp_vlan)
        if self.rtp_address:
            _check_ours("rtp_address", self.rtp_address)
        elif self.rtp_interface or self.rtp_vlan:
            raise ValueError("`rtp_address` is needed where media comes by another interface")
        for field in ("gateway", "rtp_gateway"):
            if value := getattr(self, field):
                _check_gateway(field, value, (self.address, self.rtp_address))
        for field in ("sip", "rtp"):
            for network in getattr(self, field):
                _check_theirs(field, network)
        if not self.sip and not self.rtp:
            raise ValueError("`sip` and `rtp` are both empty: say which networks are theirs")

    @property
    def ours(self) -> str:
        """Our address for its calls."""
        return str(IPv4Interface(self.address).ip)

    @property
    def ours_for_media(self) -> str:
        """Our address for its audio; empty where that is the same."""
        return str(IPv4Interface(self.rtp_address).ip) if self.rtp_address else ""


def _check_device(field: str, name: str, vlan: int) -> None:
    if not re.fullmatch(r"[^\s/:]+", name) or name in (".", ".."):
        raise ValueError(f"`{field}` must be the name of an interface, not `{name}`")
    if len(device(name, vlan)) > MOST_NAME:
        raise ValueError(f"`{field}`: `{device(name, vlan)}` is longer than {MOST_NAME} characters")


def _check_ours(field: str, text: str) -> None:
    try:
        ours = IPv4Interface(text)
    except ValueError as error:
        raise ValueError(f"`{field}` must be like 10.20.0.2/30, not `{text}`") from error
    if "/" not in text:
        raise ValueError(f"`{field}` needs its prefix length: `{text}/30`, for instance")
    if ours.is_loopback or ours.is_multicast or ours.is_unspecified:
        raise ValueError(f"`{field}` cannot be {ours.ip}")
    ends = (ours.network.network_address, ours.network.broadcast_address)
    if ours.network.prefixlen < 31 and ours.ip in ends:
        raise ValueError(f"`{field}`: {ours.ip} is the network's own or broadcast address")


def _check_gateway(field: str, text: str, ours: tuple[str, ...]) -> None:
    try:
        gateway = IPv4Address(text)
    except ValueError as error:
        raise ValueError(f"`{field}` must be an IPv4 address, not `{text}`") from error
    if any(address and IPv4Interface(address).ip == gateway for address in ours):
        raise ValueError(f"`{field}` is our own address {text}")


def _check_theirs(field: str, text: str) -> None:
    try:
        IPv4Network(text)
    except ValueError as error:
        raise ValueError(f"`{field}` holds `{text}`: {error}") from error


def device(interface: str, vlan: int) -> str:
    """The name of the device that carries the traffic."""
    return f"{interface}.{vlan}" if vlan else interface


@dataclass(frozen=True)
class Leg:
    """One address of ours. ``routes``: (their network, next hop or "" for on the link);
    ``names``: carrier.trunk of each hand-off that uses it.
    """

    names: tuple[str, ...]
    uses: tuple[str, ...]
    interface: str
    vlan: int
    address: str
    routes: tuple[tuple[str, str], ...]
    at: tuple[str, str, str]  # where it is declared: carrier, trunk, key of the address
    interface_key: str = "interface"

    @property
    def device(self) -> str:
        return device(self.interface, self.vlan)


def legs(networks: Mapping[str, Mapping[str, HandOff]]) -> tuple[Leg, ...]:
    """Every leg, in the order of names. Raises Clash where two hand-offs cannot both be."""
    found: dict[str, Leg] = {}
    for carrier, trunks in sorted(networks.items()):
        for trunk, hand_off in sorted(trunks.items()):
            for leg in _of(carrier, trunk, hand_off):
                known = found.get(leg.address)
                found[leg.address] = leg if known is None else _together(known, leg)
    return tuple(found.values())


def _of(carrier: str, trunk: str, one: HandOff) -> Iterator[Leg]:
    name = (f"{carrier}.{trunk}",)
    if one.sip or not one.rtp_address:
        routes = _routes(one.address, one.gateway, one.sip)
        at = (carrier, trunk, "address")
        ip = str(IPv4Interface(one.address).ip)
        yield Leg(name, ("SIP",) if one.sip else (), one.interface, one.vlan, ip, routes, at)
    if not one.rtp:
        return
    if not one.rtp_address:
        routes = _routes(one.address, one.rtp_gateway or one.gateway, one.rtp)
        yield Leg(name, ("RTP",), one.interface, one.vlan, ip, routes, (carrier, trunk, "rtp"))
        return
    elsewhere = bool(one.rtp_interface or one.rtp_vlan)
    interface = one.rtp_interface or one.interface
    vlan = one.rtp_vlan if elsewhere else one.vlan
    gateway = one.rtp_gateway or ("" if elsewhere else one.gateway)
    routes = _routes(one.rtp_address, gateway, one.rtp)
    ip = str(IPv4Interface(one.rtp_address).ip)
    key = "rtp_interface" if one.rtp_interface else "interface"
    yield Leg(name, ("RTP",), interface, vlan, ip, routes, (carrier, trunk, "rtp_address"), key)


def _routes(address: str, gateway: str, theirs: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The link itself first: the kernel takes a next hop only when it can already reach it."""
    near = []
    own = IPv4Interface(address).network
    if own.prefixlen < 32:
        near.append(own)
    if gateway and IPv4Address(gateway) not in own:
        near.append(IPv4Network(gateway))
    routes = [(str(network), "") for network in near]
    for network in map(IPv4Network, theirs):
        # Part of the link: a route to the next hop through itself would be refused.
        if not any(network.subnet_of(link) for link in near):
            routes.append((str(network), gateway))
    return tuple(dict.fromkeys(routes))


def _together(one: Leg, other: Leg) -> Leg:
    """Two uses of one address: several trunks of a carrier behind one hand-off, or SIP and RTP."""
    if one.at[0] != other.at[0]:
        what = f"{other.address} is also our address of {one.names[0]}"
        raise Clash(other.at, what, "Each carrier needs an address of ours that is its own")
    if one.device != other.device:
        what = f"{other.address} is on {one.device} for {one.names[0]}, on {other.device} here"
        raise Clash(other.at, what, "One address is on one interface")
    ways = dict(one.routes)
    for network, gateway in other.routes:
        if ways.setdefault(network, gateway) != gateway:
            ways_out = " and ".join(hop or "the link" for hop in (ways[network], gateway))
            what = f"from {one.address} there are two ways to {network}: {ways_out}"
            mend = "Give media an address of its own (`rtp_address`), or one gateway for both"
            raise Clash(other.at, what, mend)
    names = tuple(dict.fromkeys((*one.names, *other.names)))
    uses = tuple(dict.fromkeys((*one.uses, *other.uses)))
    ordered = sorted(ways.items(), key=lambda way: way[1] != "")
    return replace(one, names=names, uses=uses, routes=tuple(ordered))
