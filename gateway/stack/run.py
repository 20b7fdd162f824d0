"""One whole life of the stack: lock, preflight, start, proof, keep, stop. The composition root of
`up`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway import ports as internal
from gateway import settings as configured
from gateway import tls
from gateway.home import Home
from gateway.settings import Settings
from gateway.stack import (
    child,
    control,
    database,
    facts,
    folders,
    graph,
    handover,
    preflight,
    render,
    state,
    steps,
)
from gateway.stack.logs import Follower
from gateway.stack.problems import Problem, StackError
from gateway.stack.report import Report, step
from gateway.stack.services import NAMES, Service, services
from gateway.stack.supervisor import Supervisor

DESCRIPTORS = 65536
# Services that listen where the carriers at work need it.
# Settings that are read once; those of carriers and their networks are taken by `carriers apply`.
DOES = "status, stop, restart, addresses, certificate"
AT_START = ("sip", "media", "calls", "api", "health", "dns")
CARRIED = frozenset({"kamailio", "rtpengine"})


@dataclass(frozen=True)
class Options:
    """What `up` was asked for. `follow` copies the services' logs to stdout."""

    demo: bool = True
    follow: bool = False


def locked(home: Home) -> int:
    """Take the home for this process; held until it ends, however it ends. Raises StackError."""
    home.path.mkdir(mode=0o711, parents=True, exist_ok=True)
    descriptor = os.open(home.path / ".up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StackError(
            Problem(
                f"another `up` of {home.path} is under way",
                "it holds the lock",
                "Wait for it, or ./portgate down",
            )
        ) from error
    return descriptor


def check(home: Home, settings: Settings, report: Report) -> None:
    """Preflight, all but ports; before anything is made. Warnings are reported.

    Raises StackError with the rest.
    """
    seen = msgspec.structs.replace(facts.gather(home, settings), ports={})
    problems = preflight.plan(home, settings, seen)
    for problem in problems:
        if problem.warning:
            report.failed(problem)
    if serious := [problem for problem in problems if not problem.warning]:
        raise StackError(*serious)


def check_ports(home: Home, settings: Settings) -> None:
    """Once nothing of ours is left running. Raises StackError for each port that is in use."""
    seen = preflight.Facts(ports=facts.ports(settings))
    if problems := preflight.plan(home, settings, seen):
        raise StackError(*problems)


