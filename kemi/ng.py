"""Asks the media relay over its ng protocol and waits for the answer, two tenths of a second at
most; it decides nothing about calls.

Kamailio's own module writes into the message at hand. Where audio is made without a far side that
sends SDP there is nothing to write into, so it is asked from here.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Value: TypeAlias = "int | str | Sequence[Value] | Mapping[str, Value]"

ANSWER_S, TRIES = 0.1, 2  # as Kamailio's module does (kamailio.cfg)
GONE_S = 1.0  # a relay that did not answer is not asked again for so long
_LARGEST = 65_535


class NgError(Exception):
    """The relay said no, or nothing."""


def encode(value: Value) -> bytes:
    """bencode: integers, strings, lists, dictionaries with sorted keys."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogateescape")
        return b"%d:%s" % (len(data), data)
    if isinstance(value, Mapping):
        pairs = [encode(key) + encode(value[key]) for key in sorted(value)]
        return b"d" + b"".join(pairs) + b"e"
    return b"l" + b"".join([encode(one) for one in value]) + b"e"


def decode(data: bytes) -> Any:
    """The inverse. Raises NgError for what is no bencode."""
    try:
        return _decode(data, 0)[0]
    except (IndexError, ValueError, RecursionError) as error:
        raise NgError(f"not bencode: {error}") from error


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        found, at = [], at + 1
        while data[at : at + 1] != b"e":
            one, at = _decode(data, at)
            found.append(one)
        if kind == b"l":
            return found, at + 1
        return dict(zip(found[::2], found[1::2], strict=True)), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    if end > len(data):
        raise ValueError("a string longer than the message")
    return data[colon + 1 : end].decode("utf-8", "surrogateescape"), end


class Ng:
    """One per process. ``address``: ``udp:127.0.0.1:2223``."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("udp:").rpartition(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, int(port)))
        self._own = secrets.token_hex(4)  # the relay knows questions by their cookie alone
        self._number = 0
        self._gone_until = 0.0

    def ask(self, command: str, fields: Mapping[str, Value]) -> dict[str, Any]:
        """One request, sent again where no answer comes in ANSWER_S: the relay knows it by its
        cookie, and does not do its work twice. Raises NgError where it refuses, does not answer, or
        did not a moment ago.
        """
        if time.monotonic() < self._gone_until:
            raise NgError("the media relay did not answer a moment ago")
        self._number += 1
        cookie = f"{self._own}-{self._number}".encode()
        try:
            body = self._exchange(cookie, cookie + b" " + encode({"command": command, **fields}))
        except OSError as error:  # a refused datagram, or time is over
            self._gone_until = time.monotonic() + GONE_S
            raise NgError(f"{command}: the media relay does not answer") from error
        reply = decode(body)
        if not isinstance(reply, dict) or reply.get("result") in (None, "error"):
            why = reply.get("error-reason", "") if isinstance(reply, dict) else ""
            raise NgError(f"{command}: {why or body[:100]!r}")
        return reply

    def _exchange(self, cookie: bytes, request: bytes) -> bytes:
        for left in reversed(range(TRIES)):
            self._socket.send(request)
            try:
                return self._answer(cookie, time.monotonic() + ANSWER_S)
            except TimeoutError:
                if not left:
                    raise
        raise AssertionError("there is at least one try")

    def _answer(self, cookie: bytes, until: float) -> bytes:
        """The answer to this cookie; those of questions given up before it are passed over."""
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            found, _, body = self._socket.recv(_LARGEST).partition(b" ")
            if found == cookie:
                return body
        raise TimeoutError

    def close(self) -> None:
        self._socket.close()
