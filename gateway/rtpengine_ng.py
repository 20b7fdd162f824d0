"""Asks rtpengine over its ng protocol (bencode in UDP datagrams); it decides nothing about calls.

A request is "cookie dictionary"; the reply comes under the same cookie. rtpengine remembers the
cookies of the last seconds and answers a repeated one without doing the work twice, so a lost
datagram is simply sent again. The port has no authentication: loopback only.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

Value: TypeAlias = "int | bytes | str | Sequence[Value] | Mapping[str, Value]"

_Given = TypeVar("_Given")

TRY_S = (0.3, 0.7, 1.5)  # how long each sending of one request is waited for
# A reply is one datagram of at most 65,507 bytes; a call id of 32 digits takes 35 of them.
LIST_MOST = 1_700


class NgError(Exception):
    """rtpengine said no, or something that is not ng."""


class NgTimeoutError(NgError):
    """rtpengine does not answer: it is down, or hung."""


def encode(value: Value) -> bytes:
    """bencode: integers, byte strings, lists, dictionaries (with sorted keys)."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, Mapping):
        pairs = (encode(key) + encode(value[key]) for key in sorted(value))
        return b"d" + b"".join(pairs) + b"e"
    return b"l" + b"".join(encode(item) for item in value) + b"e"


def decode(data: bytes) -> Any:
    """One bencoded value: int, str, list or dict. Raises NgError for anything else."""
    try:
        value, end = _decode(data, 0)
    except (IndexError, ValueError, RecursionError) as error:
        raise NgError(f"not bencode: {error}") from error
    if end != len(data):
        raise NgError(f"{len(data) - end} bytes after the value")
    return value


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind == b"l":
        items = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at)
            items.append(item)
        return items, at + 1
    if kind == b"d":
        found = {}
        at += 1
        while data[at : at + 1] != b"e":
            key, at = _decode(data, at)
            found[key], at = _decode(data, at)
        return found, at + 1
    if not kind.isdigit():
        raise ValueError(f"{kind!r} at byte {at}")
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    if end > len(data):
        raise ValueError("a string longer than the message")
    return data[colon + 1 : end].decode("utf-8", "surrogateescape"), end


class _Replies(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.waiting: dict[bytes, asyncio.Future[bytes]] = {}

    def datagram_received(self, data: bytes, addr: Any) -> None:
        cookie, _, body = data.partition(b" ")
        future = self.waiting.get(cookie)
        if future is not None and not future.done():
            future.set_result(body)

    def error_received(self, exc: Exception) -> None:
        # Nobody listens there (ICMP): the request runs into its time-out, as for a hung rtpengine.
        return


class Ng:
    """A client of one rtpengine: `async with Ng("127.0.0.1", 2223) as ng: await ng.ping()`.

    ``before``: one that goes on with the calls it has; it is asked too, until it does not answer.
    """

    def __init__(self, host: str, port: int, before: Ng | None = None) -> None:
        self._address = (host, port)
        self._before = before
        self._cookies = (f"{secrets.token_hex(4)}_{n}".encode() for n in itertools.count())
        self._replies = _Replies()
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Ng:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self._replies, remote_addr=self._address
        )
        if self._before is not None:
            await self._before.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._before is not None:
            await self._before.__aexit__()

    async def _of_before(
        self, question: Callable[[Ng], Awaitable[_Given]], else_: _Given
    ) -> _Given:
        if self._before is None:
            return else_
        try:
            return await question(self._before)
        except NgTimeoutError:
            await self._before.__aexit__()
            self._before = None  # its last call is over
            return else_

    async def ask(self, command: str, **parameters: Value) -> dict[str, Any]:
        """One request. `call_id="x"` is sent as `call-id`.

        Raises NgTimeoutError when nothing comes back, NgError when rtpengine refuses.
        """
        if self._transport is None:
            raise NgError("not connected")
        named = {key.replace("_", "-"): value for key, value in parameters.items()}
        cookie = next(self._cookies)
        message = cookie + b" " + encode({"command": command, **named})
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._replies.waiting[cookie] = future
        try:
            body = await self._send(message, future)
        finally:
            del self._replies.waiting[cookie]
        reply = decode(body)
        if not isinstance(reply, dict) or "result" not in reply:
            raise NgError(f"{command}: {body[:200]!r}")
        if reply["result"] == "error":
            raise NgError(f"{command}: {reply.get('error-reason', 'no reason given')}")
        return reply

    async def _send(self, message: bytes, future: asyncio.Future[bytes]) -> bytes:
        assert self._transport is not None
        for seconds in TRY_S:
            self._transport.sendto(message)
            done, _ = await asyncio.wait([future], timeout=seconds)
            if done:
                return future.result()
        raise NgTimeoutError(f"rtpengine at {self._address[0]}:{self._address[1]} does not answer")

    async def ping(self) -> None:
        """Return when rtpengine answers."""
        await self.ask("ping")

    async def calls(self, most: int = LIST_MOST) -> list[str]:
        """Call ids that rtpengine knows, at most `most` of them: as many, and there may be more."""
        reply = await self.ask("list", limit=most)
        older = await self._of_before(lambda ng: ng.calls(most), [])
        return [*(str(id) for id in reply.get("calls", [])), *older]

    async def knows(self, call_id: str) -> bool:
        """Whether rtpengine has this call."""
        try:
            await self.query(call_id)
        except NgTimeoutError:
            raise
        except NgError:
            return await self._of_before(lambda ng: ng.knows(call_id), False)
        return True

    async def query(self, call_id: str) -> dict[str, Any]:
        """What rtpengine knows of a call. Raises NgError for one it does not have."""
        return await self.ask("query", call_id=call_id)

    async def delete(self, call_id: str) -> None:
        """End the call's media. One that rtpengine does not have is fine: it answers "warning"."""
        await self.ask("delete", call_id=call_id)
        await self._of_before(lambda ng: ng.delete(call_id), None)
