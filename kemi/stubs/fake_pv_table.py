"""Which pseudo-variables the fake models, and how each is read and written.

Reading gives bytes, int or None; `$hdr`, `$avp`, `$var`, `$T_req` and changes like
{s.encode.base64} are fake_pv's.
"""

from __future__ import annotations

from collections.abc import Callable

from kemi.stubs.fake_message import Message, Party, Span, uri_at
from kemi.stubs.fake_world import NotConfigured, World, uri_piece, with_uri_piece

Value = bytes | int | None

_PARTIES = {"f": b"From", "t": b"To"}


def _party(world: World, letter: str) -> Party | None:
    return world.message.party(_PARTIES[letter])


def _piece(world: World, letter: str, piece: str) -> bytes | None:
    party = _party(world, letter)
    if party is None:
        return None
    raw = world.message.raw
    if piece == "tag":
        return party.tag
    span = party.display if piece == "display" else getattr(party.uri, piece)
    return None if span is None else span.of(raw)


def _write_piece(letter: str, piece: str) -> Callable[[World, bytes, bool], None]:
    def write(world: World, value: bytes, unset: bool) -> None:
        party = _party(world, letter)
        if party is None:
            raise NotConfigured(f"writing ${letter}... of a message without {_PARTIES[letter]!r}")
        if piece == "display":
            _write_display(world.message, party, value, unset)
            return
        span: Span | None = getattr(party.uri, piece)
        if span is None:
            raise NotConfigured(f"writing the {piece} of a URI that has none")
        world.message.cut(span, value)

    return write


def _write_display(message: Message, party: Party, value: bytes, unset: bool) -> None:
    if party.display is not None:
        # Unsetting takes the space before `<` away too; an empty text leaves it (measured).
        end = party.address_start if unset else party.display.end
        message.cut(Span(party.display.start, end), value)
    elif value:
        if not party.has_brackets:
            raise NotConfigured("a display name for an address without brackets")
        message.cut(Span(party.address_start, party.address_start), value + b" ")


def _contact(world: World) -> bytes | None:
    party = world.message.party(b"Contact")
    return None if party is None else party.uri.whole.of(world.message.raw)


def _header_uri(name: bytes) -> Callable[[World], Value]:
    def read(world: World) -> Value:
        party = world.message.party(name)
        return None if party is None else party.uri.whole.of(world.message.raw)

    return read


def _header(name: bytes) -> Callable[[World], Value]:
    return lambda world: world.message.value(name)


def _reply_code(world: World) -> Value:
    if world.route == "onreply":
        return world.message.status
    if world.transaction is None:
        # tm cannot even look for a transaction of a request whose From it cannot read.
        return None if world.message.party(b"From") is None else 0
    return world.transaction.status


def content_length(message: Message) -> int | None:
    value = message.value(b"Content-Length")
    return int(value) if value is not None and value.isdigit() else None


READERS: dict[str, Callable[[World], Value]] = {
    "ru": lambda world: world.request_uri,
    "rU": lambda world: world.ruri_piece("user"),
    "rd": lambda world: world.ruri_piece("host"),
    "ou": lambda world: world.message.request_uri,
    "oU": lambda world: uri_piece(world.message.request_uri, "user"),
    "rm": lambda world: world.message.method,
    "rs": lambda world: world.message.status,
    "rr": lambda world: world.message.reason,
    "ci": _header(b"Call-ID"),
    "cs": lambda world: world.message.cseq_number,
    "ct": _header(b"Contact"),
    "ua": _header(b"User-Agent"),
    "cT": _header(b"Content-Type"),
    "cl": lambda world: content_length(world.message),
    "ai": _header_uri(b"P-Asserted-Identity"),
    "re": _header_uri(b"Remote-Party-ID"),
    "pu": _header_uri(b"P-Preferred-Identity"),
    "si": lambda world: world.source[0].encode(),
    "sp": lambda world: world.source[1],
    "Ri": lambda world: world.local[0].encode(),
    "Rp": lambda world: world.local[1],
    "proto": lambda world: world.transport.encode(),
    "mb": lambda world: world.message.raw,
    "ml": lambda world: len(world.message.raw),
    "rb": lambda world: world.message.body,
    "bs": lambda world: len(world.message.body),
    "mt": lambda world: 1 if world.message.is_request else 2,
    "du": lambda world: world.next_hop,
    "dd": lambda world: uri_piece(world.next_hop, "host"),
    "route_uri": lambda world: world.route_uri,
    "T_reply_code": _reply_code,
    "T_branch_idx": lambda world: world.transaction.branches - 1 if world.transaction else 0,
    "null": lambda _world: None,
}
WRITERS: dict[str, Callable[[World, bytes, bool], None]] = {}

for _letter in _PARTIES:
    for _short, _long in (("u", "whole"), ("U", "user"), ("d", "host"), ("n", "display")):
        READERS[_letter + _short] = lambda world, a=_letter, b=_long: _piece(world, a, b)  # type: ignore[misc]
        WRITERS[_letter + _short] = _write_piece(_letter, _long)
    READERS[_letter + "t"] = lambda world, a=_letter: _piece(world, a, "tag")  # type: ignore[misc]


def _write_next_hop(world: World, value: bytes, unset: bool) -> None:
    if not unset and uri_at(value, Span(0, len(value))).host is None:
        raise NotConfigured(f"$du = {value!r} is not a URI")
    world.next_hop = None if unset else value


def _write_request_uri(world: World, value: bytes, unset: bool) -> None:
    if unset:
        raise NotConfigured("unsetting $ru")
    world.request_uri = value


def _write_ruri_piece(piece: str) -> Callable[[World, bytes, bool], None]:
    def write(world: World, value: bytes, _unset: bool) -> None:
        if world.request_uri is None:
            raise NotConfigured("a reply has no Request-URI")
        world.request_uri = with_uri_piece(world.request_uri, piece, value)

    return write


def _ignore(_world: World, _value: bytes, _unset: bool) -> None:
    """Read-only pseudo-variables: Kamailio says True and nothing happens (measured with $si)."""


WRITERS |= {
    "du": _write_next_hop,
    "ru": _write_request_uri,
    "rU": _write_ruri_piece("user"),
    "rd": _write_ruri_piece("host"),
    "si": _ignore,
}
