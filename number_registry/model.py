"""The nouns of the registry as values that cannot be built wrong: states, addresses, PBXs, people;
no storage, no routing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from number_registry.e164 import E164
from number_registry.errors import BadValueError, StateMoveError
from number_registry.pbx_profile import Profile, Trust


class State(IntEnum):
    """State of a tenancy (a number under one contract). The integers are stored in the snapshot:
    never renumber.
    """

    RESERVED = 1
    PORTING_IN = 2
    IN_SERVICE = 3
    SUSPENDED = 4
    PORTING_OUT = 5
    RELEASED = 6
    COOLING = 7

    label: str

    def __init__(self, value: int) -> None:
        # An attribute, not a property: it is read for every call. The spelling of SQL, JSON and
        # pages: ``in_service``.
        self.label = self._name_.lower()


ALLOWED_MOVES: dict[State, frozenset[State]] = {
    State.RESERVED: frozenset({State.PORTING_IN, State.IN_SERVICE}),
    State.PORTING_IN: frozenset({State.IN_SERVICE, State.RESERVED}),
    State.IN_SERVICE: frozenset({State.SUSPENDED, State.PORTING_OUT, State.RELEASED}),
    State.SUSPENDED: frozenset({State.IN_SERVICE, State.RELEASED}),
    State.PORTING_OUT: frozenset({State.RELEASED, State.IN_SERVICE}),
    State.RELEASED: frozenset({State.COOLING}),
    State.COOLING: frozenset({State.RESERVED}),
}

# While a number moves, calls may arrive from either carrier for hours.
ANSWERED_STATES = frozenset({State.PORTING_IN, State.IN_SERVICE, State.PORTING_OUT})
# A number may be shown only through a carrier that still (or already) vouches for it.
SHOWABLE_STATES = frozenset({State.IN_SERVICE, State.PORTING_OUT})


def move(old: State, new: State) -> State:
    """The new state, or StateMoveError where this edge does not exist."""
    if new not in ALLOWED_MOVES[old]:
        raise StateMoveError(f"a number that is {old.label} cannot become {new.label}")
    return new


class Scenario(IntEnum):
    """What the PBX does with a call to the number: its voice menu, or straight to the operators."""

    SCRIPT = 0
    DIRECT = 1

    label: str

    def __init__(self, value: int) -> None:
        self.label = self._name_.lower()


class Transport(StrEnum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_TRANSPORTS = frozenset(transport.value for transport in Transport)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a PBX or a carrier's gateway listens. Lower priority is tried first.

    ``target``: of one that has registered, the URI it wants to be called by, without its scheme,
    and without the user that the called number takes the place of. ``source``: the address of ours
    that it is called from, where that is not the first one. ``uri``:
    ``sip:192.0.2.18:5060;transport=udp``, as Kamailio wants a next hop; ``source`` stands in it,
    for two carriers may have gateways at the same private address. ``where``: what follows the @ in
    a Request-URI sent there, or all of it where it holds an @; both are made once, because every
    call needs them.
    """

    host: str
    port: int = 5060
    transport: Transport = Transport.UDP
    priority: int = 0
    target: str = ""
    source: str = ""
    uri: str = field(init=False, compare=False, repr=False, default="")
    where: str = field(init=False, compare=False, repr=False, default="")

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise BadValueError(f"port {self.port} is not between 1 and 65535")
        if not self.host or any(c in self.host for c in " \t\r\n;<>@\"'?,"):
            raise BadValueError(f"{self.host!r} is not a host")
        host, transport = f"{self.host}:{self.port}", f";transport={self.transport.value}"
        source = f";source={self.source}" if self.source else ""
        object.__setattr__(self, "uri", f"sip:{host}{transport}{source}")
        where = host if self.transport is Transport.UDP else host + transport
        where = self.target or where
        object.__setattr__(self, "where", where)

    @property
    def text(self) -> str:
        """All of it without a comma or a bar; `of_text` reads it back."""
        return f"{self.uri};target={self.target.encode().hex()}" if self.target else self.uri

    @classmethod
    def of_text(cls, text: str) -> Address:
        """What `text` gave."""
        uri, _, target = text.partition(";target=")
        address = cls.parse(uri)
        return replace(address, target=bytes.fromhex(target).decode()) if target else address

    @classmethod
    def parse(cls, uri: str, priority: int = 0) -> Address:
        """Read ``sip:host[:port][;transport=udp|tcp|tls]``; raises BadValueError with the part that
        is wrong.
        """
        scheme, _, rest = uri.strip().partition(":")
        if scheme.lower() != "sip" or not rest or "@" in rest:
            raise BadValueError(f"{uri!r} is not a SIP address: sip:host:port is expected")
        where, *params = rest.split(";")
        host, port = _host_and_port(where, uri)
        transport, source = Transport.UDP, ""
        for param in params:
            name, _, value = param.partition("=")
            if name == "source" and _IPV4.fullmatch(value):
                source = value
                continue
            if name.lower() != "transport" or value.lower() not in _TRANSPORTS:
                raise BadValueError(
                    f"{uri!r}: {param!r} is not understood; only transport=udp|tcp|tls is"
                )
            transport = Transport(value.lower())
        return cls(host, port, transport, priority, source=source)


def _host_and_port(where: str, uri: str) -> tuple[str, int]:
    """Split ``host:port``, with IPv6 in brackets (RFC 3261, section 25.1 hostport)."""
    if where.startswith("["):
        host, bracket, after = where.partition("]")
        host, port = host + bracket, after.removeprefix(":")
    else:
        host, _, port = where.partition(":")
    if port and not port.isdecimal():
        raise BadValueError(f"{uri!r}: {port!r} is not a port")
    return host, int(port) if port else 5060


_ORDINARY = Profile()


class PbxState(StrEnum):
    IN_SERVICE = "in_service"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Account:
    """By what a PBX proves who it is (RFC 7616): its name, and the digests of name, realm and
    password by MD5 and by SHA-256, in hex. The password itself is stored nowhere.
    """

    user: str
    realm: str
    md5: str = field(repr=False)
    sha256: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pbx:
    """A PBX that answers for numbers today: its addresses in the order to try, and the networks its
    calls come from. ``account``: by which it is known, where it is not by its networks.
    """

    name: str
    addresses: tuple[Address, ...]
    sources: tuple[str, ...] = ()
    state: PbxState = PbxState.IN_SERVICE
    profile: Profile = _ORDINARY
    account: Account | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "addresses", tuple(sorted(self.addresses, key=lambda address: address.priority))
        )

    @property
    def registers(self) -> bool:
        """Whether its calls go where it has registered from."""
        return self.profile.trust is Trust.REGISTER


@dataclass(frozen=True, slots=True)
class Site:
    """Where an extension physically is: its emergency calls leave by this carrier and show this
    call-back number.
    """

    name: str
    carrier: str
    callback: E164


@dataclass(frozen=True, slots=True)
class Person:
    """Who sits behind an extension, and the number that others see when they call out.

    ``mobile``: the SIM of ours in their own phone, and ``mobile_carrier`` its operator's name. From
    their role: ``dials_outside``, "allowed" or "deals_only"; ``shows``, "own" (their number) or
    "city" (that of their department); ``rung_by``, the roles whose people may ring them, or
    "anyone" for all of ours. A deal may always; whoever is outside reaches operators.
    """

    extension: str
    name: str
    role: str
    shown: E164 | None
    site: str
    pbx: str
    mobile: E164 | None = None
    mobile_carrier: str = ""
    dials_outside: str = "allowed"
    shows: str = "own"
    rung_by: tuple[str, ...] = ("anyone",)
