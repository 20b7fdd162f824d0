"""Where PBXs have registered from: Kamailio's own bindings, noted in a file beside the snapshot so
that a restart forgets none; it answers no REGISTER.

Kamailio keeps bindings in shared memory, which any worker's death empties. Each change of them is
written here by the worker that made it, and read by all: calls are aimed by it, and a starting
Kamailio is given back what it held.
"""

from __future__ import annotations

import fcntl
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from kemi.plan import host_of
from number_registry.errors import BadValueError
from number_registry.model import Address, Transport
from number_registry.names import is_literal

FILE = "registered.json"
VERSION = 1
MOST = 8  # bindings of one account
# What may stand in a Request-URI; parameters of a header there (RFC 3261, section 19.1.5) may not.
# Kamailio's registrar keeps much else, and a call to it would be answered by nobody.
_CALLABLE = re.compile(
    r"""(sips?):((?:[^\s<>"@?\x7f]+@)?(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])"""
    r"""(?::[0-9]+)?(?:;[^\s<>"@?\x7f]*)?)(?:\?.*)?""",
    re.IGNORECASE | re.ASCII,
)


class Binding(NamedTuple):
    """One Contact that a PBX registered. ``received``: where its REGISTER came from, empty where
    the Contact itself can be reached; ``socket``: ours that it came to; ``expires``: seconds since
    1970; ``q``: higher is tried first (RFC 3261, section 10.2.1.2).
    """

    contact: str
    received: str
    socket: str
    expires: int
    q: float
    agent: str

    @property
    def next_hop(self) -> str:
        return self.received or self.contact

    def address(self, *, did_in_request: bool) -> Address | None:
        """Where calls to it go; None for a Contact that cannot be called. ``did_in_request``: the
        DID takes the place of the Contact's user.
        """
        callable_ = _CALLABLE.fullmatch(self.contact)
        if callable_ is None or not self.contact.isprintable():
            return None
        where = callable_[2]
        if did_in_request:
            where = where.rpartition("@")[2]
        try:
            host, port, transport = _place(self.next_hop)
            return Address(host, port, transport, target=where)
        except (BadValueError, ValueError):
            return None


def _place(uri: str) -> tuple[str, int, Transport]:
    """Host, port and transport that a SIP URI leads to (RFC 3263 without DNS)."""
    scheme, _, rest = uri.partition(":")
    where, *params = rest.rpartition("@")[2].split(";")
    named = dict(param.lower().partition("=")[::2] for param in params)
    usually = "tls" if scheme.lower() == "sips" else "udp"
    transport = Transport(named.get("transport") or usually)
    host = host_of(uri)
    port = where.removeprefix(host).removeprefix(":").partition("?")[0]
    usual = 5061 if transport is Transport.TLS else 5060
    if not is_literal(host):
        raise BadValueError(f"{host!r} is a name: nothing is looked up in a call")
    there = ip_address(host.strip("[]"))
    if there.version != 4 or there.is_unspecified or there.is_multicast:
        raise BadValueError(f"{host!r} is no single IPv4 address")  # as all of ours are
    return host, int(port) if port else usual, transport


class Registered:
    """One per process. `refresh` costs one stat()."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._path = folder / FILE
        self._lock = folder / f".{FILE}.lock"
        self._warn = warn
        self._read_at = (0, 0)  # two notes may fall into one tick of the file's clock
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._places: dict[tuple[str, int], str] = {}

    def refresh(self) -> None:
        """Read the file anew when it was written."""
        try:
            stat = self._path.stat()
            written = stat.st_mtime_ns, stat.st_ino
        except FileNotFoundError:
            written = 0, 0
        if written != self._read_at:
            self._read_at = written
            self._take(self._load() if written[1] else {})

    def _take(self, bindings: dict[str, tuple[Binding, ...]]) -> None:
        self._bindings = bindings
        self._places = {}
        for user, found in bindings.items():
            for binding in found:
                address = binding.address(did_in_request=True)
                if address is not None:
                    self._places[address.host, address.port] = user

    def of(self, user: str, now: float) -> tuple[Binding, ...]:
        """What this account has registered and is not over, in the order to try."""
        return tuple(one for one in self._bindings.get(user, ()) if one.expires > now)

    def account_at(self, ip: str, port: int, now: float) -> str:
        """The account that has registered from, or with, this address; empty for none."""
        user = self._places.get((ip, port), "")
        return user if user and self.of(user, now) else ""

    def note(self, user: str, current: Callable[[], Sequence[Binding]]) -> None:
        """Keep what the account has now. ``current`` is asked under the lock, so that of two
        workers the later one writes the later state.
        """
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            everyone = self._load()
            everyone[user] = tuple(sorted(current(), key=lambda one: -one.q))
            now = time.time()
            content = {
                name: [one._asdict() for one in found if one.expires > now]
                for name, found in everyone.items()
            }
            kept = {name: found for name, found in content.items() if found}
            beside = self._path.with_name(f".{FILE}.new")
            beside.unlink(missing_ok=True)
            beside.touch(0o600)
            beside.write_text(json.dumps({"version": VERSION, "accounts": kept}), "utf-8")
            beside.replace(self._path)
        self.refresh()

    def _load(self) -> dict[str, tuple[Binding, ...]]:
        try:
            content = json.loads(self._path.read_bytes())
            return _bindings(content)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._warn(f"{self._path.name} cannot be used: {type(error).__name__}: {error}")
            return {}

    def everything(self, now: float) -> Iterator[tuple[str, Binding]]:
        """(account, binding) of all that is not over, for a Kamailio that has just started."""
        for user in self._bindings:
            for binding in self.of(user, now):
                yield user, binding


def _bindings(content: Mapping[str, Any]) -> dict[str, tuple[Binding, ...]]:
    if content["version"] != VERSION:
        raise ValueError(f"version {content['version']} is not {VERSION}")
    return {
        str(user): tuple(Binding(**one) for one in found)
        for user, found in content["accounts"].items()
    }
