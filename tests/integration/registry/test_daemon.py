"""The daemon as a whole: it gets ready, does its duties, restarts one that fails, and stops when
told.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway import daemon
from gateway.daemon import Daemon, Duty
from gateway.home import Home
from gateway.private_services import PrivateServices
from gateway.settings import Media, Settings
from number_registry.store.pool import Connection

from .conftest import PORTS, Host, until

pytestmark = pytest.mark.asyncio
NUMBER = 74951230003


class There(Home):
    """A home whose PostgreSQL and Redis are the test's."""

    dsn = url = ""

    @property
    def postgres_dsn(self) -> str:
        return There.dsn

    @property
    def redis_url(self) -> str:
        return There.url


@pytest.fixture
def home(
    dsn: str,
    services: PrivateServices,
    redis: Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Home:
    monkeypatch.setattr(There, "dsn", dsn)
    monkeypatch.setattr(There, "url", services.redis_url)
    (tmp_path / "journal").mkdir()
    return There(tmp_path)


async def test_the_daemon_gets_ready_publishes_and_stops(home: Home, sql: Connection) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()
    settings = Settings(media=Media(relay=False))
    task = asyncio.create_task(daemon.run(daemon.compose(home, settings, PORTS), stop, ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    host = Host(There.dsn, There.url, home.snapshot)
    before = host.view().number(NUMBER)
    await sql.execute("UPDATE tenancies SET state = 'suspended' WHERE e164 = $1", NUMBER)
    await until(lambda: host.view().number(NUMBER) != before)
    stop.set()
    await asyncio.wait_for(task, 10)
    again = Host(There.dsn, There.url, home.snapshot)
    async with again.running():  # nobody holds the snapshot's lock any more
        assert again.view().count == 40


def one_duty(duty: Duty) -> Daemon:
    routable = asyncio.Event()
    routable.set()
    return Daemon((duty,), routable, (), lambda: None)


async def test_a_duty_that_fails_is_started_again() -> None:
    stop, runs = asyncio.Event(), []

    async def fails_twice(stop: asyncio.Event) -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise RuntimeError("not yet")
        await stop.wait()

    task = asyncio.create_task(daemon.run(one_duty(Duty("test", fails_twice)), stop, lambda: None))
    await until(lambda: len(runs) == 3)
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_a_duty_that_does_not_listen_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "STOP_S", 0.05)
    stop, cut = asyncio.Event(), asyncio.Event()

    async def deaf(_: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    stop.set()
    await asyncio.wait_for(daemon.run(one_duty(Duty("deaf", deaf)), stop, lambda: None), 5)
    assert cut.is_set()


async def test_calls_are_taken_from_the_snapshot_though_postgresql_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemon, "WAIT_S", 0.05)
    stop, ready, never = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def waits(stop: asyncio.Event) -> None:
        await stop.wait()

    composed = one_duty(Duty("waits", waits))._replace(followed=(never,))
    task = asyncio.create_task(daemon.run(composed, stop, ready.set))
    await asyncio.wait_for(ready.wait(), 5)
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_without_a_snapshot_the_daemon_is_not_ready() -> None:
    stop, ready = asyncio.Event(), asyncio.Event()

    async def waits(stop: asyncio.Event) -> None:
        await stop.wait()

    composed = one_duty(Duty("waits", waits))._replace(routable=asyncio.Event())
    task = asyncio.create_task(daemon.run(composed, stop, ready.set))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert not ready.is_set()
