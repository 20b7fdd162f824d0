"""Tells running SIP workers that carriers' files have changed, and hears from each that it took
them.

A worker looks at the time of one file when a message comes, four times a second at most, loads what
changed and says so in a file of its own. An idle worker gets a message from us: an OPTIONS that
nobody known sends, and that is therefore not even answered. Those for TCP get connections in turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.home import Home
from gateway.kamailio_rpc import KamailioRpc

WAIT_S = 4.0
NUDGE_EVERY_S = 0.05
# The names that kemi/worker.py gives them.
GENERATION_FILE = "carriers.generation"
TAKEN = "carriers.taken-"
_NUDGES = 8  # a socket's workers take its datagrams in no particular order


async def tell(home: Home, sip: tuple[str, int]) -> list[dict[str, Any]]:
    """Put the files to work; what each worker says: pid, what it is, took, refused.

    One that is too busy to say so within WAIT_S takes them with its next message all the same.
    Raises KamailioGoneError.
    """
    workers = await _workers(home)
    generation = _touch(home.snapshot / GENERATION_FILE)
    until = time.monotonic() + WAIT_S
    said = _said(home.snapshot, generation)
    while workers.keys() - said.keys() and time.monotonic() < until:
        silent = {what[:3] for pid, what in workers.items() if pid not in said}
        for transport in silent:
            await _nudge(transport, sip, len(workers))
        await asyncio.sleep(NUDGE_EVERY_S)
        said = _said(home.snapshot, generation)
    _clear(home.snapshot, set(workers))
    return [
        {"pid": pid, "worker": what, "took": pid in said, "refused": said.get(pid, [])}
        for pid, what in workers.items()
    ]


async def _nudge(transport: str, sip: tuple[str, int], workers: int) -> None:
    """Enough messages that each worker of this transport is likely to get one."""
    if transport == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nudging:
            nudging.setblocking(False)
            for _ in range(_NUDGES * workers):
                nudging.sendto(_options("UDP", sip), sip)
        return
    for _ in range(workers):
        with suppress(OSError, TimeoutError):  # the deadline decides, not one connection
            async with asyncio.timeout(NUDGE_EVERY_S * 4):
                _, writer = await asyncio.open_connection(*sip)
                writer.write(_options("TCP", sip))
                await writer.drain()
                writer.close()


async def _workers(home: Home) -> dict[int, str]:
    """Processes that read SIP, by pid."""
    listed = await KamailioRpc(home.kamailio_rpc).ask("core.ps")
    pairs = zip(listed[::2], listed[1::2], strict=True)
    return {int(pid): what for pid, what in pairs if what.startswith(("udp rec", "tcp rec"))}


def _touch(path: Path) -> int:
    """A time that is surely another: the clock of a file system may tick slowly."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.touch()
    now = max(time.time_ns(), before + 1)
    os.utime(path, ns=(now, now))
    return path.stat().st_mtime_ns


def _said(folder: Path, generation: int) -> dict[int, list[str]]:
    """Pid to the files it refused, of those that have taken this generation."""
    found = {}
    for path in folder.glob(f"{TAKEN}*"):
        told = json.loads(path.read_text("ascii"))
        if told["generation"] == generation:
            found[int(path.name.removeprefix(TAKEN))] = told["refused"]
    return found


def _clear(folder: Path, alive: set[int]) -> None:
    """Forget what workers of an earlier Kamailio said."""
    for path in folder.glob(f"{TAKEN}*"):
        if int(path.name.removeprefix(TAKEN)) not in alive:
            path.unlink(missing_ok=True)


def _options(transport: str, sip: tuple[str, int]) -> bytes:
    us = f"{sip[0]}:{sip[1]}"
    lines = (
        f"OPTIONS sip:{us} SIP/2.0",
        f"Via: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK-carriers",
        "From: <sip:carriers@localhost>;tag=apply",
        f"To: <sip:{us}>",
        "Call-ID: carriers-apply",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 1",
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
