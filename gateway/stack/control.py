"""The supervisor's control socket, both ends: one JSON line asks, one JSON line answers; no other
state.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.home import Home
from gateway.stack.problems import NotRunning, Problem

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def serve(home: Home, answer: Answer) -> asyncio.AbstractServer:
    """Listen on run/supervisor.sock, for root only."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line:
                try:
                    request = json.loads(line)
                    reply = await answer(request)
                except (ValueError, KeyError, TypeError) as error:
                    reply = {"error": f"not understood: {error}"}
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            return  # whoever asked has gone
        finally:
            writer.close()

    home.supervisor_socket.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(client, home.supervisor_socket)
    home.supervisor_socket.chmod(0o600)
    return server


def ask(home: Home, request: dict[str, Any], seconds: float = 5.0) -> dict[str, Any]:
    """Ask the running supervisor. Raises NotRunning when none answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(str(home.supervisor_socket))
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile("rb") as answers:
                line = answers.readline()
        except (FileNotFoundError, ConnectionError) as error:
            raise _not_running(home, "nothing listens") from error
        except TimeoutError as error:
            raise _not_running(home, f"its supervisor did not answer in {seconds:.0f} s") from error
    if not line:
        raise _not_running(home, "its supervisor ended while asked")
    return dict(json.loads(line))


def _not_running(home: Home, why: str) -> NotRunning:
    return NotRunning(Problem(f"no stack of {home.path} runs", why, "Start it: ./portgate up"))
