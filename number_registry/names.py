"""What host names of gateways lead to, as the daemon says in a file beside the snapshot; pure, and
asks no DNS.

Whoever holds a SIP address that may name its host, a gateway's, a PBX's or a registrar's, asks
`addresses(names, uri, seed)` and gets what to try, in order, without waiting for anybody.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from number_registry.errors import CacheCorruptError, RefuseError
from number_registry.model import Address, Transport

FILE = "names.json"
VERSION = 1
TLS_PORT = 5061  # RFC 3261, section 19.1.2
_PORT = re.compile(r":\d+\Z")


class Asked(NamedTuple):
    """An address as far as DNS is concerned. ``port`` 0: none was written, so SRV says which."""

    host: str
    port: int
    transport: Transport

    @property
    def key(self) -> str:
        """Its name in the file."""
        port = f":{self.port}" if self.port else ""
        return f"sip:{self.host}{port};transport={self.transport.value}"


class Target(NamedTuple):
    """One place that a name leads to: lower priority first, then by weight (RFC 2782)."""

    uri: str
    priority: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS last said of a name. Seconds since 1970: ``at`` it said so, ``expires`` its time to
    live is over; ``failing``: since when it has not answered anew (0: it has), and ``why``.
    ``past``: hosts that it led to before, and until when a call may still be with them.
    """

    targets: tuple[Target, ...] = ()
    at: float = 0.0
    expires: float = 0.0
    failing: float = 0.0
    why: str = ""
    past: tuple[tuple[str, float], ...] = ()


Names = Mapping[str, Answer]
NO_NAMES: Names = MappingProxyType({})


def is_literal(host: str) -> bool:
    """Whether a host is an address, so that nobody has to be asked."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def asked(uri: str) -> Asked | None:
    """What to ask DNS for ``sip:host[:port][;transport=..]``; None where its host is an address.

    Raises BadValueError for what is no such address.
    """
    address = Address.parse(uri)
    if is_literal(address.host):
        return None
    port = address.port if _written_port(uri) else 0
    return Asked(address.host.lower().rstrip("."), port, address.transport)


def _written_port(uri: str) -> bool:
    return bool(_PORT.search(uri.strip().partition(";")[0].partition(":")[2]))


def targets(names: Names, uri: str) -> tuple[Target, ...]:
    """Where it leads, by priority; none where DNS has never said."""
    question = asked(uri)
    if question is None:
        address = Address.parse(uri)
        if address.transport is Transport.TLS and not _written_port(uri):
            address = replace(address, port=TLS_PORT)
        return (Target(address.uri),)
    answer = names.get(question.key)
    return answer.targets if answer else ()


def addresses(names: Names, uri: str, seed: str = "") -> tuple[Address, ...]:
    """Where it leads, in the order to try. ``seed``: of what is tried, for instance a Call-ID;
    those of one priority share seeds by weight (RFC 2782).
    """
    found = targets(names, uri)
    if len(found) > 1:
        shares = weights(found)
        ranked = sorted(
            zip(found, shares, strict=True),
            key=lambda pair: (pair[0].priority, turn(seed, pair[0].uri, pair[1])),
        )
        found = tuple(target for target, _ in ranked)
    return tuple(Address.parse(target.uri) for target in found)


def ranked(names: Names, uri: str, priority: int) -> tuple[Address, ...]:
    """Where a PBX's address leads, each with the priority that the address has among others."""
    return tuple(replace(one, priority=priority) for one in addresses(names, uri))


def weights(found: tuple[Target, ...]) -> tuple[int, ...]:
    """Weights that are never 0, which RFC 2782 wants chosen very seldom beside others."""
    if not any(target.weight for target in found):
        return (1,) * len(found)
    return tuple(target.weight * 1000 or 1 for target in found)


def turn(seed: str, uri: str, weight: int) -> float:
    """A draw whose smallest falls on each in proportion to its weight (Efraimidis and Spirakis):
    exponential with that rate, drawn from a hash instead of a dice.
    """
    drawn = blake2b(f"{seed}\0{uri}".encode("utf-8", "surrogatepass"), digest_size=7).digest()
    return -math.log((int.from_bytes(drawn) + 1) / (1 << 56)) / weight


def file_bytes(names: Names) -> bytes:
    """The file."""
    told = {
        key: {
            "targets": [list(target) for target in answer.targets],
            "at": round(answer.at, 3),
            "expires": round(answer.expires, 3),
            "failing": round(answer.failing, 3),
            "why": answer.why,
            "past": [[host, round(until, 3)] for host, until in answer.past],
        }
        for key, answer in sorted(names.items())
    }
    return json.dumps({"version": VERSION, "names": told}, indent=1).encode("ascii")


def read_file(blob: bytes) -> dict[str, Answer]:
    """What the file says. Raises CacheCorruptError for one that `file_bytes` did not write."""
    try:
        told = json.loads(blob)
        if told["version"] != VERSION:
            raise CacheCorruptError(f"names: version {told['version']}")
        return {
            str(key): Answer(
                tuple(Target(_checked(uri), int(low), int(share)) for uri, low, share
                      in said["targets"]),
                float(said["at"]), float(said["expires"]), float(said["failing"]),
                str(said["why"]),
                tuple((str(host), float(until)) for host, until in said["past"]),
            )
            for key, said in told["names"].items()
        }  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RefuseError) as error:
        raise CacheCorruptError(f"names: {type(error).__name__}: {error}") from error


def _checked(uri: str) -> str:
    """A target is an address: a name in its place would be looked up while a call waits."""
    address = Address.parse(uri)
    if not is_literal(address.host):
        raise ValueError(f"{uri!r} is no address")
    return address.uri


def hosts_before(names: Names) -> frozenset[str]:
    """Hosts that calls in progress may be with, although no name leads there any more."""
    return frozenset(host for answer in names.values() for host, _ in answer.past)


def same_places(one: Names, two: Names) -> bool:
    """Whether both lead to the same places, however old they are."""
    return {key: said.targets for key, said in one.items()} == {
        key: said.targets for key, said in two.items()
    }
