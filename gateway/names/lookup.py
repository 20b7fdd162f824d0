"""Asks DNS where one SIP address leads, as RFC 3263 (section 4.2) and RFC 2782 say; it remembers
nothing.

All our own addresses are IPv4, so AAAA records would lead nowhere and are not asked for.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
from dns.rdatatype import RdataType

from number_registry.model import Address, Transport
from number_registry.names import TLS_PORT, Asked, Target

# RFC 3263, section 4.1: which record speaks of which transport.
_SERVICES = {Transport.UDP: "_sip._udp", Transport.TCP: "_sip._tcp", Transport.TLS: "_sips._tcp"}
# RFC 2606: nobody is asked for names that stand in manuals, and in the demo company.
ON_PAPER = frozenset({"example", "invalid"})
MOST = 32  # targets of one name: more are a mistake, or an attack


class UnresolvedError(Exception):
    """DNS gave nothing that can be used; says why."""


class Found(NamedTuple):
    """Where a name leads, and for how many seconds that is true."""

    targets: tuple[Target, ...]
    ttl: int


class Lookup:
    """``servers``: ``host`` or ``host:port``; none: those of /etc/resolv.conf. ``within``: seconds
    for each question. ``ours``: addresses that no name may lead to, because they are our own.
    """

    def __init__(self, servers: Sequence[str], within: float, ours: Iterable[str] = ()) -> None:
        self._within = within
        self._ours = frozenset(ours)
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = [_server(text) for text in servers]
        self._resolver.lifetime = within
        self._resolver.timeout = max(within / 2, 0.2)  # a second server gets its turn
        self._resolver.cache = None  # the time to live is kept by the caller

    async def ask(self, asked: Asked) -> Found:
        """Raises UnresolvedError for whatever keeps it from an answer."""
        if asked.host.rpartition(".")[2] in ON_PAPER:
            raise UnresolvedError("names like this exist on paper only")
        if asked.port:
            hosts, ttl = await self._addresses(asked.host)
            return _found([(host, asked.port, 0, 0) for host in hosts], asked.transport, ttl)
        records, ttl = await self._records(f"{_SERVICES[asked.transport]}.{asked.host}")
        if not records:
            port = TLS_PORT if asked.transport is Transport.TLS else 5060
            hosts, ttl = await self._addresses(asked.host)
            return _found([(host, port, 0, 0) for host in hosts], asked.transport, ttl)
        names = {name for name, *_ in records}
        told = await asyncio.gather(*map(self._addresses, names), return_exceptions=True)
        places = {}
        for name, said in zip(names, told, strict=True):
            if isinstance(said, UnresolvedError):
                places[name] = ([], 0)  # the other targets still count
            elif isinstance(said, BaseException):
                raise said
            else:
                places[name] = said
        least = min([ttl, *(lives for hosts, lives in places.values() if hosts)])
        found = [
            (host, port, priority, weight)
            for name, port, priority, weight in records
            for host in places[name][0]
        ]
        if not found:
            raise UnresolvedError(f"none of {', '.join(sorted(names))} has an address")
        return _found(found, asked.transport, least)

    async def _records(self, name: str) -> tuple[list[tuple[str, int, int, int]], int]:
        """SRV records: (target, port, priority, weight). None where there are no such records."""
        answer = await self._asked(name, RdataType.SRV)
        if answer is None:
            return [], 0
        records = [
            (one.target.to_text(omit_final_dot=True).lower(), one.port, one.priority, one.weight)
            for one in answer
        ]
        if [record[0] for record in records] in (["."], [""], ["@"]):
            raise UnresolvedError(f"{name} says that there is no such service")
        return records[:MOST], answer.rrset.ttl if answer.rrset else 0

    async def _addresses(self, host: str) -> tuple[list[str], int]:
        answer = await self._asked(host, RdataType.A)
        if answer is None:
            raise UnresolvedError(f"{host} has no IPv4 address")
        usable = sorted({one.address for one in answer if self._usable(one.address)})
        if not usable:
            raise UnresolvedError(f"{host} leads to no address that can be called")
        return usable[:MOST], answer.rrset.ttl if answer.rrset else 0

    def _usable(self, text: str) -> bool:
        ip = ipaddress.ip_address(text)
        odd = ip.is_unspecified or ip.is_multicast or ip == ipaddress.ip_address("255.255.255.255")
        return not odd and text not in self._ours

    async def _asked(self, name: str, kind: RdataType) -> dns.resolver.Answer | None:
        """None where DNS says for certain that there is nothing."""
        try:
            return await self._resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except dns.exception.Timeout as error:
            raise UnresolvedError(f"no answer within {self._within:g} s for {name}") from error
        except (dns.exception.DNSException, OSError) as error:
            raise UnresolvedError(f"{name}: {error or type(error).__name__}") from error


def _found(places: list[tuple[str, int, int, int]], transport: Transport, ttl: int) -> Found:
    told = {
        Address(host, port, transport).uri: (priority, weight)
        for host, port, priority, weight in sorted(places, reverse=True)
    }
    targets = (Target(uri, priority, weight) for uri, (priority, weight) in told.items())
    return Found(tuple(sorted(targets, key=lambda one: (one.priority, one.uri))), ttl)


def _server(text: str) -> dns.nameserver.Nameserver:
    host, _, port = text.partition(":")
    return dns.nameserver.Do53Nameserver(host, int(port or 53))
