"""A real PostgreSQL and Redis for this folder, a database per test, and a running publisher and
mirror on demand.
"""

from __future__ import annotations

import asyncio
import mmap
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from gateway import demo
from gateway.home import Home
from gateway.mirror import Mirror
from gateway.ports import InternalPorts
from gateway.private_services import PrivateServices, private_services
from gateway.publisher import Publisher
from gateway.settings import Settings
from kemi.lookup import Registry
from number_registry.cache_layout import read_directory
from number_registry.compact_directory import CompactDirectory
from number_registry.deal_table import DealView, FileOfDeals
from number_registry.directory import NumberRoute
from number_registry.e164 import E164
from number_registry.publish.redis_copy import open_redis
from number_registry.snapshot import SnapshotView, boot_cell
from number_registry.store.migrations import migrate
from number_registry.store.pool import Connection, connect

PORTS = InternalPorts(ng=1, rtp_min=2, rtp_max=3, demo_net="127.9.9")
BOOT = boot_cell(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))
LIMIT_S = 20.0
LOOK_S = 0.002
_databases = count(1)


async def until(seen: Callable[[], object], what: str = "it") -> None:
    """Come back as soon as it is so; fail when it does not become so."""
    limit = time.monotonic() + LIMIT_S
    while not seen():
        assert time.monotonic() < limit, f"{what} did not happen in {LIMIT_S} s"
        await asyncio.sleep(LOOK_S)


@pytest.fixture(scope="session")
def services() -> Iterator[PrivateServices]:
    with private_services(durable=False) as found:
        asyncio.run(_databases_to_copy(found))
        yield found


async def _databases_to_copy(services: PrivateServices) -> None:
    connection = await asyncpg.connect(services.dsn("postgres"))
    for name in ("template_empty", "template_demo"):
        await connection.execute(f"CREATE DATABASE {name}")
        await migrate(services.dsn(name))
    await connection.close()
    home = Home(services.folder)
    assert await demo.seed(services.dsn("template_demo"), home, Settings(), PORTS)


def _database(services: PrivateServices, template: str) -> str:
    name = f"test_{next(_databases)}"

    async def make() -> None:
        connection = await asyncpg.connect(services.dsn("postgres"))
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        await connection.close()

    asyncio.run(make())
    return services.dsn(name)


@pytest.fixture
def empty_dsn(services: PrivateServices) -> str:
    """A database with all tables and nothing in them."""
    return _database(services, "template_empty")


@pytest.fixture
def dsn(services: PrivateServices) -> str:
    """A database with the demo company."""
    return _database(services, "template_demo")


@pytest_asyncio.fixture
async def sql(dsn: str) -> AsyncIterator[Connection]:
    """A connection to the demo company's database."""
    connection = await connect(dsn, "test")
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def redis(services: PrivateServices) -> AsyncIterator[Redis]:
    """The private Redis, running and empty; whatever the test does to it is undone."""
    _running_redis(services)
    client = open_redis(services.redis_url)
    await client.flushall()
    yield client
    await client.aclose()
    _running_redis(services)


def _running_redis(services: PrivateServices) -> None:
    process = services.redis.process
    if process is None or process.poll() is not None:
        services.redis.start()


@dataclass
class Host:
    """One gateway's publisher and mirror, and its mapped snapshot as a SIP worker sees it."""

    dsn: str
    redis_url: str
    folder: Path
    errors: list[BaseException] = field(default_factory=list)
    _view: SnapshotView | None = None
    _deals: DealView | None = None

    def __post_init__(self) -> None:
        self.publisher = Publisher(self.dsn, self.redis_url)
        self.mirror = Mirror(self.folder, self.redis_url, suspicious=self.publisher.audit_soon)

    @asynccontextmanager
    async def running(self, *, publisher: bool = True) -> AsyncIterator[Host]:
        """Both duties, started again when they fail, as the daemon does."""
        tasks = [asyncio.create_task(self._kept(self.mirror.run))]
        if publisher:
            tasks.append(asyncio.create_task(self._kept(lambda: self.publisher.run(self.mirror))))
        try:
            await asyncio.wait_for(self.mirror.ready.wait(), LIMIT_S)
            if publisher:
                await asyncio.wait_for(self.publisher.ready.wait(), LIMIT_S)
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.mirror.close()

    async def _kept(self, run: Callable[[], object]) -> None:
        while True:
            try:
                await run()  # type: ignore[misc]
            except Exception as error:
                self.errors.append(error)
                await asyncio.sleep(0)

    def view(self) -> SnapshotView:
        """The mapped file, looked up again when it says that there is a newer one."""
        if self._view is None or self._view.superseded:
            with (self.folder / "numbers.map").open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            self._view = SnapshotView(memoryview(mapped), BOOT)
        return self._view

    def directory(self) -> CompactDirectory:
        """The directory as a SIP worker has it now."""
        found = read_directory((self.folder / "directory.json").read_bytes())
        return CompactDirectory(self.view(), found.content, deals=FileOfDeals(self.deals()))

    def deals(self) -> DealView:
        """The mapped file of deals, likewise."""
        if self._deals is None or self._deals.superseded:
            with (self.folder / "deals.map").open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            self._deals = DealView(memoryview(mapped))
        return self._deals

    def route(self, number: str) -> NumberRoute | None:
        """What routing would be told of a number written with plus."""
        return self.directory().number(E164(number[1:]))

    def pbx_of(self, number: str) -> str:
        """Which PBX answers for it now; empty when none, or when the number is unknown."""
        route = self.route(number)
        return route.pbx if route else ""

    def fresh(self) -> bool:
        """Whether SIP workers would trust the snapshot."""
        return self.view().heartbeat_age_s(time.monotonic_ns()) < 1.0


@pytest.fixture
def host(dsn: str, services: PrivateServices, redis: Redis, tmp_path: Path) -> Host:
    """A gateway host on the demo company's database."""
    return Host(dsn, services.redis_url, tmp_path / "snapshot")


@pytest.fixture
def said() -> list[str]:
    """What a SIP worker wrote into its log."""
    return []


@pytest.fixture
def worker(said: list[str]) -> Iterator[Callable[[Host], Callable[[], CompactDirectory]]]:
    """A SIP worker's registry on a host: gives the directory for its next call."""
    opened = []

    def of(host: Host) -> Callable[[], CompactDirectory]:
        registry = Registry(host.folder, host.redis_url.removeprefix("unix://"), said.append)
        opened.append(registry)

        def next_call() -> CompactDirectory:
            directory = registry.refresh()
            registry.say_corruption()
            assert directory is not None
            return directory

        return next_call

    yield of
    for registry in opened:
        registry._redis.close()


@pytest.fixture
def dump(services: PrivateServices) -> Callable[[str], str]:
    """pg_dump of a database's schema, without the lines that differ from one dump to the next."""

    def schema(database: str) -> str:
        program = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))[-1]
        command = [program, "--schema-only", "-h", services.folder, "-U", "postgres", database]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lines = [line for line in text.splitlines() if not line.startswith(("\\", "--"))]
        return "\n".join(lines)

    return schema
