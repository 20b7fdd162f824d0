"""A Kamailio that relays, an rtpengine, and SIPps that talk through them; for tests here."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.kamailio_rpc import KamailioGoneError, KamailioRpc
from gateway.private_services import Service
from gateway.rtpengine_ng import Ng, NgError

# The relay a call crosses here is plain: what matters is that it keeps nothing of a call. MEND does
# what kemi/router.py does in `ksr_local_request`.
KAMAILIO = """
debug=1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:{port}
{modules}
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", "{folder}/rpc.sock")
modparam("jsonrpcs", "fifo_name", "")
modparam("rr", "append_fromtag", 0)
request_route {{
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); }} else if (is_method("ACK")) {{ t_check_trans(); }}
        exit;
    }}
    if (is_method("CANCEL")) {{ t_relay_cancel(); exit; }}
    record_route();
    $du = "sip:127.0.0.1:{far}";
    t_relay();
}}
{mend}
"""
MEND = """
event_route[tm:local-request] {
    if ($hdr(From) =~ ";tag=[^;]+;tag=[^;]+$") {
        subst_hf("From", "/;tag=[^;]+$//", "f");
    }
}
"""
MODULES = ("jsonrpcs", "kex", "corex", "tm", "tmx", "sl", "rr", "pv", "textops", "siputils")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _asks(coroutine: Any) -> bool:
    async def ask() -> bool:
        try:
            await asyncio.wait_for(coroutine, 1)
        except (TimeoutError, KamailioGoneError, NgError, OSError):
            return False
        return True

    # A thread of its own: the caller's has a loop running.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, ask()).result()


@dataclass
class Kamailio:
    port: int
    far: int
    rpc: KamailioRpc
    rpc_path: Path
    service: Service

    async def start(self) -> None:
        self.service.start()

    async def restart(self) -> None:
        """kill -9 of all of it, so that it remembers nothing."""
        assert self.service.process is not None
        children = Path(
            f"/proc/{self.service.process.pid}/task/{self.service.process.pid}/children"
        )
        pids = children.read_text().split()
        self.service.kill()
        for pid in pids:
            with suppress(ProcessLookupError):  # gone with its parent
                os.kill(int(pid), signal.SIGKILL)
        await self.start()


@contextmanager
def kamailio(mend: str = MEND) -> Iterator[Kamailio]:
    folder = Path(tempfile.mkdtemp(prefix="pg-kam-", dir="/tmp"))
    port, far = free_port(), free_port()
    modules = "\n".join(f'loadmodule "{name}.so"' for name in MODULES)
    config = folder / "kamailio.cfg"
    config.write_text(
        KAMAILIO.format(port=port, far=far, folder=folder, modules=modules, mend=mend)
    )
    rpc = KamailioRpc(folder / "rpc.sock")
    program = shutil.which("kamailio") or "/usr/sbin/kamailio"
    arguments = [program, "-f", str(config), "-DD", "-E", "-m", "16", "-M", "4"]
    service = Service(arguments, folder / "log", lambda: _asks(rpc.ask("core.uptime")))
    try:
        yield Kamailio(port, far, rpc, folder / "rpc.sock", service)
    finally:
        service.stop()
        shutil.rmtree(folder)


@dataclass
class Rtpengine:
    port: int
    service: Service

    async def start(self) -> None:
        self.service.start()


@contextmanager
def rtpengine(timeout_s: int = 60) -> Iterator[Rtpengine]:
    folder = Path(tempfile.mkdtemp(prefix="pg-rtp-", dir="/tmp"))
    port = free_port()
    program = shutil.which("rtpengine") or "/usr/bin/rtpengine"
    service = Service(
        [program, "--config-file=none", "--foreground", "--log-stderr", "--table=-1",
         "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{port}", "--delete-delay=0",
         f"--timeout={timeout_s}",
         "--port-min=50000", "--port-max=50100", "--num-threads=1", "--log-level=4"],
        folder / "log",
        lambda: _asks(_ping(port)),
    )  # fmt: skip
    try:
        yield Rtpengine(port, service)
    finally:
        service.stop()
        shutil.rmtree(folder)


async def _ping(port: int) -> None:
    async with Ng("127.0.0.1", port) as ng:
        await ng.ping()


@asynccontextmanager
async def sipp(scenario: str, port: int, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One call of a scenario; SIPp's exit code says whether all was as expected."""
    folder = Path(tempfile.mkdtemp(prefix="pg-sipp-", dir="/tmp"))
    (folder / "scenario.xml").write_text(scenario)
    process = await asyncio.create_subprocess_exec(
        "sipp", "-sf", "scenario.xml", "-i", "127.0.0.1", "-p", str(port), "-m", "1", "-nostdin",
        "-timeout", "20", "-timeout_error", "-trace_err", "-error_file", "errors",
        "-trace_msg", "-message_file", "messages", *more,
        cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    process.folder = folder  # type: ignore[attr-defined]
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        shutil.rmtree(folder)


async def went_well(process: asyncio.subprocess.Process) -> None:
    """Wait for SIPp's end and fail with what it complains about."""
    code = await asyncio.wait_for(process.wait(), 25)
    folder: Path = process.folder  # type: ignore[attr-defined]
    said = "\n".join(
        path.read_text() for name in ("errors", "messages") if (path := folder / name).exists()
    )
    assert code == 0, said


async def bound(port: int) -> None:
    """Return when somebody has bound this UDP port."""
    wanted = f":{port:04X} "
    for _ in range(2000):
        if wanted in await asyncio.to_thread(Path("/proc/net/udp").read_text):
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"nobody listens on {port}")
