"""One SIPp process: started, ready when bound, told what to do, ended by pid; judges nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.endpoints.message import SipMessage
from gateway.endpoints.trace import TraceReader

# What SIPp found unexpected starts with the time; the message it quotes then does not.
_REPORT = re.compile(r"\d{4}-\d\d-\d\d\s\d\d:\d\d:\d\d\.\d+")

READY_WITHIN_S = 10.0
LONGEST_RUN_S = 300  # SIPp ends itself then, should its owner have died without a word


class EndpointError(RuntimeError):
    """A far end could not be started or did not do what it was told; says why."""


class SippProcess:
    """SIPp with its message log on a pipe and its orders on a TCP connection.

    SIPp calls that connection "3pcc twin". It is made before the first message, so it also tells
    when SIPp is up; and SIPp ends when the connection does, so none is left behind.
    """

    def __init__(
        self,
        *,
        address: str,
        port: int,
        transport: str,
        on_message: Callable[[SipMessage], None],
        on_lost_order: Callable[[str, str], None],
    ) -> None:
        self.address = address
        self.port = port
        self.transport = transport
        self.errors: list[str] = []
        self._first_words: list[str] = []
        self._on_message = on_message
        self._on_lost_order = on_lost_order
        self._folder = tempfile.TemporaryDirectory(prefix="portgate-sipp-")
        self._process: asyncio.subprocess.Process | None = None
        self._twin: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int:
        if self._process is None:
            raise EndpointError("SIPp was not started")
        return self._process.pid

    async def start(
        self, scenario: str, *, remote: str = "", calls: int = 0, call_id: str = ""
    ) -> None:
        """Run a scenario. `remote` "ip:port" and `calls` make it a caller; `call_id` is its call's.

        Raises EndpointError with SIPp's own words when it is not bound in time.
        """
        if is_bound(self.address, self.port, self.transport):
            raise EndpointError(f"{self.address}:{self.port}/{self.transport} is already in use")
        folder = Path(self._folder.name)
        (folder / "scenario.xml").write_text(scenario, encoding="utf-8")
        connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server = await asyncio.start_server(
            lambda reader, writer: self._twin_connected(reader, writer, connected), "127.0.0.1", 0
        )
        twin = self._server.sockets[0].getsockname()[1]
        log, log_end = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(remote, calls, twin, log_end, call_id),
                pass_fds=(log_end,),
                cwd=folder,
                env={**os.environ, "TZ": "UTC", "TERM": "dumb"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        finally:
            os.close(log_end)
        self._tasks = [
            asyncio.create_task(self._read_log(log)),
            asyncio.create_task(self._read_errors()),
        ]
        await self._until_bound(connected)

    async def order(self, call_id: str, words: str) -> None:
        """Tell the scenario what to do with one call, for example "bye" or "reinvite sendonly"."""
        if self._twin is None:
            raise EndpointError("SIPp has gone, so it takes no orders")
        self._twin.write(f"Call-ID: {call_id}\r\nDo: {words}\r\n\r\n\x1b".encode())
        await self._twin.drain()

    async def close(self) -> None:
        """End the process and everything that belongs to it. Safe to call twice."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
                self._process.kill()
            await self._process.wait()
        if self._twin is not None:
            self._twin.close()
            self._twin = None
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._tasks:
            # Both pipes are at their end now that the process is gone.
            await asyncio.wait(self._tasks, timeout=READY_WITHIN_S)
            self._tasks = []
        self._folder.cleanup()

    def _command(self, remote: str, calls: int, twin: int, log_end: int, call_id: str) -> list[str]:
        command = ["sipp", *([remote] if remote else [])]
        command += ["-sf", "scenario.xml", "-i", self.address, "-p", str(self.port)]
        command += ["-t", "t1" if self.transport == "tcp" else "u1"]
        # Its own idle media and control ports go to the same address, never to all.
        command += ["-mi", self.address, "-ci", self.address]
        command += ["-3pcc", f"127.0.0.1:{twin}", "-nostdin", "-nd"]
        command += ["-trace_msg", "-message_file", f"/dev/fd/{log_end}"]
        command += ["-trace_err", "-error_file", "/dev/stderr"]
        # One message, then one step: else the next order or request would meet an answer half made.
        command += ["-max_recv_loops", "1"]
        command += ["-timeout", f"{LONGEST_RUN_S}s"]
        if calls:
            command += ["-m", str(calls), "-l", str(calls), "-r", "1000"]
        if call_id:
            command += ["-cid_str", call_id]
        return command

    def _twin_connected(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connected: asyncio.Future[None],
    ) -> None:
        self._twin = writer
        # What scenarios say here ("ready", "called") is in the message log too; only drain it.
        self._tasks.append(asyncio.create_task(_drain(reader)))
        if not connected.done():
            connected.set_result(None)

    async def _until_bound(self, connected: asyncio.Future[None]) -> None:
        assert self._process is not None
        ended = asyncio.create_task(self._process.wait())
        try:
            either: set[asyncio.Future[Any]] = {connected, ended}
            await asyncio.wait(either, timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        if connected.done() and is_bound(self.address, self.port, self.transport):
            return
        await self.close()
        raise EndpointError(
            f"SIPp did not come up on {self.address}:{self.port}/{self.transport}: "
            + (" ".join(self._first_words + self.errors) or "no word from it")
        )

    async def _read_log(self, descriptor: int) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
        )
        trace = TraceReader()
        while piece := await reader.read(1 << 16):
            for message in trace.feed(piece):
                self._on_message(message)
            while trace.lost_orders:
                self._on_lost_order(*trace.lost_orders.pop(0))
        transport.close()

    async def _read_errors(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        while line := await self._process.stderr.readline():
            text = line.decode("utf-8", "replace").strip()
            if _REPORT.match(text):
                self.errors.append(text)
            elif self._twin is None and text:
                self._first_words.append(text)


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass


def is_bound(address: str, port: int, transport: str) -> bool:
    """True when a socket of this machine is bound (UDP) or listens (TCP) exactly there."""
    octets = bytes(int(part) for part in address.split("."))
    wanted = f"{int.from_bytes(octets, 'little'):08X}:{port:04X}"
    state = "0A" if transport == "tcp" else "07"
    with Path(f"/proc/net/{transport}").open(encoding="ascii") as table:
        return any(row.split()[1] == wanted and row.split()[3] == state for row in table)
