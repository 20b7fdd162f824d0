"""What each section of portgate.toml may hold, one value for each; it reads no file.

Each checks itself when it is built and raises ValueError with the name of the field.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

import msgspec

from gateway.network.declared import HandOff
from number_registry.errors import BadValueError
from number_registry.model import Address

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
PortOrNone = Annotated[int, msgspec.Meta(ge=0, le=65535)]


def _check_address(field: str, value: str, *, empty: bool = False) -> None:
    if empty and not value:
        return
    try:
        address = ipaddress.ip_address(value)
    except ValueError as error:
        raise ValueError(f"`{field}` must be an IP address, not `{value}`") from error
    if address.version != 4:
        raise ValueError(f"`{field}` must be an IPv4 address, not `{value}`")


class Sip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where Kamailio listens, and the name it gives others behind NAT.

    ``tls_port`` 0: no TLS. Without certificate and key a self-signed one is made. ``tls_verify``:
    whom we call over TLS must show a certificate of an authority in ``tls_authorities`` (PEM).
    """

    address: str = "127.0.0.1"
    port: Port = 5060
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    advertised_address: str = ""
    tcp: bool = True
    tls_port: PortOrNone = 0
    tls_certificate: str = ""
    tls_key: str = ""
    tls_authorities: str = "/etc/ssl/certs/ca-certificates.crt"
    tls_verify: bool = True

    def __post_init__(self) -> None:
        _check_address("address", self.address)
        if not re.fullmatch(r"[A-Za-z0-9.-]*", self.advertised_address):
            raise ValueError("`advertised_address` must be an address or a host name")
        self._check_tls()

    def _check_tls(self) -> None:
        for field in ("tls_certificate", "tls_key", "tls_authorities"):
            # these end up in the services' configuration
            if not re.fullmatch(r"(/[\w./+@=-]+)?", getattr(self, field)):
                raise ValueError(f"`{field}` must be the full path of a file, of plain characters")
        if bool(self.tls_certificate) != bool(self.tls_key):
            field = "tls_key" if self.tls_certificate else "tls_certificate"
            raise ValueError(f"`{field}` is needed beside its other half")
        if self.tls_port == self.port and self.tcp:
            raise ValueError("`tls_port` and port are the same, and both are TCP")


class Media(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where rtpengine relays audio. ``announced_in``: the languages of the announcements that are
    made where there are none.
    """

    relay: bool = True
    address: str = "127.0.0.1"
    advertised_address: str = ""
    timeout_s: Annotated[int, msgspec.Meta(ge=5, le=86400)] = 60
    announced_in: tuple[Literal["ru", "en"], ...] = ("ru", "en")

    def __post_init__(self) -> None:
        _check_address("address", self.address)
        _check_address("advertised_address", self.advertised_address, empty=True)


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the HTTP API and pages listen."""

    address: str = "127.0.0.1"
    port: Port = 8080

    def __post_init__(self) -> None:
        _check_address("address", self.address)


class Calls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a single call: seconds, and milliseconds where the name says so."""

    longest_s: Annotated[int, msgspec.Meta(ge=1, le=604800)] = 14400
    no_answer_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 120
    agent_rings_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 20
    silent_trunk_ms: Annotated[int, msgspec.Meta(ge=100, le=60000)] = 4000


class Masking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which calls hide each side from the other: those by a deal and with a SIM of ours in any
    case; ``outside``: every call that leaves to the phone network too; ``all``: every call.
    """

    calls: Literal["deals", "outside", "all"] = "deals"


class TrunkOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """This installation's own addresses of one trunk; empty keeps what the adapter says.

    ``receives_on`` and ``media_on``: ours, for its calls and its audio.
    """

    sources: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    receives_on: str = ""
    media_on: str = ""

    def __post_init__(self) -> None:
        for source in self.sources:
            try:
                ipaddress.ip_network(source)
            except ValueError as error:
                raise ValueError(f"`sources` holds `{source}`: {error}") from error
        for proxy in self.proxies:
            try:
                Address.parse(proxy)
            except BadValueError as error:
                raise ValueError(f"`proxies` holds {error}") from error
        for field in ("receives_on", "media_on"):
            _check_address(field, getattr(self, field), empty=True)


class Carriers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where adapters lie, and addresses that replace theirs: overrides[carrier][trunk]."""

    folder: str = ""
    overrides: dict[str, dict[str, TrunkOverride]] = {}


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How carriers' and PBXs' gateways are asked whether they are there. Seconds."""

    enabled: bool = True
    interval_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 1.0
    answer_s: Annotated[float, msgspec.Meta(ge=0.1, le=30)] = 1.0


class Dns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How host names of gateways are resolved. ``servers``: ``host[:port]``; none: the machine's
    own. Seconds: patience with a question, bounds to an answer's life, next try after a failure.
    """

    servers: tuple[str, ...] = ()
    answer_s: Annotated[float, msgspec.Meta(ge=0.1, le=30)] = 2.0
    shortest_s: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 10.0
    longest_s: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 3600.0
    again_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 10.0

    def __post_init__(self) -> None:
        for server in self.servers:
            host, colon, port = server.partition(":")
            _check_address("servers", host)
            if colon and not (port.isdecimal() and 0 < int(port) < 65536):
                raise ValueError(f"`servers` holds `{server}`: write 192.0.2.53 or 192.0.2.53:5353")
        if self.shortest_s > self.longest_s:
            raise ValueError("`shortest_s` is more than longest_s")


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How carriers are handed to us: hand_offs[carrier][trunk]."""

    hand_offs: dict[str, dict[str, HandOff]] = {}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything an operator may set."""

    sip: Sip = Sip()
    media: Media = Media()
    api: Api = Api()
    calls: Calls = Calls()
    masking: Masking = Masking()
    carriers: Carriers = Carriers()
    health: Health = Health()
    dns: Dns = Dns()
    network: Network = Network()
