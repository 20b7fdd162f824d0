"""What the fake Kamailio knows at one moment: message, route, transaction, variables, effects.

State and small helpers only; what each KEMI function does with it is in the rooms (fake_*.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kemi.stubs.fake_message import Message, Span, uri_at

# Each new name handed to KSR.pv may stay in Kamailio's private memory for good: a script that
# builds names at run time leaks. The whole of kemi/ needs fewer than this.
MOST_PV_NAMES = 64


class FakeMisuse(BaseException):
    """The script or its test did what cannot be right; no `except Exception` may hide it."""


class NotConfigured(FakeMisuse):
    """The function exists in Kamailio but the test did not say what it gives here."""


class WentOnAfterStop(FakeMisuse):
    """A function gave 0, which means: stop this script now; yet the script went on."""


class TooManyNames(FakeMisuse):
    """More pseudo-variable names than a script with constant names can need."""


class Effect(NamedTuple):
    """A call that changed something: `name` is "tm.t_relay", or "setflag" for a root function."""

    name: str
    arguments: tuple[str | int, ...]
    result: Any


class Sent(NamedTuple):
    """A message sent on: its bytes without tm's own Via, and the next hop ($du; None: the URI)."""

    data: bytes
    next_hop: str | None


class Reply(NamedTuple):
    """A reply of our own; `headers` are those of hdr.append_to_reply."""

    status: int
    reason: str
    headers: bytes
    stateful: bool


@dataclass
class Transaction:
    """A server transaction: the request as it came, and what belongs to it and not to a message."""

    request: Message
    flags: set[int]
    request_uri: bytes | None
    status: int = 0
    answered: int = 0
    is_cancelled: bool = False
    timed_out: bool = False
    replied: bool = False
    last_reply: Message | None = None
    routes: dict[str, str] = field(default_factory=dict)
    branches: int = 0


@dataclass
class World:
    """Everything behind one FakeKSR. Times and sizes are as in SIP; addresses are (host, port)."""

    message: Message
    source: tuple[str, int]
    local: tuple[str, int]
    transport: str = "udp"
    route: str = "request"
    request_uri: bytes | None = None
    next_hop: bytes | None = None
    flags: set[int] = field(default_factory=set)
    transaction: Transaction | None = None
    routes: dict[str, str] = field(default_factory=dict)
    avps: dict[str, list[str | int]] = field(default_factory=dict)
    xavps: dict[str, list[str | int]] = field(default_factory=dict)
    variables: dict[str, str | int] = field(default_factory=dict)
    tables: dict[str, dict[str, str | int]] = field(default_factory=dict)
    # tables with an initval: what they count on from
    table_starts: dict[str, int] = field(default_factory=dict)
    pv_names: set[str] = field(default_factory=set)
    results: dict[str, Any] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    reply_headers: bytes = b""
    rr_parameters: str = ""
    route_uri: bytes | None = None
    has_recorded_route: bool = False
    stopped_by: str = ""
    run_branch: Callable[[str], None] | None = None

    def new_message(self, message: Message, route: str) -> None:
        """What Kamailio forgets between two messages."""
        self.message, self.route = message, route
        self.request_uri = message.request_uri
        self.next_hop = self.route_uri = None
        self.flags = set()
        self.routes = {}
        self.reply_headers, self.rr_parameters, self.stopped_by = b"", "", ""
        self.has_recorded_route = False

    def ruri_piece(self, piece: str) -> bytes | None:
        """user or host of the Request-URI as it stands now."""
        return uri_piece(self.request_uri, piece)

    def is_myself(self, host: bytes | None, port: int) -> bool:
        return host is not None and (host.decode("latin-1"), port) == self.local

    def begin_transaction(self) -> Transaction:
        """Keep the request and its flags, as tm does when it makes a transaction."""
        self.transaction = Transaction(self.message, set(self.flags), self.request_uri)
        self.transaction.routes = self.routes
        return self.transaction

    def note_pv(self, name: str) -> None:
        self.pv_names.add(name)
        if len(self.pv_names) > MOST_PV_NAMES:
            raise TooManyNames(f"{len(self.pv_names)} names of pseudo-variables, last {name!r}")


def uri_piece(uri: bytes | None, piece: str) -> bytes | None:
    """The `user` or `host` of a URI, None when it has none."""
    if uri is None:
        return None
    span: Span | None = getattr(uri_at(uri, Span(0, len(uri))), piece)
    return None if span is None else span.of(uri)


def uri_port(uri: bytes) -> int:
    """Port of a URI; 5060 when it names none."""
    parts = uri_at(uri, Span(0, len(uri)))
    rest = uri[parts.host.end :] if parts.host else b""
    digits = rest[1:].partition(b";")[0] if rest.startswith(b":") else b""
    return int(digits) if digits.isdigit() else 5060


def with_uri_piece(uri: bytes, piece: str, value: bytes) -> bytes:
    """The URI with another `user` or `host`; a user is added when there was none."""
    parts = uri_at(uri, Span(0, len(uri)))
    span: Span | None = getattr(parts, piece)
    if span is None and piece == "user" and parts.host is not None:
        return uri[: parts.host.start] + value + b"@" + uri[parts.host.start :]
    if span is None:
        return uri
    return uri[: span.start] + value + uri[span.end :]
