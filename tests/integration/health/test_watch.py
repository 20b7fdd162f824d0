"""Real gateways on loopback that answer, fall silent, come back; seen as a SIP worker sees them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.health import said
from gateway.health.watch import FILE, Target, Watch
from kemi.health import Health
from number_registry.model import Address, Transport

pytestmark = pytest.mark.asyncio
NOTICED_S = 5.0  # what is promised: a dead gateway is noticed in under five seconds


class Gateway(asyncio.DatagramProtocol):
    """Answers OPTIONS over UDP with ``status``; 0 is silence."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
        if self.status:
            self._transport.sendto(answer(data, self.status), addr)


def answer(question: bytes, status: int) -> bytes:
    _, _, rest = question.partition(b"\r\n")
    return b"SIP/2.0 %d Said\r\n" % status + rest


@asynccontextmanager
async def udp(status: int = 200) -> AsyncIterator[tuple[Gateway, Address]]:
    loop = asyncio.get_running_loop()
    transport, gateway = await loop.create_datagram_endpoint(
        lambda: Gateway(status), local_addr=("127.0.0.1", 0)
    )
    try:
        yield gateway, Address("127.0.0.1", transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


@asynccontextmanager
async def tcp(status: int) -> AsyncIterator[Address]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await reader.readuntil(b"\r\n\r\n"), status))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1], Transport.TCP)
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def watching(folder: Path, *addresses: Address) -> AsyncIterator[Watch]:
    targets = [Target("PBX old", address) for address in addresses]
    watch = Watch(folder, "127.0.0.1", lambda: targets, interval_s=1.0, answer_s=1.0)
    stop = asyncio.Event()
    running = asyncio.create_task(watch.run(stop))
    try:
        yield watch
    finally:
        stop.set()
        await running


async def until(seen: Callable[[], bool], within: float) -> float:
    began = time.monotonic()
    async with asyncio.timeout(within):
        while not seen():
            await asyncio.sleep(0.02)
    return time.monotonic() - began


def states(folder: Path) -> dict[str, str]:
    try:
        gateways = json.loads((folder / FILE).read_text())["gateways"]
    except FileNotFoundError:
        return {}
    return {uri: gateway["state"] for uri, gateway in gateways.items()}


async def test_a_gateway_that_falls_silent_is_down_within_five_seconds_and_comes_back(
    tmp_path: Path,
) -> None:
    async with udp() as (gateway, address), watching(tmp_path, address):
        await until(lambda: states(tmp_path).get(address.uri) == "up", NOTICED_S)
        worker = Health(tmp_path, print)
        worker.refresh()
        assert worker.down == frozenset()
        gateway.status = 0
        noticed = await until(lambda: states(tmp_path)[address.uri] == "down", NOTICED_S)
        worker.refresh()
        assert worker.down == {address.uri}
        assert said.states(tmp_path) == {address.uri: "down"}
        gateway.status = 404  # whoever answers at all is there
        await until(lambda: states(tmp_path)[address.uri] == "up", NOTICED_S)
        assert noticed < NOTICED_S
    assert not (tmp_path / FILE).exists(), "a daemon that is gone accuses nobody"
    assert said.states(tmp_path) == {}


async def test_one_that_says_it_is_out_of_service_is_down_and_the_others_are_not(
    tmp_path: Path,
) -> None:
    async with udp(503) as (_, busy), tcp(200) as stream, udp() as (_, well):
        nobody = Address("127.0.0.1", 9, Transport.TCP)
        async with watching(tmp_path, busy, stream, well, nobody):
            wanted = {busy.uri: "down", stream.uri: "up", well.uri: "up", nobody.uri: "down"}
            await until(lambda: states(tmp_path) == wanted, 2 * NOTICED_S)


async def test_an_answer_to_another_question_counts_for_nothing(tmp_path: Path) -> None:
    class Confused(Gateway):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            self._transport.sendto(answer(data.replace(b"Call-ID: ", b"Call-ID: x"), 200), addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Confused, local_addr=("127.0.0.1", 0))
    address = Address("127.0.0.1", transport.get_extra_info("sockname")[1])
    async with watching(tmp_path, address):
        await until(lambda: states(tmp_path).get(address.uri) == "down", 2 * NOTICED_S)
    transport.close()
