"""The daemon's socket for what people ask of live calls, both ends: one JSON line asks, one
answers; for root alone. It does nothing itself.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

Request = dict[str, Any]
Verb = Callable[[Request], Awaitable[dict[str, Any]]]
LONGEST = 1 << 16

_log = structlog.get_logger("gateway.desk")


class DeskError(Exception):
    """What was asked cannot be done; for people: what, and how to mend it."""

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what)
        self.what, self.mend = what, mend


class DeskGoneError(Exception):
    """The daemon does not run, or did not answer."""


async def serve(path: Path, verbs: Mapping[str, Verb], stop: asyncio.Event) -> None:
    """Take requests until ``stop``; those under way are broken off then."""
    under_way: set[asyncio.Task[None]] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            line = await reader.readline()
            if line:
                writer.write(json.dumps(await _answer(line, verbs)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # whoever asked has gone, or sent no line
        finally:
            under_way.discard(task)
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(client, path, limit=LONGEST)
    path.chmod(0o600)
    try:
        await stop.wait()
    finally:
        server.close()
        for task in list(under_way):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        path.unlink(missing_ok=True)


async def _answer(line: bytes, verbs: Mapping[str, Verb]) -> dict[str, Any]:
    try:
        request = json.loads(line)
        verb = verbs[request["do"]]
    except (ValueError, KeyError, TypeError) as error:
        return {"error": f"not understood: {error}", "mend": ""}
    try:
        return await verb(request)
    except DeskError as error:
        return {"error": error.what, "mend": error.mend}
    except Exception as error:
        _log.error("a request failed", do=str(request["do"]), error=repr(error))
        return {"error": f"it failed: {error!r}", "mend": "See log/gateway.log"}


def ask(path: Path, request: Request, seconds: float) -> dict[str, Any]:
    """Ask the daemon. Raises DeskGoneError, and DeskError for what it will not do."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(str(path))
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile("rb") as answers:
                line = answers.readline()
        except (OSError, TimeoutError) as error:
            raise DeskGoneError(f"the daemon does not answer: {error}") from error
    if not line:
        raise DeskGoneError("the daemon ended while it was asked")
    answer = dict(json.loads(line))
    if "error" in answer:
        raise DeskError(answer["error"], answer.get("mend", ""))
    return answer