class Stack:
    """The running stack of one home and what the control socket answers about it."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        env: Mapping[str, str],
        options: Options,
        report: Report,
    ) -> None:
        self.home, self.settings, self.options, self.report = home, settings, options, report
        self.env = env
        self.stop_asked = asyncio.Event()
        self.ready = False
        self._handing_over = asyncio.Lock()
        self._draining: set[asyncio.Task[None]] = set()
        self._log_file = (home.log / "supervisor.log").open("a", encoding="utf-8", buffering=1)

    def log(self, text: str) -> None:
        """One line in log/supervisor.log."""
        self._log_file.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")

    async def run(self) -> int:
        """Start, keep until asked to stop, stop. Returns the exit status."""
        began = time.monotonic()
        self.ports = internal.settle(self.home)
        self._render(render.ROLE_NAMES - CARRIED)
        stack = services(self.home, self.settings, self.ports, self.env)
        self.supervisor = Supervisor(self.home, stack, state.overrides(self.env), self.log)
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(sign, self.stop_asked.set)
        server = await control.serve(self.home, self.answer)
        out = sys.stdout if self.options.follow else None
        follower = asyncio.create_task(Follower(self.home.log, [*NAMES, "supervisor"], out).run())
        undertaker = asyncio.create_task(self._bury())
        try:
            status = await self._live(stack, began)
        finally:
            was_ready, self.ready = self.ready, False
            for task in self._draining:
                task.cancel()
            await self.supervisor.stop()
            follower.cancel()
            undertaker.cancel()
            server.close()
            self.home.supervisor_socket.unlink(missing_ok=True)
            self.log("stopped")
            self._log_file.close()
        if not was_ready:
            self.report.finished({"ready": False})
        return status

    async def _live(self, stack: list[Service], began: float) -> int:
        starting = asyncio.create_task(self._start(stack))
        asked = asyncio.create_task(self.stop_asked.wait())
        await asyncio.wait((starting, asked), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            return 130
        try:
            calls = starting.result()
        except StackError as error:
            for problem in error.problems:
                self.report.failed(problem)
                self.log(f"{problem.what}: {problem.why}")
            return 1
        self.ready = True
        self.log(f"ready after {time.monotonic() - began:.2f} s")
        self.report.finished({"ready": True, **await self.look(), "calls": calls})
        await asked
        return 0

    async def _start(self, stack: list[Service]) -> list[dict[str, Any]]:
        nodes = {service.name: self._node(service) for service in stack}
        nodes["cluster"] = graph.Node(self._cluster)
        nodes["database"] = graph.Node(self._database, ("postgresql",))
        await graph.run(nodes)
        if self.options.demo:
            return await steps.prove(self.home, self.settings, self.ports, self.report)
        return []

    def _node(self, service: Service) -> graph.Node:
        async def start() -> None:
            with step(self.report, service.name):
                await self.supervisor.start(service)

        needs = ("cluster",) if service.name == "postgresql" else ()
        return graph.Node(start, service.after + needs)

    async def _cluster(self) -> None:
        if not self.home.postgresql_data.exists():
            with step(self.report, "PostgreSQL's files"):
                await database.make_cluster(self.home)

    async def _database(self) -> None:
        await steps.prepare_database(
            self.home, self.settings, self.ports, seed=self.options.demo, report=self.report
        )
        # Only now is it known whether the carriers are those of the demo company.
        self.settings = steps.with_demo_places(self.home, self.settings, self.ports)
        await asyncio.to_thread(steps.bring_carriers, self.home, self.settings, self.report)
        self._render(CARRIED)

    def _render(self, roles: Collection[str]) -> None:
        changed = render.render(self.home, self.settings, self.ports, roles)
        self.log(f"configuration of {', '.join(sorted(roles))}: {len(changed)} files changed")

    async def take_addresses(self) -> dict[str, Any]:
        """Listen where the carriers at work need it now, with calls going on. Says which addresses
        there are, and for how many seconds there was no Kamailio; null where nothing had to change.
        """
        async with self._handing_over:
            before = render.own_addresses_rendered(self.home)
            fresh = steps.with_demo_places(
                self.home, configured.load(self.home.path, self.env), self.ports
            )
            self.settings = msgspec.structs.replace(
                self.settings, carriers=fresh.carriers, network=fresh.network
            )
            ours = render.own_addresses(self.home, self.settings)
            told = {"sip": list(ours.sip), "media": ours.media, "away_s": None}
            if ours == before:
                return told
            former, old = None, self.ports.ng
            if self.settings.media.relay and (before is None or ours.media != before.media):
                former = await self._second_relay()
            away = await handover.restart_kamailio(
                self.supervisor, self.home.snapshot, lambda: self._render({"kamailio"})
            )
            self.log(f"addresses {', '.join(ours.sip)}: {away:.2f} s without Kamailio")
            await handover.restart(self.supervisor, "gateway")
            if former is not None:
                longest = float(self.settings.calls.longest_s)
                ending = handover.drain(former, old, self.supervisor.end, longest)
                self._draining.add(asyncio.create_task(ending))
            return {**told, "away_s": round(away, 3)}

    async def take_certificate(self) -> dict[str, Any]:
        """Show the certificate that is in its file now, with calls going on."""
        async with self._handing_over:
            snapshot = self.home.snapshot
            away = await handover.restart_kamailio(self.supervisor, snapshot, lambda: None)
            return {"away_s": round(away, 3)}

    async def _second_relay(self) -> child.Child:
        """Gives the one before."""
        self.ports = internal.hand_over(self.home, self.ports)
        self._render({"rtpengine"})
        every = services(self.home, self.settings, self.ports, self.env)
        (relay,) = (one for one in every if one.name == "rtpengine")
        return await self.supervisor.replace(relay)

    async def _bury(self) -> None:
        undertaker = child.Undertaker()
        while True:
            await asyncio.sleep(1)
            undertaker.visit()

    # --- control socket -----------------------------------------------------------------------

    async def look(self) -> dict[str, Any]:
        """What `status --json` prints."""
        seen = {service["name"]: service for service in await self.supervisor.look()}
        disabled = {"pid": None, "state": "disabled", "restarts": 0}
        secure = self.settings.sip.tls_port
        return {
            "services": [seen.get(name) or {"name": name, **disabled} for name in NAMES],
            "api_url": f"http://{self.settings.api.address}:{self.settings.api.port}",
            "sip": f"{self.settings.sip.address}:{self.settings.sip.port}",
            "sip_tls": f"{self.settings.sip.address}:{secure}" if secure else None,
            "settings_waiting": self._settings_waiting(),
            "supervisor": os.getpid(),
            "ready": self.ready,
        }

    def _settings_waiting(self) -> list[str]:
        """Sections of portgate.toml that say something else than what runs was started with."""
        try:
            fresh = configured.load(self.home.path, self.env)
        except configured.SettingsError as error:
            return [str(error)]
        return [name for name in AT_START if getattr(fresh, name) != getattr(self.settings, name)]

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request, one of DOES."""
        match request["do"]:
            case "status":
                return await self.look()
            case "stop":
                self.stop_asked.set()
                return {"stopping": os.getpid()}
            case "addresses":
                return await self.take_addresses()
            case "certificate":
                return await self.take_certificate()
            case "restart":
                name = request["service"]
                if name not in self.supervisor.children:
                    known = ", ".join(self.supervisor.services)
                    return {"error": f"no service {name!r}; known: {known}"}
                await self.supervisor.restart(name)
                return {"restarting": name}
            case other:
                return {"error": f"unknown request {other!r}; known: {DOES}"}


def _many_descriptors() -> None:
    """As many open files as this machine lets us have; the services inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (DESCRIPTORS, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return
        except ValueError:  # a container may not raise its limit; doctor tells when it is low
            continue


def live(
    home: Home, settings: Settings, env: Mapping[str, str], options: Options, report: Report
) -> int:
    """Run the stack in this process until it is asked to stop. Returns the exit status."""
    try:
        with step(report, "preflight"):
            check(home, settings, report)
            lock = locked(home)  # held until this process ends
            if state.end_leftovers(home):
                report.say("ended what a killed supervisor had left behind")
            check_ports(home, settings)
        folders.make(home)
        tls.make(home, settings.sip)
        steps.make_announcements(home, settings, report)
        _many_descriptors()
        child.become_reaper()

        async def main() -> int:
            return await Stack(home, settings, env, options, report).run()

        status = asyncio.run(main())
        os.close(lock)
        return status
    except StackError as error:
        for problem in error.problems:
            report.failed(problem)
        report.finished({"ready": False})
        return 1
