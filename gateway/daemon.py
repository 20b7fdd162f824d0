"""Puts the daemon together: which duties there are, and what each is given; no duty's work is done
here.

A duty that fails is started again by itself, the others go on. SIGTERM or SIGINT stops all of them
in order.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import structlog

from gateway import ports as internal
from gateway import retry, tls, waves
from gateway import settings as configured
from gateway.calls.channels import Channels
from gateway.calls.duty import reap
from gateway.calls.fold import Call
from gateway.calls.ingest import Ingest
from gateway.calls.live import Live
from gateway.carrier_files.at_work import AtWork
from gateway.carrier_files.secrets import Secrets
from gateway.desk import duty as desk
from gateway.desk.arrivals import Arrivals
from gateway.health.registered import RegisteredHealth
from gateway.health.targets import Targets
from gateway.health.watch import Watch
from gateway.home import Home
from gateway.kamailio_rpc import KamailioRpc
from gateway.mirror import Mirror
from gateway.names import duty as names
from gateway.names import said as resolved
from gateway.network import declared
from gateway.ports import InternalPorts
from gateway.publisher import Publisher
from gateway.registrations import watch as registering
from gateway.registrations.wanted import Ours
from gateway.settings import Settings
from number_registry.model import Transport

STOP_S = 5.0  # for all duties together; a batch of records is stored in far less
# A thread that builds a snapshot must not make each answer from a socket wait Python's usual 5 ms.
SWITCH_S = 0.0005
WAIT_S = 10.0  # for what needs PostgreSQL; calls are routed from the snapshot without it

log = structlog.get_logger("daemon")


class Duty(NamedTuple):
    """One thing the daemon does for ever. ``run`` returns soon after the event is set."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]


class Daemon(NamedTuple):
    """All duties, and what has to happen before calls can be taken."""

    duties: tuple[Duty, ...]
    routable: asyncio.Event  # there is a snapshot
    followed: tuple[asyncio.Event, ...]  # the truth is published, the journal is read
    close: Callable[[], None]


def compose(home: Home, settings: Settings, ports: InternalPorts) -> Daemon:
    """Every object of the daemon, wired; nothing runs yet."""
    publisher = Publisher(home.postgres_dsn, home.redis_url)
    mirror = Mirror(home.snapshot, home.redis_url, suspicious=publisher.audit_soon)
    live, arrivals = Live(), Arrivals()
    channels = Channels(KamailioRpc(home.kamailio_rpc), lambda: live.calls, AtWork(home))

    def folded(calls: Mapping[str, Call]) -> None:
        live.folded(calls)
        channels.folded(calls)
        arrivals.folded(calls)

    ingest = Ingest(home.journal, home.postgres_dsn, opened=live.opened, folded=folded)
    duties = (
        Duty("publisher", lambda stop: until(stop, publisher.run(mirror))),
        Duty("mirror", lambda stop: until(stop, mirror.run())),
        Duty("calls", ingest.run),
        Duty("live", lambda stop: live.run(home.redis_url, stop)),
        Duty("reaper", lambda stop: reap(home, settings, ports, live, ingest.caught_up, stop)),
        Duty("desk", lambda stop: desk.run(home, live, arrivals, stop)),
        Duty("channels", lambda stop: channels.run(stop, ingest.caught_up)),
        Duty("names", names.Duty(home, settings).run),
        Duty("registrations", _registrations(home, settings).run),
        Duty("waves", lambda stop: waves.watch(home.postgres_dsn, stop)),
        *_networks(home, settings),
    )
    if settings.sip.tls_port:
        duties += (Duty("certificate", lambda stop: tls.follow(home, settings.sip, stop)),)
    if settings.health.enabled:
        duties += (Duty("health", _health(home, settings).run),)
    return Daemon(duties, mirror.ready, (publisher.ready, ingest.caught_up), mirror.close)


def _health(home: Home, settings: Settings) -> Watch:
    health = settings.health
    return Watch(
        home.snapshot,
        settings.sip.address,
        Targets(home),
        interval_s=health.interval_s,
        answer_s=health.answer_s,
        tls=tls.context(settings.sip),
        also=RegisteredHealth(KamailioRpc(home.kamailio_rpc), home.snapshot).look,
    )


def _registrations(home: Home, settings: Settings) -> registering.Watch:
    sip = settings.sip
    tcp = sip.port if sip.tcp else 0
    ports = {Transport.UDP: sip.port, Transport.TCP: tcp, Transport.TLS: sip.tls_port}
    ours = Ours(sip.advertised_address or sip.address, sip.address, ports)
    secrets = Secrets(home.carrier_secrets)
    rpc = KamailioRpc(home.kamailio_rpc)
    known = functools.partial(resolved.read, home.snapshot)
    return registering.Watch(rpc, home.snapshot, AtWork(home), secrets, known, ours)


def _networks(home: Home, settings: Settings) -> tuple[Duty, ...]:
    """The watch over the carriers' networks, where any is declared; netlink is loaded only then."""
    legs = declared.legs(settings.network.hand_offs)
    if not legs:
        return ()
    from gateway.network import watch

    return (Duty("network", lambda stop: watch.run(legs, home.network_faults, stop)),)


async def run(daemon: Daemon, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """All duties until ``stop``; ``ready`` is called once, when calls may come."""
    sys.setswitchinterval(SWITCH_S)
    tasks = {asyncio.create_task(_kept(duty, stop), name=duty.name) for duty in daemon.duties}
    announcement = asyncio.create_task(_announce(daemon, ready), name="ready")
    try:
        await stop.wait()
        _, late = await asyncio.wait(tasks, timeout=STOP_S)
        for task in late:
            log.error("duty does not stop", duty=task.get_name())
    finally:
        for task in (announcement, *tasks):
            task.cancel()
        await asyncio.gather(announcement, *tasks, return_exceptions=True)
        daemon.close()


async def _kept(duty: Duty, stop: asyncio.Event) -> None:
    try:
        async for attempt in retry.duty(stop, duty.name):
            with attempt:
                await duty.run(stop)
    except Exception as error:
        if not stop.is_set():
            raise
        log.warning("duty ended with an error", duty=duty.name, error=repr(error))


async def _announce(daemon: Daemon, ready: Callable[[], None]) -> None:
    await daemon.routable.wait()
    try:
        async with asyncio.timeout(WAIT_S):
            for event in daemon.followed:
                await event.wait()
    except TimeoutError:
        log.warning("PostgreSQL is not followed yet: calls are routed from the snapshot")
    ready()


async def until(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Run ``work`` and cancel it when ``stop`` is set."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
    finally:
        for other in (task, stopped):
            other.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


def configure_logs() -> None:
    """One JSON object per line on stderr; the supervisor or systemd keeps them."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


async def main() -> None:
    """Run the daemon of PORTGATE_HOME until a signal.

    Raises SettingsError, and FileNotFoundError where the home was never up.
    """
    home = Home.from_env(os.environ)
    daemon = compose(home, configured.load(home.path, os.environ), internal.load(home))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    home.gateway_ready.unlink(missing_ok=True)

    def ready() -> None:
        home.gateway_ready.touch()
        log.info("ready")

    try:
        await run(daemon, stop, ready)
    finally:
        home.gateway_ready.unlink(missing_ok=True)
    log.info("stopped")


if __name__ == "__main__":
    configure_logs()
    asyncio.run(main())
