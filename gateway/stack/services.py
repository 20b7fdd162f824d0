"""What the six services are: command, environment, readiness, order and how each is ended. Starts
nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.settings import Settings
from gateway.stack import probes
from gateway.stack.render import REPO

# What `status` shows, in the order people think of them.
NAMES = ("kamailio", "rtpengine", "redis", "postgresql", "gateway", "admin_api")

# Debian's default memory manager makes every call two to three times dearer; without the larger
# receive buffer bursts are lost. Also used for the native baseline of the bench.
KAMAILIO_FLAGS = ("-DD", "-E", "-x", "fm", "-X", "fm", "-m", "256", "-M", "16", "-b", "8388608")

# Calls go before everything else on the machine. A SIP worker waits for the media relay for at most
# two tenths of a second; among equals, eight busy programs can keep the relay off two cores for
# longer, and the call is lost.
CALLS_FIRST = -10


@dataclass(frozen=True)
class Service:
    """One process to keep alive.

    probe raises when the service does not answer now; `ready_s` and `stop_s` bound the waiting,
    and supervisor.STOP_S where all are stopped.
    `sockets` are removed before each start: a killed process leaves its own behind. `nice`: its
    turn at the processor beside ours, below 0 before it.
    """

    name: str
    argv: tuple[str, ...]
    probe: Callable[[], Awaitable[None]]
    env: Mapping[str, str]
    after: tuple[str, ...] = ()
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    ready_s: float = 30
    stop_s: float = 8
    sockets: tuple[Path, ...] = field(default=())
    nice: int = 0


def postgresql_bin(root: Path = Path("/usr/lib/postgresql")) -> Path:
    """Folder of the newest installed PostgreSQL's programs. Raises FileNotFoundError."""
    found = [path for path in root.glob("*/bin") if (path / "postgres").exists()]
    if not found:
        raise FileNotFoundError(f"no postgres below {root}")
    return max(found, key=lambda path: float(path.parent.name))


def kamailio_argv(cfg: Path, run: Path) -> tuple[str, ...]:
    """Kamailio in the foreground with our memory settings."""
    return ("/usr/sbin/kamailio", "-f", str(cfg), *KAMAILIO_FLAGS, "-Y", str(run))


def _environment(home: Home, env: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the user's shell but what concerns Portgate: services must not depend on who
    started them.
    """
    kept = {key: value for key, value in env.items() if key.startswith("PORTGATE_")}
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "TZ": env.get("TZ", ""),
        **kept,
        "PORTGATE_HOME": str(home.path),
    }


# rtpengine makes and frees some thousand small pieces for each call; with jemalloc, which Redis
# brings along, and without GLib's own slices, a call costs it a quarter less.
RTPENGINE_MEMORY = {"LD_PRELOAD": "libjemalloc.so.2", "G_SLICE": "always-malloc"}


def services(
    home: Home, settings: Settings, ports: InternalPorts, env: Mapping[str, str] = os.environ
) -> list[Service]:
    """The stack of one home, in an order that respects `after`."""
    base = _environment(home, env)
    python = {**base, "PYTHONPATH": str(REPO), "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
    stack = [
        Service(
            "postgresql",
            (str(postgresql_bin() / "postgres"), "-D", str(home.postgresql_data),
             "-c", f"config_file={home.postgresql_conf}"),
            probes.postgresql(home),
            base,
            user="postgres",
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client
            stop_s=20,
            ready_s=120,  # crash recovery replays the log first
        ),
        Service(
            "redis",
            ("/usr/bin/redis-server", str(home.redis_conf)),
            probes.redis(home.redis_socket),
            base,
            sockets=(home.redis_socket,),
        ),
        Service(
            "rtpengine",
            ("/usr/bin/rtpengine", f"--config-file={home.rtpengine_conf}",
             "--config-section=rtpengine", "--foreground", "--log-stderr"),
            probes.rtpengine(ports.ng),
            base | RTPENGINE_MEMORY,
            after=("database",),  # only then it is known which carriers are at work
            nice=CALLS_FIRST,
        ),
        Service(
            "gateway",
            (sys.executable, "-m", "gateway.daemon"),
            probes.ready_file(home.gateway_ready),
            python,
            after=("postgresql", "redis", "database"),
            sockets=(home.gateway_ready,),
        ),
        Service(
            "kamailio",
            kamailio_argv(home.kamailio_cfg, home.run),
            probes.kamailio(home),
            base,
            after=("gateway", "rtpengine"),
            sockets=(home.kamailio_rpc,),
            nice=CALLS_FIRST,
        ),
        Service(
            "admin_api",
            (sys.executable, "-m", "admin_api.server"),
            probes.http(settings.api.address, settings.api.port, "/v1/health"),
            python,
            after=("gateway",),
        ),
    ]  # fmt: skip
    return stack if settings.media.relay else _without_media(stack)


def _without_media(stack: list[Service]) -> list[Service]:
    return [
        replace(service, after=tuple(name for name in service.after if name != "rtpengine"))
        for service in stack
        if service.name != "rtpengine"
    ]
