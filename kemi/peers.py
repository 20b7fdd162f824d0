"""Who is it? Finds the known neighbour by the address a message came from; an unknown address is
nobody.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from carrier_adapters.contract import Carrier
from number_registry.call import Peer, Side
from number_registry.model import Pbx

REMEMBERED = 4096  # addresses, known or not: a flood from many addresses must not fill the memory

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Peers:
    """Built anew when the carriers or the directory change. Carriers come first; then PBXs by their
    sources.
    """

    def __init__(self, carriers: Mapping[str, Carrier], pbxs: Iterable[Pbx]) -> None:
        self._networks: list[tuple[_Network, Peer]] = []
        for carrier in carriers.values():
            for trunk in carrier.trunks:
                self._add(trunk.sources, Peer(Side.CARRIER, carrier.name, trunk.name))
        for pbx in pbxs:
            hosts = [address.host.strip("[]") for address in pbx.addresses]
            self._add([*pbx.sources, *hosts], Peer(Side.PBX, pbx.name))
        # The narrowest network wins: a PBX may live inside a network that a carrier's trunk covers.
        self._networks.sort(key=lambda pair: -pair[0].prefixlen)
        self._known: dict[str, Peer | None] = {}

    def _add(self, sources: Iterable[str], peer: Peer) -> None:
        for source in sources:
            try:
                self._networks.append((ipaddress.ip_network(source, strict=False), peer))
            except ValueError:
                # a DNS name: it is resolved outside and published as sources, never looked up here
                continue

    def find(self, address: str) -> Peer | None:
        """The neighbour at this address, or None."""
        try:
            return self._known[address]
        except KeyError:
            pass
        try:
            ip = ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            return None  # a host name, where somebody names the next hop: we know none by name
        peer = next((peer for network, peer in self._networks if ip in network), None)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[address] = peer
        return peer
