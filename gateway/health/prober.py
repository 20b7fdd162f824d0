"""Asks one gateway after the other whether it is there, over the transport its calls would take;
what the answers mean is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gateway.health import options
from number_registry.model import Address, Transport

REPEAT_S = 0.5  # T1: an UDP request that is not answered is sent again (RFC 3261, 17.1.2.2)


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, waiting: Mapping[str, asyncio.Future[int]]) -> None:
        self._waiting = waiting

    def datagram_received(self, data: bytes, addr: Any) -> None:
        found = options.answer(data)
        future = self._waiting.get(found[0]) if found else None
        if found and future is not None and not future.done():
            future.set_result(found[1])

    def error_received(self, exc: Exception) -> None:
        # Nobody listens there (ICMP): the question runs into its time limit like any other.
        return


class Prober:
    """Questions leave from the address of ours that calls to the gateway leave by, ``source`` where
    it says none: a carrier knows us by it.

    ``tls``: how TLS gateways are asked; None: they cannot be called, and so are not there.

    ``async with Prober("192.0.2.100") as prober: await prober.ask(address, 1.0)``
    """

    def __init__(self, source: str, tls: ssl.SSLContext | None = None) -> None:
        self._source, self._tls = source, tls
        self._waiting: dict[str, asyncio.Future[int]] = {}
        self._transports: dict[str, asyncio.DatagramTransport] = {}

    async def __aenter__(self) -> Prober:
        await self._from(self._source)
        return self

    async def __aexit__(self, *_: object) -> None:
        for transport in self._transports.values():
            transport.close()

    async def _from(self, ours: str) -> tuple[asyncio.DatagramTransport, str]:
        """The socket on an address of ours, and its name. Raises OSError where that is not here."""
        if ours not in self._transports:
            made, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Answers(self._waiting), local_addr=(ours, 0)
            )
            self._transports.setdefault(ours, made)
            if self._transports[ours] is not made:
                made.close()  # two questions were on their way at once
        transport = self._transports[ours]
        return transport, "{}:{}".format(*transport.get_extra_info("sockname")[:2])

    async def ask(self, address: Address, within: float) -> bool:
        """Whether a final answer came within so many seconds that says it takes calls."""
        ask = self._udp if address.transport is Transport.UDP else self._stream
        try:
            async with asyncio.timeout(within):
                return options.is_there(await ask(address))
        except (OSError, EOFError, ValueError):
            # refused, unreachable, not in time (TimeoutError), closed, or no SIP: not there
            return False

    async def _udp(self, address: Address) -> int:
        transport, us = await self._from(address.source or self._source)
        call_id = secrets.token_hex(16)
        future = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = future
        try:
            message = options.request(address, us, call_id)
            while True:
                transport.sendto(message, (address.host, address.port))
                with suppress(TimeoutError):
                    return await asyncio.wait_for(asyncio.shield(future), REPEAT_S)
        finally:
            del self._waiting[call_id]

    async def _stream(self, address: Address) -> int:
        """Over TCP or TLS."""
        over_tls = address.transport is Transport.TLS
        if over_tls and self._tls is None:
            raise ConnectionRefusedError("SIP over TLS is off")
        reader, writer = await asyncio.open_connection(
            address.host,
            address.port,
            local_addr=(address.source or self._source, 0),
            ssl=self._tls if over_tls else None,
        )
        try:
            us = "{}:{}".format(*writer.get_extra_info("sockname")[:2])
            writer.write(options.request(address, us, secrets.token_hex(16)))
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = options.answer(head)
                if found is not None:
                    return found[1]
        except asyncio.LimitOverrunError as error:
            raise ValueError("more than a SIP head") from error
        finally:
            writer.close()
