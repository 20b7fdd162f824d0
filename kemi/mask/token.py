"""What each side of a masked call carries of the other one, sealed, in the addresses that it is
given of us; pure but for the cipher. It must never accept what it did not seal itself.

Two things are sealed. The *way* stands in our Record-Route and holds what does not change: who the
other side is in its own dialog (its Call-ID, tag, URIs, routes). The *target* is the user of our
Contact and holds where the other side wants to be reached, which a re-INVITE may change (RFC 3261,
12.2.1.2). So a call goes on after a restart of everything, and on another host that has the key.

Names that the far side sees (its Call-ID, our tags) are made from the call's id with a key, so
nothing has to be kept to know them, and nobody learns the other ones from them.
"""

from __future__ import annotations

import binascii
import zlib
from base64 import urlsafe_b64decode
from hashlib import blake2b
from typing import NamedTuple

from kemi.pace import Pace
from kemi.seal import Sealer, paced, read_pace

VERSION = 3  # never that of a token for calls that are not masked (kemi/seal.py)
# Characters of a token. What is longer is shared out over several Record-Routes, each of which
# stays below what user agents take for a URI.
LONGEST = 300
MOST_PARTS = 4
LONGEST_TARGET = 480
_HEAD = 2 + 16 + 8
_PACED = 128
_OFFERED, _URGENT, _COUNTED, _TO_CALLED, _DEFLATED = 1, 2, 4, 8, 16
# Below this it fits in one part as it is, and making it shorter costs more than sealing it.
_SHORT = 170
# What such texts are made of: deflate finds it there.
_WORDS = (
    b"00-0000-0000-;tag=sip:anonymous@anonymous.invalid;lr=on;lr;user=phone:5061;transport=tls"
    b":5080;transport=tcp:5060;transport=udp@192.168.@172.16.@10.0.sip:+7495sip:+7@127.0.0."
)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Way(NamedTuple):
    """How to write to the other side of a call for the side that carries this.

    ``call``: our id of the call, 32 hex digits. ``seed``: what the names that we made for the
    called side were made with. ``to_called``: the other side is the called one. ``call_id``: of the
    caller's dialog; empty towards the called side, where it is made from the seed. ``tag``: the
    other side's. ``uri``: of the other side in its own dialog, ``own_uri``: of the carrier of this
    in that one. ``routes``: between us and the other side, the nearest first. ``socket``: ours
    towards it, empty for the usual one. The rest as in kemi.seal.Sealed.
    """

    call: str
    seed: bytes
    to_called: bool
    call_id: str
    tag: str
    uri: str
    own_uri: str
    routes: tuple[str, ...] = ()
    socket: str = ""
    offered: bool = False
    urgent: bool = False
    counted: bool = False
    guests: str = ""
    media: str = ""
    pace: Pace | None = None


class Target(NamedTuple):
    """Where a side wants to be reached: its Contact URI, and the next hop where that URI does not
    lead there (address translation); empty where it does.
    """

    uri: str
    next_hop: str = ""


def seed_of(sealer: Sealer, call: str) -> bytes:
    """What the names of this call are made with: without the key nobody can tell it from a call."""
    return blake2b(bytes.fromhex(call), key=sealer.naming_key, digest_size=8).digest()


def _name(seed: bytes, what: bytes, size: int) -> str:
    made = blake2b(what, key=seed, digest_size=size).digest()
    return binascii.b2a_base64(made, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


def far_call_id(seed: bytes) -> str:
    """The Call-ID that the called side knows."""
    return _name(seed, b"call", 15)


def far_tag(seed: bytes) -> str:
    """Our From tag towards the called side."""
    return _name(seed, b"from", 9)


def near_tag(seed: bytes, called_tag: str) -> str:
    """The To tag that the caller knows, for this one of the called side; a call that forks has
    several.
    """
    return _name(seed, b"to" + called_tag.encode("utf-8", "surrogatepass"), 9)


def seal_way(sealer: Sealer, way: Way, sip_call_id: str) -> tuple[str, ...]:
    """The parts of the token, bound to the Call-ID of the side that is to carry it. Empty where it
    is too long to be carried: such a call cannot be masked.
    """
    call, seed, to_called, call_id, tag, uri, own_uri, routes, socket = way[:9]
    offered, urgent, counted, guests, media, pace = way[9:]
    bits = offered * _OFFERED | urgent * _URGENT | counted * _COUNTED | to_called * _TO_CALLED
    head = b""
    if pace is not None:
        bits |= _PACED
        head = paced(pace)
    said = "\0".join((call_id, tag, uri, own_uri, socket, guests, media, *routes)).encode()
    if len(said) > _SHORT:
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, _WORDS)
        said = deflate.compress(said) + deflate.flush()
        bits |= _DEFLATED
    plain = b"%c%c%b%b%b%b" % (VERSION, bits, bytes.fromhex(call), seed, head, said)
    text = _text(sealer.encrypt(plain, sip_call_id.encode()))
    parts = tuple([text[at : at + LONGEST] for at in range(0, len(text), LONGEST)])
    return parts if len(parts) <= MOST_PARTS else ()


def open_way(sealer: Sealer, token: str, sip_call_id: str) -> Way | None:
    """The inverse of `seal_way`, of its parts put together; None for what is foreign, changed, or
    of another dialog.
    """
    plain = _opened(sealer, token, sip_call_id.encode())
    if plain is None or len(plain) < _HEAD or plain[0] != VERSION:
        return None
    bits, rest, pace = plain[1], plain[_HEAD:], None
    if bits & _PACED:
        pace, rest = read_pace(rest)
    if bits & _DEFLATED:
        rest = zlib.decompressobj(-15, _WORDS).decompress(rest)
    call_id, tag, uri, own_uri, socket, guests, media, *routes = rest.decode().split("\0")
    return Way(
        plain[2:18].hex(),
        plain[18:26],
        bool(bits & _TO_CALLED),
        call_id,
        tag,
        uri,
        own_uri,
        tuple(routes),
        socket,
        bool(bits & _OFFERED),
        bool(bits & _URGENT),
        bool(bits & _COUNTED),
        guests,
        media,
        pace,
    )


def seal_target(sealer: Sealer, target: Target, call: str) -> str:
    """As the user of a URI, bound to the call. Empty where it is too long."""
    said = f"{target.uri}\0{target.next_hop}" if target.next_hop else target.uri
    if len(said) > LONGEST_TARGET:
        return ""
    return _text(sealer.encrypt(b"%c%b" % (VERSION, said.encode()), bytes.fromhex(call)))


def open_target(sealer: Sealer, text: str, call: str) -> Target | None:
    """The inverse of `seal_target`; None for what was not sealed here for this call."""
    plain = _opened(sealer, text, bytes.fromhex(call))
    if plain is None or plain[0] != VERSION:
        return None
    uri, _, next_hop = plain[1:].decode().partition("\0")
    return Target(uri, next_hop)


def _text(box: bytes) -> str:
    return binascii.b2a_base64(box, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


def _opened(sealer: Sealer, text: str, bound: bytes) -> bytes | None:
    if not text.isascii():
        return None
    try:
        box = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return sealer.decrypt(box, bound)
