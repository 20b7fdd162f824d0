"""A stack of a test's own: a home and ports nobody else has, and the command line to drive it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[3]
WAIT_S = 120


def free_port() -> int:
    """A port that nobody holds over UDP nor TCP, below the range of passing connections."""
    for port in range(15000 + os.getpid() % 5000, 32000):
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("every port is taken")


@dataclass(frozen=True)
class Stack:
    """One home with the environment its commands are run in."""

    home: Path
    env: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "gateway.cli", *arguments]

    def portgate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self.command(*arguments), env=self.env, capture_output=True, text=True,
            timeout=WAIT_S, check=False,
        )  # fmt: skip

    def timed(self, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
        began = time.monotonic()
        return self.portgate(*arguments), time.monotonic() - began

    def up(self, *arguments: str) -> dict[str, Any]:
        """`up --detach --json`; fails with what it said when the stack is not ready."""
        done = self.portgate("up", "--detach", "--json", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.portgate("status", "--json").stdout))

    def pids(self) -> dict[str, int]:
        return {service["name"]: service["pid"] for service in self.status()["services"]}


@contextmanager
def stack(prefix: str = "portgate-test-") -> Iterator[Stack]:
    """A home that is down; whatever runs in it at the end is stopped, and it is removed."""
    # Not pytest's tmp_path: the user postgres may not pass through that.
    home = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    env = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPO),
        "PORTGATE_HOME": str(home),
        "PORTGATE_SIP_PORT": str(free_port()),
    }
    with socket.create_server(("127.0.0.1", 0)) as api:
        env["PORTGATE_API_PORT"] = str(api.getsockname()[1])
    one = Stack(home, env)
    try:
        yield one
    finally:
        said = {path.name: path.read_text()[-2000:] for path in (home / "log").glob("*.log")}
        been_up = (home / "ports.toml").exists()
        done = one.portgate("down", *(("--purge", "--yes") if been_up else ()))
        if home.exists():
            shutil.rmtree(home)
        assert done.returncode == 0, (done.stderr, said)
