"""Starts a PostgreSQL and a Redis of one's own in a temporary folder, for benches and tests; never
the stack's own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from number_registry.cache_layout import LISTPACK_ENTRIES

START_S = 30.0
STOP_S = 15.0


class ServiceError(Exception):
    """A service that did not start; holds the end of its log."""


@dataclass
class Service:
    """One child process, its log, and how to find out that it answers."""

    arguments: list[str]
    log: Path
    answers: Callable[[], bool]
    user: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start and wait until it answers. Raises ServiceError with the end of its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_bound(self.user), *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServiceError(f"{self.arguments[0]}: {self.log.read_text('utf-8')[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9 and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_S)

    def signal(self, number: int) -> None:
        """Send a signal, for instance SIGSTOP: a service that hangs."""
        if self.process is not None:
            self.process.send_signal(number)

    def stop(self) -> None:
        """SIGINT (PostgreSQL's fast shutdown), then the hard way."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(2)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()


def _bound(user: str | None) -> list[str]:
    """Run as this user, and end when we end, however that happens."""
    who = ["--reuid", user, "--regid", user, "--init-groups"] if user else []
    return ["setpriv", "--pdeathsig", "INT", *who, "--"]


def _unix_answers(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _redis_answers(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def postgresql_folder() -> Path:
    """Folder of Debian's newest PostgreSQL programs. Raises ServiceError when there is none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    if not found:
        raise ServiceError("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1]


@dataclass(frozen=True)
class PrivateServices:
    """A PostgreSQL without databases of its own and an empty Redis, both on unix sockets only."""

    folder: Path
    postgresql: Service
    redis: Service

    @property
    def redis_url(self) -> str:
        return f"unix://{self.folder}/redis.sock"

    @property
    def redis_socket(self) -> Path:
        return self.folder / "redis.sock"

    def dsn(self, database: str) -> str:
        """Connection string of one database, as its owner."""
        return f"postgresql://postgres@/{database}?host={self.folder}"


@contextmanager
def private_services(*, durable: bool = True) -> Iterator[PrivateServices]:
    """Both services, started; stopped and removed at the end.

    ``durable=False`` spares fsync: right for tests, wrong for a bench of commits.
    """
    # Short: a unix socket's path must stay under 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-private-", dir="/tmp"))
    services = _plan(folder, durable)
    try:
        services.postgresql.start()
        services.redis.start()
        yield services
    finally:
        services.redis.stop()
        services.postgresql.stop()
        shutil.rmtree(folder)


def _plan(folder: Path, durable: bool) -> PrivateServices:
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    data = folder / "data"
    if user:
        shutil.chown(folder, user, user)
    programs = postgresql_folder()
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
    subprocess.run(
        [*_bound(user), *initdb, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
        check=True, cwd="/", stdout=subprocess.DEVNULL,
    )  # fmt: skip
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
    options += ["-c", "max_wal_size=4GB", "-c", "shared_buffers=256MB"]
    if not durable:
        options += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
    postgresql = Service(
        [str(programs / "postgres"), "-D", str(data), *options],
        folder / "postgresql.log",
        lambda: _unix_answers(folder / ".s.PGSQL.5432") and _ready(programs, folder),
        user,
    )
    redis_options = [
        "--port",
        "0",
        "--unixsocket",
        str(folder / "redis.sock"),
        "--dir",
        str(folder),
    ]
    redis_options += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
    redis_options += ["--hash-max-listpack-entries", str(LISTPACK_ENTRIES)]
    redis = Service(
        [shutil.which("redis-server") or "redis-server", *redis_options],
        folder / "redis.log",
        lambda: _redis_answers(folder / "redis.sock"),
    )
    return PrivateServices(folder, postgresql, redis)


def _ready(programs: Path, folder: Path) -> bool:
    asked = subprocess.run(
        [programs / "pg_isready", "-q", "-h", folder, "-U", "postgres", "-d", "postgres"],
        check=False,
    )
    return asked.returncode == 0
