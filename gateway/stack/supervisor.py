"""Keeps the services alive: starts, watches, restarts, stops; it knows no service by name."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from gateway.home import Home
from gateway.stack import backoff, graph, processes, state
from gateway.stack.child import Child
from gateway.stack.logs import last_lines
from gateway.stack.probes import NotReady
from gateway.stack.problems import Problem, ServiceFailed
from gateway.stack.services import Service

# For all services together. Each has a limit of its own (`stop_s`), but layer after layer these
# added up to 36 s where a machine was busy or something hung. Nothing is lost by insisting sooner:
# each of them may be killed at any time (tests/sip/faults), PostgreSQL reads its log again then.
STOP_S = 10.0


class Supervisor:
    """The services of one home. All methods run on one event loop."""

    def __init__(
        self,
        home: Home,
        services: Sequence[Service],
        overrides: dict[str, str],
        log: Callable[[str], None],
    ) -> None:
        self.home = home
        self.services = {service.name: service for service in services}
        self.children: dict[str, Child] = {}
        self.states = {service.name: "stopped" for service in services}
        self.restarts = {service.name: 0 for service in services}
        self._overrides = overrides
        self._log = log
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._asked: set[str] = set()
        self._former: list[Child] = []
        self._stopping = False

    # --- one service --------------------------------------------------------------------------

    async def start(self, service: Service) -> None:
        """Start a service and wait until it answers; from then on it is kept alive.

        Raises ServiceFailed with the last lines of its log.
        """
        log = self.home.log / f"{service.name}.log"
        size = log.stat().st_size if log.exists() else 0
        child = await self._spawn(service)
        try:
            await child.ready()
        except NotReady as error:
            lines = last_lines(log, size)
            why = "\n    ".join([str(error), *lines])
            raise ServiceFailed(
                Problem(f"{service.name} did not start", why, f"All of it is in {log}")
            ) from error
        self.states[service.name] = "running"
        self._keepers[service.name] = asyncio.create_task(self._keep(service))

    async def _spawn(self, service: Service) -> Child:
        self.states[service.name] = "starting"
        child = await Child.start(service, self.home.log / f"{service.name}.log")
        self.children[service.name] = child
        self._note()
        return child

    def _note(self) -> None:
        """Write down what runs, for whoever comes after a kill -9."""
        me = processes.identity(os.getpid())
        if me is None:
            raise RuntimeError("/proc does not show this very process; is it mounted?")
        noted = [
            state.Noted(name, child.identity.pid, child.identity.started)
            for name, child in self.children.items()
        ] + [
            state.Noted(f"{child.service.name} before", child.identity.pid, child.identity.started)
            for child in self._former
        ]
        state.write(self.home, state.State(processes.boot_id(), me, noted, self._overrides))

    async def _keep(self, service: Service) -> None:
        """Start the service again whenever it ends, until everything is stopped."""
        deaths: list[float] = []
        while True:
            child = self.children[service.name]
            status = await child.died()
            if self._stopping:
                return
            self.states[service.name] = "restarting"
            pause = 0.0
            if service.name in self._asked:
                self._asked.discard(service.name)
            else:
                deaths.append(time.monotonic())
                pause = backoff.delay(deaths, time.monotonic())
                self._log(
                    f"{service.name} ended with status {status}; started again in {pause:.1f} s"
                )
            await asyncio.sleep(pause)
            self.restarts[service.name] += 1
            await self._again(service)

    async def _again(self, service: Service) -> None:
        began = time.monotonic()
        try:
            child = await self._spawn(service)
        except OSError as error:  # no memory, no descriptors: try later rather than end everything
            self._log(f"{service.name} could not be started: {error}")
            return
        try:
            await child.ready()
        except NotReady as error:
            self._log(f"{service.name} was started again but does not answer: {error}")
            await child.stop()
            return
        self.states[service.name] = "running"
        self._log(f"{service.name} works again after {time.monotonic() - began:.2f} s")

    async def restart(self, name: str) -> None:
        """Stop one service; its keeper starts it again. Raises KeyError for an unknown name."""
        child = self.children[name]
        self._asked.add(name)
        await child.stop()

    async def replace(self, service: Service) -> Child:
        """Start a successor beside a service that runs, and keep that alive from now on; returns
        the one before, which goes on until it is stopped. Raises ServiceFailed, and then the one
        before is kept as it was.
        """
        name, log = service.name, self.home.log / f"{service.name}.log"
        size = log.stat().st_size
        child = await Child.start(service, log)
        try:
            await child.ready()
        except NotReady as error:
            await child.stop()
            why = "\n    ".join([str(error), *last_lines(log, size)])
            raise ServiceFailed(Problem(f"{name} did not start anew", why, "")) from error
        former, keeper = self.children[name], self._keepers[name]
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        self.services[name], self.children[name] = service, child
        self._former.append(former)
        self._note()
        self._keepers[name] = asyncio.create_task(self._keep(service))
        return former

    async def end(self, former: Child) -> None:
        """Stop one that was replaced."""
        await former.stop()
        self._former.remove(former)
        self._note()

    # --- all of them ----------------------------------------------------------------------------

    async def stop(self) -> None:
        """Stop everything, those first that nothing else needs."""
        self._stopping = True
        until = time.monotonic() + STOP_S
        formers = [former.stop(STOP_S) for former in self._former]
        layers = graph.levels({name: service.after for name, service in self.services.items()})
        for at, layer in enumerate(layers):
            # What is not needed of a share is there for those that come later: most for PostgreSQL.
            within = (until - time.monotonic()) / (len(layers) - at)
            ending = [self._stop_one(name, within) for name in layer if name in self.children]
            await asyncio.gather(*ending, *formers)
            formers = []
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        self.home.state_file.unlink(missing_ok=True)

    async def _stop_one(self, name: str, within_s: float) -> None:
        began = time.monotonic()
        self.states[name] = "stopping"
        asked = await self.children[name].stop(within_s)
        self.states[name] = "stopped"
        how = "stopped" if asked else "did not stop when asked and was killed"
        self._log(f"{name} {how} after {time.monotonic() - began:.2f} s")

    async def look(self) -> list[dict[str, Any]]:
        """Every service with its state now; a running one is asked whether it answers."""
        return list(
            await asyncio.gather(*(self._look(service) for service in self.services.values()))
        )

    async def _look(self, service: Service) -> dict[str, Any]:
        now, why = self.states[service.name], ""
        if now == "running":
            try:
                await service.probe()
            except NotReady as error:
                now, why = "not answering", str(error)
        child = self.children.get(service.name)
        pid = child.identity.pid if child and now not in ("stopped", "restarting") else None
        return {
            "name": service.name,
            "pid": pid,
            "state": now,
            "restarts": self.restarts[service.name],
            **({"why": why} if why else {}),
        }
