"""What the bench measures: a native relay, and our call path with and without media, all private.

Each rig is Kamailio (and rtpengine) on a loopback net of the bench's own. Nothing here touches a
running stack.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import jinja2

from carrier_adapters.loader import files, load
from gateway.bench.cpu import spent_us
from gateway.endpoints.sipp import EndpointError, is_bound
from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.settings import Carriers, Media, Settings, Sip, TrunkOverride
from gateway.snapshot_file import SnapshotFile
from gateway.stack.render import REPO, ROLE_NAMES, render
from gateway.stack.services import RTPENGINE_MEMORY, kamailio_argv
from number_registry.cache_layout import (
    LAYOUT,
    GroupCell,
    NumberCell,
    directory_bytes,
    pack_group,
    pack_number,
)
from number_registry.model import State

WORKERS = 2
NUMBERS = 100_000
_FIRST = 74951000000
_UP_WITHIN_S = 15.0
_BEAT_S = 0.25


@dataclass(frozen=True, slots=True)
class Rig:
    """A running thing to be measured: where load goes, and whose CPU counts."""

    name: str
    net: str
    target: str
    numbers: tuple[str, ...]
    pids: tuple[tuple[str, int], ...]

    def spent_us(self) -> dict[str, float]:
        """CPU used so far, by program, in microseconds."""
        return {name: spent_us(pid) for name, pid in self.pids}


def free_nets() -> tuple[str, str, str]:
    """Three loopback /24s that nobody uses now."""
    first = 1 + os.getpid() % 240
    nets = (f"127.1.{first + step}" for step in range(10))
    free = [net for net in nets if not is_bound(f"{net}.2", 5060, "udp")]
    return free[0], free[1], free[2]


@asynccontextmanager
async def native(net: str) -> AsyncIterator[Rig]:
    """Kamailio with native.cfg: the yardstick."""
    folder = Path(tempfile.mkdtemp(prefix="portgate-bench-"))
    run = Path(tempfile.mkdtemp(prefix="portgate-bench-", dir="/run"))
    text = Path(__file__).with_name("native.cfg.j2").read_text("utf-8")
    config = folder / "kamailio.cfg"
    values = {"workers": WORKERS, "address": f"{net}.2", "port": 5060}
    far = {"far_address": f"{net}.3", "far_port": 5060}
    config.write_text(jinja2.Template(text, keep_trailing_newline=True).render(**values, **far))
    try:
        async with _kamailio(config, run, folder, f"{net}.2") as pid:
            yield Rig("native", net, f"{net}.2:5060", _some_numbers(), (("kamailio", pid),))
    finally:
        shutil.rmtree(run)
        shutil.rmtree(folder)


@asynccontextmanager
async def ours(net: str, *, media: bool) -> AsyncIterator[Rig]:
    """Kamailio with Portgate's own configuration, a snapshot of NUMBERS numbers, journals on."""
    home = Home(Path(tempfile.mkdtemp(prefix="portgate-bench-")))
    home.run.mkdir()
    try:
        ports = InternalPorts(ng=_free_udp_port(), rtp_min=40000, rtp_max=59999, demo_net=net)
        _furnish(home, net, ports, media)
        snapshot = SnapshotFile(home.snapshot)
        _fill(snapshot, net)
        beating = asyncio.create_task(_beat(snapshot))
        try:
            async with _relay(home, ports, media) as relay:
                config = home.kamailio_cfg
                async with _kamailio(config, home.run, home.log, f"{net}.2") as pid:
                    pids = (("kamailio", pid), *relay)
                    name = "media" if media else "inbound"
                    yield Rig(name, net, f"{net}.2:5060", _some_numbers(), pids)
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
            snapshot.close()
    finally:
        shutil.rmtree(home.run)
        shutil.rmtree(home.path)


def _carrier() -> tuple[str, str]:
    """A delivered carrier and its trunk; one that names the caller in From, as the load does."""
    for carrier in load(REPO / "carrier_adapters").carriers.values():
        if carrier.caller_header == "From":
            return carrier.name, carrier.trunks[0].name
    raise EndpointError("no delivered carrier names the caller in From")


