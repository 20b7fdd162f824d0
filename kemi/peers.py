"""Who is it? Finds the known neighbour by the address a message came from; an unknown address is
nobody.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping

from carrier_adapters.contract import Carrier
from number_registry.call import Peer, Side
from number_registry.model import Pbx
from number_registry.names import Names, hosts_before
from number_registry.pbx_profile import Trust

REMEMBERED = 4096  # addresses, known or not: a flood from many addresses must not fill the memory

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def only_inside_calls(carriers: Mapping[str, Carrier], names: Names) -> frozenset[str]:
    """Hosts that may speak inside calls that there are, and begin none: gateways that only take
    calls, and places that a name led to when the call was set up.
    """
    taking = (
        address.host
        for carrier in carriers.values()
        for trunk in carrier.trunks
        for address in trunk.addresses
    )
    return hosts_before(names).union(taking)


class Peers:
    """Built anew when the carriers or the directory change. Carriers come first; then PBXs by their
    sources.
    """

    def __init__(
        self,
        carriers: Mapping[str, Carrier],
        pbxs: Iterable[Pbx],
        received_on: Callable[[], str] = str,
    ) -> None:
        self._networks: list[tuple[_Network, Peer]] = []
        # Asked only where a trunk names our address: two carriers may use the same private network.
        self._received_on = received_on
        self._receivers: dict[Peer, str] = {}
        for carrier in carriers.values():
            for trunk in carrier.trunks:
                peer = Peer(Side.CARRIER, carrier.name, trunk.name)
                self._add(trunk.networks, peer)
                if trunk.receives_on:
                    self._receivers[peer] = trunk.receives_on
        # Called there, but what comes from there has yet to prove itself.
        self._called: set[str] = set()
        for pbx in pbxs:
            hosts = [address.host.strip("[]") for address in pbx.addresses]
            if pbx.profile.trust is Trust.ADDRESS:
                self._add([*pbx.sources, *hosts], Peer(Side.PBX, pbx.name))
            else:
                self._called.update(hosts)
        # The narrowest network wins: a PBX may live inside a network that a carrier's trunk covers.
        self._networks.sort(key=lambda pair: -pair[0].prefixlen)
        self._known: dict[str, Peer | None] = {}
        self._anybody: dict[str, bool] = {}

    def _add(self, sources: Iterable[str], peer: Peer) -> None:
        for source in sources:
            try:
                self._networks.append((ipaddress.ip_network(source, strict=False), peer))
            except ValueError:
                # a DNS name: it is resolved outside and published as sources, never looked up here
                continue

    def find(self, address: str) -> Peer | None:
        """The neighbour at this address, or None."""
        us = self._received_on() if self._receivers else ""
        try:
            return self._known[address + us]
        except KeyError:
            pass
        peer = self._found(address, us)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[address + us] = peer
        return peer

    def knows(self, address: str) -> bool:
        """Whether anybody we know lives at this address, whichever of ours they call."""
        try:
            return self._anybody[address]
        except KeyError:
            pass
        known = self._found(address, None) is not None or address in self._called
        if len(self._anybody) >= REMEMBERED:
            self._anybody.clear()
        self._anybody[address] = known
        return known

    def is_carrier(self, address: str) -> bool:
        """Whether a carrier's calls come from this address, to whichever of ours."""
        peer = self._found(address, None)
        return peer is not None and peer.side is Side.CARRIER

    def _found(self, address: str, us: str | None) -> Peer | None:
        try:
            ip = ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            return None  # a host name: we know nobody by name
        for network, peer in self._networks:
            if ip in network and (us is None or self._receivers.get(peer, us) == us):
                return peer
        return None
