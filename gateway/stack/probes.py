"""Asks each service whether it works, once, over its own protocol; raises NotReady and changes
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from gateway.home import Home
from gateway.kamailio_rpc import KamailioGoneError, KamailioRpc, RpcError

Probe = Callable[[], Awaitable[None]]
LIMIT_S = 1.0


class NotReady(Exception):
    """The service did not answer, or answered that it is not ready."""


@contextlib.contextmanager
def _as_not_ready(what: str) -> Iterator[None]:
    try:
        yield
    except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError) as error:
        raise NotReady(f"{what}: {str(error) or type(error).__name__}") from error


def postgresql(home: Home) -> Probe:
    """It accepts a connection and answers a query."""

    async def probe() -> None:
        import asyncpg  # a tenth of a second that `--help` need not pay

        try:
            connection = await asyncpg.connect(
                host=str(home.postgresql_socket_dir),
                user="postgres",
                database="postgres",
                timeout=LIMIT_S,
            )
            try:
                await connection.fetchval("select 1", timeout=LIMIT_S)
            finally:
                await connection.close(timeout=LIMIT_S)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReady(f"postgresql: {str(error) or type(error).__name__}") from error

    return probe


def redis(path: Path) -> Probe:
    """PING is answered by PONG."""

    async def probe() -> None:
        with _as_not_ready("redis"):
            async with asyncio.timeout(LIMIT_S):
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    writer.write(b"PING\r\n")
                    answer = await reader.readline()
                finally:
                    writer.close()
            if answer != b"+PONG\r\n":
                raise NotReady(f"redis: {answer!r}")

    return probe


async def _ask_datagram(sock: socket.socket, request: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LIMIT_S):
        await loop.sock_sendall(sock, request)
        return await loop.sock_recv(sock, 65536)


def rtpengine(port: int) -> Probe:
    """`ping` over ng, in bencode."""

    async def probe() -> None:
        with _as_not_ready("rtpengine"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", port))
            answer = await _ask_datagram(sock, b"probe d7:command4:pinge")
            if b"4:pong" not in answer:
                raise NotReady(f"rtpengine: {answer!r}")

    return probe


def kamailio(home: Home) -> Probe:
    """RPC core.uptime answers, which it does once all workers are forked."""
    rpc = KamailioRpc(home.kamailio_rpc)

    async def probe() -> None:
        try:
            async with asyncio.timeout(LIMIT_S):
                await rpc.ask("core.uptime")
        except (KamailioGoneError, RpcError, TimeoutError) as error:
            raise NotReady(f"kamailio: {str(error) or type(error).__name__}") from error

    return probe


def ready_file(path: Path) -> Probe:
    """The service has touched its file since it was started."""

    async def probe() -> None:
        if not path.exists():
            raise NotReady(f"{path.name} is not there yet")

    return probe


def http(address: str, port: int, path: str) -> Probe:
    """GET answers 200."""

    async def probe() -> None:
        with _as_not_ready("http"):
            async with asyncio.timeout(LIMIT_S):
                reader, writer = await asyncio.open_connection(_reachable(address), port)
                try:
                    request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
                    writer.write(request.encode())
                    status = await reader.readline()
                finally:
                    writer.close()
            if status.split()[1:2] != [b"200"]:
                raise NotReady(f"http: {status!r}")

    return probe


def _reachable(address: str) -> str:
    return "127.0.0.1" if address == "0.0.0.0" else address
