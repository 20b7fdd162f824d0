"""A real baresip as a far end: it registers, calls and answers, ordered over its control socket."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 8.0
CONTROL_PORT = 4444
_CONFIG = """\
sip_listen {address}:{port}
module_path /usr/lib/baresip/modules
module g711.so
module {more}.so
module ausine.so
module account.so
module menu.so
module ctrl_tcp.so
ctrl_tcp_listen {address}:{control}
audio_source ausine,{hz}
audio_player none
ausrc_srate 48000
ausrc_channels 2
rtp_ports {rtp}-{rtp_last}
sip_verify_server no
"""


def config(address: str, *, port: int = 5060, hz: int = 1000, more: str = "g722") -> str:
    """What baresip's file of this name holds for one at this address that sends this tone."""
    rtp = 20000 + port % 1000
    values = {"address": address, "port": port, "control": CONTROL_PORT, "hz": hz, "more": more}
    return _CONFIG.format(**values, rtp=rtp, rtp_last=rtp + 20)


class Baresip:
    """One running baresip. Made by `baresip`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            try:
                length = int((await self._reader.readuntil(b":"))[:-1])
                text = (await self._reader.readexactly(length + 1))[:-1]
            except asyncio.IncompleteReadError:
                return
            said = json.loads(text)
            if said.get("event"):
                self.events.append(said)
                self._news.set()

    async def orders(self, command: str, parameters: str = "") -> None:
        text = json.dumps({"command": command, "params": parameters, "token": "t"}).encode()
        self._writer.write(b"%d:%s," % (len(text), text))
        await self._writer.drain()

    async def until(self, kind: str, nth: int = 1, within: float = PATIENCE_S) -> dict[str, Any]:
        """The nth event of this type since the start. Raises TimeoutError with those that came."""
        try:
            async with asyncio.timeout(within):
                while len(found := [one for one in self.events if one["type"] == kind]) < nth:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            came = [(one["type"], one.get("param")) for one in self.events]
            raise TimeoutError(f"no {kind} ({nth}); there came {came}") from None
        return found[nth - 1]

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()


@asynccontextmanager
async def baresip(
    address: str,
    account: str,
    *,
    port: int = 5060,
    hz: int = 1000,
    more: str = "g722",
    inside: Sequence[str] = (),
) -> AsyncIterator[Baresip]:
    """Start one at this address; `account` as in its accounts file. `more`: another module.
    ``inside``: words of a command that runs it elsewhere, as `ip netns exec far`.
    """
    if shutil.which("baresip") is None:
        pytest.skip("baresip is not installed here")
    folder = Path(tempfile.mkdtemp(prefix="baresip-", dir="/tmp"))
    (folder / "config").write_text(config(address, port=port, hz=hz, more=more))
    (folder / "accounts").write_text(account + "\n")
    with (folder / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *inside, "baresip", "-f", str(folder), "-v", stdout=log, stderr=log
        )
    try:
        phone = Baresip(*await _control(address))
        try:
            yield phone
            await phone.orders("quit")
            await asyncio.wait_for(process.wait(), 5)
        finally:
            await phone.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        print((folder / "log").read_text("utf-8", "replace")[-3000:])
        shutil.rmtree(folder)


async def _control(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        try:
            return await asyncio.open_connection(address, CONTROL_PORT)
        except OSError:
            await asyncio.sleep(0.05)
    raise TimeoutError(f"baresip at {address} does not start")
