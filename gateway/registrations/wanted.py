"""Which registrations the carriers' files at work want, and why one of them cannot be had; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from carrier_adapters.contract import Carrier, Gateway, Registration, Trunk
from gateway.registrations.records import Record
from number_registry.model import Address, Transport
from number_registry.names import Names, addresses

_PLAIN = re.compile(r"[A-Za-z0-9._+-]{1,60}")  # nothing that a URI or a file name would escape


class Ours(NamedTuple):
    """How carriers reach us. ``host``: as they see it. ``address``: as Kamailio listens. A port is
    0 where that transport is off.
    """

    host: str
    address: str
    ports: Mapping[Transport, int]


class Account(NamedTuple):
    """One trunk that registers. ``record`` is None where ``why`` says what is missing."""

    carrier: str
    trunk: str
    user: str
    registrar: str
    record: Record | None
    why: str = ""


def accounts(
    carriers: Mapping[str, Carrier],
    secret: Callable[[str], str | None],
    names: Names,
    ours: Ours,
) -> list[Account]:
    """All trunks that register. ``secret``: the value by name. ``names``: where registrars'
    host names lead.
    """
    trunks = [
        (carrier.name, trunk, trunk.auth)
        for carrier in carriers.values()
        for trunk in carrier.trunks
        if isinstance(trunk.auth, Registration)
    ]
    times = Counter(auth.user for _, _, auth in trunks)
    found = []
    for name, trunk, auth in trunks:
        plain = _PLAIN.fullmatch(auth.user) and times[auth.user] == 1
        contact_user = auth.user if plain else f"{name}-{trunk.name}"
        record, why = _record(contact_user, trunk, auth, secret, names, ours)
        found.append(Account(name, trunk.name, auth.user, auth.registrar, record, why))
    return found


def _record(
    contact_user: str,
    trunk: Trunk,
    auth: Registration,
    secret: Callable[[str], str | None],
    names: Names,
    ours: Ours,
) -> tuple[Record | None, str]:
    password = secret(auth.secret)
    if password is None:
        return None, f"its secret {auth.secret} is missing"
    registrar = Gateway(auth.registrar)
    where = _address(registrar, names)
    if where is None:
        return None, f"{registrar.address.host} has no address yet"
    port = ours.ports.get(where.transport, 0)
    if not port:
        return None, f"we do not speak {where.transport.value.upper()} here"
    transport = where.transport.value
    suffix = "" if transport == "udp" else f";transport={transport}"
    listens = trunk.receives_on or ours.address
    host = trunk.receives_on or ours.host
    return (
        Record(
            *(contact_user, auth.user, registrar.address.host, auth.realm, password),
            *(where.uri, auth.expires_s, f"{host}:{port}{suffix}"),
            f"{transport}:{listens}:{port}",
        ),
        "",
    )


def _address(registrar: Gateway, names: Names) -> Address | None:
    return next(iter(addresses(names, registrar.uri)), None)