def _furnish(home: Home, net: str, ports: InternalPorts, media: bool) -> None:
    for folder in (home.etc, home.carriers, home.secrets, home.journal, home.snapshot, home.log):
        folder.mkdir()
    home.token_key.write_bytes(secrets.token_bytes(32))
    far = TrunkOverride(sources=(f"{net}.1/32",), proxies=(f"sip:{net}.1:5060",))
    carrier, trunk = _carrier()
    settings = Settings(
        sip=Sip(address=f"{net}.2", port=5060, workers=WORKERS, tcp=False),
        media=Media(relay=media, address=f"{net}.4"),
        carriers=Carriers(overrides={carrier: {trunk: far}}),
    )
    for path in files(REPO / "carrier_adapters"):
        shutil.copy(path, home.carriers)
    render(home, settings, ports, ROLE_NAMES)


def _fill(snapshot: SnapshotFile, net: str) -> None:
    cell = NumberCell(group=1, carrier=1, state=int(State.IN_SERVICE))
    pairs = [(number, pack_number(number, cell)) for number in range(_FIRST, _FIRST + NUMBERS)]
    address = {"uri": f"sip:{net}.3:5060;transport=udp", "priority": 0}
    pbx = {"name": "pbx", "state": "in_service", "addresses": [address], "profile": {}}
    content = {
        "version": LAYOUT,
        "carriers": [None, _carrier()[0]],
        "pbxs": [None, pbx],
        "people": {},
        "roles": {},
        "sites": {},
        "emergency": ["112"],
    }
    _, blob = directory_bytes(content)
    groups = {1: pack_group(1, GroupCell(pbx=1))}
    snapshot.build(lambda: pairs, NUMBERS, groups, blob, (1, 0, 0))
    snapshot.beat()


async def _beat(snapshot: SnapshotFile) -> None:
    """What the mirror does beside a running stack: without it each call would ask Redis."""
    while True:
        snapshot.beat()
        await asyncio.sleep(_BEAT_S)


def _some_numbers() -> tuple[str, ...]:
    chosen = random.Random(1).sample(range(_FIRST, _FIRST + NUMBERS), 2000)
    return tuple(f"+{number}" for number in chosen)


@asynccontextmanager
async def _kamailio(config: Path, run: Path, log: Path, address: str) -> AsyncIterator[int]:
    argv = kamailio_argv(config, run)
    async with _process(argv, log / "kamailio.out") as process:
        await _until(process, log / "kamailio.out", lambda: is_bound(address, 5060, "udp"))
        yield process.pid


@asynccontextmanager
async def _relay(
    home: Home, ports: InternalPorts, media: bool
) -> AsyncIterator[tuple[tuple[str, int], ...]]:
    if not media:
        yield ()
        return
    argv = ["/usr/bin/rtpengine", f"--config-file={home.rtpengine_conf}"]
    argv += ["--config-section=rtpengine", "--foreground", "--log-stderr"]
    log = home.log / "rtpengine.out"
    async with _process(argv, log, RTPENGINE_MEMORY) as process:
        await _until(process, log, lambda: is_bound("127.0.0.1", ports.ng, "udp"))
        yield (("rtpengine", process.pid),)


@asynccontextmanager
async def _process(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    try:
        yield process
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, TimeoutError):
                if process.returncode is None:
                    process.send_signal(how)
                    async with asyncio.timeout(8.0):
                        await process.wait()


async def _until(process: asyncio.subprocess.Process, log: Path, up: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(_UP_WITHIN_S):
            while not up():
                if process.returncode is not None:
                    raise TimeoutError
                await asyncio.sleep(0.02)
    except TimeoutError:
        said = log.read_text("utf-8", "replace")[-1500:]
        raise EndpointError(f"{log.stem} did not start: {said}") from None


def _free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
