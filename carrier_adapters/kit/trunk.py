"""A carrier's hand-off as values: gateways, trust, limits; checked when built, opens nothing and
asks no DNS.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from number_registry.errors import BadValueError
from number_registry.model import Address, Transport
from number_registry.names import TLS_PORT, Names, is_literal, targets, turn, weights

DIRECTIONS = ("both", "in", "out")
SERVES = ("numbers", "sims")
# Names of RTP payloads that carriers use (RFC 3551, section 6; RFC 4733; RFC 7587).
CODECS = ("PCMA", "PCMU", "G722", "G729", "GSM", "AMR", "AMR-WB", "opus", "telephone-event")
# What every carrier takes; a trunk that names nothing else asks nothing of the media relay.
USUAL_CODECS = ("PCMA", "PCMU", "telephone-event")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_SECRET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
                        r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")  # fmt: skip


class FieldError(BadValueError):
    """A declared field that cannot be used; ``field`` says which, ``mend`` how to write it."""

    def __init__(self, field: str, problem: str, mend: str = "") -> None:
        self.field, self.problem, self.mend = field, problem, mend
        super().__init__(f"{field}: {problem}")


@dataclass(frozen=True, slots=True)
class ByAddress:
    """Trusted by the network that calls come from, both ways."""

    kind = "address"


@dataclass(frozen=True, slots=True)
class Digest:
    """They challenge our INVITE (RFC 3261, section 22). ``secret`` is the *name* of a secret, which
    lives outside the repository.
    """

    user: str
    secret: str
    realm: str = ""  # empty: whichever they ask for
    kind = "digest"

    def __post_init__(self) -> None:
        _refuse_credentials(self.user, self.secret, self.realm)


@dataclass(frozen=True, slots=True)
class Registration:
    """We register with them and are called where we registered (RFC 3261, section 10); INVITEs are
    challenged too.

    ``registrar``: ``sip:host[:port][;transport=..]``. ``expires_s``: what we ask for, in seconds.
    """

    user: str
    secret: str
    registrar: str
    realm: str = ""
    expires_s: int = 600
    kind = "register"

    def __post_init__(self) -> None:
        _refuse_credentials(self.user, self.secret, self.realm)
        if not 60 <= self.expires_s <= 86400:
            raise FieldError("auth.expires_s", f"{self.expires_s!r} is not 60 to 86400 seconds")
        Gateway(self.registrar)


Auth = ByAddress | Digest | Registration


@dataclass(frozen=True, slots=True)
class Gateway:
    """One address of a carrier's equipment.

    ``uri``: ``sip:host[:port][;transport=udp|tcp|tls]``; a host that is a name is resolved by the
    daemon, by SRV where it has no port (RFC 3263, section 4.2), and never during a call.
    ``direction``: ``in`` only sends us calls, ``out`` only takes them. Lower ``priority`` is tried
    first; gateways of one priority share new calls by ``weight`` (RFC 2782).
    """

    uri: str
    direction: str = "both"
    priority: int = 0
    weight: int = 1
    address: Address = field(init=False)
    literal: bool = field(init=False)  # the host is an address, so calls may use it as it is
    srv: bool = field(init=False)

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise FieldError(
                "gateways", f"{self.direction!r} is no direction", f"one of {DIRECTIONS}"
            )
        if not isinstance(self.priority, int) or self.priority < 0:
            raise FieldError("gateways", f"priority {self.priority!r} is not 0 or more")
        if not isinstance(self.weight, int) or self.weight < 1:
            raise FieldError("gateways", f"weight {self.weight!r} is not 1 or more")
        address = Address.parse(self.uri, self.priority)
        has_port = bool(re.search(r":\d+$", self.uri.partition(";")[0].partition(":")[2]))
        if address.transport is Transport.TLS and not has_port:
            address = replace(address, port=TLS_PORT)
        literal = is_literal(address.host)
        if not literal and not _HOST_NAME.fullmatch(address.host):
            raise BadValueError(f"{self.uri!r}: {address.host!r} is neither an address nor a name")
        object.__setattr__(self, "address", address)
        object.__setattr__(self, "literal", literal)
        object.__setattr__(self, "srv", not literal and not has_port)


@dataclass(frozen=True, slots=True)
class Trunk:
    """One hand-off of a carrier: where its calls come from, where ours go, and within which limits.

    ``sources``: networks its calls come from. ``proxies``: where our calls go, in the order to try.
    ``gateways``: the same with direction, priority and weight. ``area_code``: completes short local
    numbers. ``receives_on``: our address that it calls, and is called from; a source is the pair of
    both, so that two carriers may use the same private network. ``media_on``: our address for its
    audio, where that is another one. ``serves``: ``numbers``, or ``sims`` where it hands
    us every call that our own SIMs make, with the dialled digits untouched. ``codecs``: what our
    calls offer it, transcoded where the other side has none of them; USUAL_CODECS ask for nothing.
    ``channels``, ``calls_per_second``: what it allows at once, 0 = nothing agreed.

    Made of these: ``networks``, all networks that calls come from; ``addresses``, what our calls
    can be sent to as it is, in the order of priority; ``weights``, beside them; ``names``, hosts
    that are not in ``addresses`` because they have to be resolved first.
    """

    name: str
    sources: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    area_code: str = ""
    gateways: tuple[Gateway, ...] = ()
    receives_on: str = ""
    media_on: str = ""
    auth: Auth = ByAddress()
    codecs: tuple[str, ...] = USUAL_CODECS
    channels: int = 0
    calls_per_second: int = 0
    serves: str = "numbers"
    networks: tuple[str, ...] = field(init=False, default=())
    addresses: tuple[Address, ...] = field(init=False, default=())
    weights: tuple[int, ...] = field(init=False, default=())
    names: tuple[str, ...] = field(init=False, default=())
    shared: bool = field(init=False, default=False)  # two gateways have the same priority

    def __post_init__(self) -> None:
        try:
            self._refuse()
            every = self.all_gateways()
        except FieldError as error:
            raise FieldError(
                f"trunk {self.name}: {error.field}", error.problem, error.mend
            ) from None
        except BadValueError as error:
            raise FieldError(f"trunk {self.name}: proxies or gateways", str(error)) from None
        ours = sorted(
            (gateway for gateway in every if gateway.literal and gateway.direction != "in"),
            key=lambda gateway: gateway.priority,
        )
        self._set("networks", tuple(dict.fromkeys([*self.sources, *_more_sources(self)])))
        self._set("addresses", tuple(self._from_ours(gateway.address) for gateway in ours))
        self._set("weights", tuple(gateway.weight for gateway in ours))
        self._set("shared", len({gateway.priority for gateway in ours}) < len(ours))
        named = (gateway.address.host for gateway in every if not gateway.literal)
        self._set("names", tuple(dict.fromkeys(named)))

    def _from_ours(self, address: Address) -> Address:
        return replace(address, source=self.receives_on) if self.receives_on else address

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _refuse(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise FieldError("name", f"{self.name!r} is not small letters, digits, - and _")
        for tuple_field in ("sources", "proxies", "gateways", "codecs"):
            if not isinstance(getattr(self, tuple_field), tuple):
                raise FieldError(tuple_field, "is not a tuple", f'{tuple_field} = ("..",)')
        _refuse_networks(self.sources)
        if not isinstance(self.area_code, str) or not re.fullmatch("[0-9]{0,8}", self.area_code):
            raise FieldError("area_code", f"{self.area_code!r} is not a string of digits")
        for field_of_ours in ("receives_on", "media_on"):
            value = getattr(self, field_of_ours)
            if value and not is_literal(value):
                raise FieldError(field_of_ours, f"{value!r} is not an address of ours")
        for codec in self.codecs:
            if codec not in CODECS:
                raise FieldError("codecs", f"{codec!r} is not known", f"known: {', '.join(CODECS)}")
        for limit in ("channels", "calls_per_second"):
            value = getattr(self, limit)
            if not isinstance(value, int) or value < 0:
                raise FieldError(limit, f"{value!r} is not a whole number, 0 or more")
        if self.serves not in SERVES:
            raise FieldError("serves", f"{self.serves!r} is none of {', '.join(SERVES)}")
        if not isinstance(self.auth, ByAddress | Digest | Registration):
            raise FieldError("auth", f"{self.auth!r} is none of ByAddress, Digest, Registration")

    def all_gateways(self) -> tuple[Gateway, ...]:
        """Proxies and gateways alike; a proxy is an out-only gateway whose priority is its
        place.
        """
        proxies = (Gateway(uri, "out", place) for place, uri in enumerate(self.proxies))
        return (*proxies, *self.gateways)

    def in_order(self, seed: str) -> tuple[Address, ...]:
        """The addresses in the order to try for one new call; ``seed`` is of the call, for instance
        its Call-ID, so that the same call has the same order.
        """
        if not self.shared:
            return self.addresses
        pairs = zip(self.addresses, self.weights, strict=True)
        ranked = sorted(
            pairs, key=lambda pair: (pair[0].priority, turn(seed, pair[0].uri, pair[1]))
        )
        return tuple(address for address, _ in ranked)

    def resolved(self, names: Names) -> Trunk:
        """The trunk with names replaced by where they lead; a name without an answer stays one.

        The order within a name's answer counts within the priority that its gateway has here.
        """
        told = [
            (gateway.priority, priority, one)
            for gateway in self.all_gateways()
            for priority, one in _led(gateway, names)
        ]
        steps = sorted({(outer, inner) for outer, inner, _ in told})
        place = {step: number for number, step in enumerate(steps)}
        if all(inner == 0 for _, inner in steps):
            place = {step: step[0] for step in steps}  # as it is written
        gateways = (replace(one, priority=place[outer, inner]) for outer, inner, one in told)
        return replace(self, proxies=(), gateways=tuple(gateways))


def _led(gateway: Gateway, names: Names) -> Iterable[tuple[int, Gateway]]:
    found = () if gateway.literal else targets(names, gateway.uri)
    if not found:
        return [(0, gateway)]
    lowest, shares = min(target.priority for target in found), weights(found)
    return [
        (target.priority - lowest, replace(gateway, uri=target.uri, weight=gateway.weight * share))
        for target, share in zip(found, shares, strict=True)
    ]


def _refuse_networks(sources: Iterable[str]) -> None:
    for source in sources:
        try:
            ipaddress.ip_network(source)
        except (ValueError, TypeError) as error:
            raise FieldError("sources", str(error), 'for instance "192.0.2.0/29"') from None


def _more_sources(trunk: Trunk) -> list[str]:
    """Gateways that send us calls from outside every network of ``sources``."""
    networks = [ipaddress.ip_network(source) for source in trunk.sources]
    sending = [one for one in trunk.gateways if one.literal and one.direction != "out"]
    hosts = [ipaddress.ip_address(one.address.host.strip("[]")) for one in sending]
    return [
        str(ipaddress.ip_network(host))
        for host in hosts
        if not any(host in network for network in networks)
    ]


def _refuse_credentials(user: str, secret: str, realm: str) -> None:
    if not user or re.search(r'[\x00-\x20"\\<>@]', user + realm):
        raise FieldError("auth.user", f"{user!r} or the realm {realm!r} cannot stand in a header")
    if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
        # Never repeated: somebody may have written the secret itself.
        raise FieldError(
            "auth.secret", "is not the name of a secret", "small letters, digits and _"
        )
