"""The daemon's duty that keeps asking all gateways and says who is down, in a file beside the
snapshot; it sends no calls anywhere.

SIP workers try a gateway that is down after those that are not. They still try it: what is said
here may be some seconds old, and must never lose a call.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from gateway.health.prober import Prober
from gateway.health.tally import Tally, heard
from number_registry.model import Address

FILE = "health.json"
AGAIN_S = 1.0  # how often it is looked whether there are other gateways to ask

_log = structlog.get_logger("gateway.health")


class Target(NamedTuple):
    """A gateway to ask: whose it is (a carrier, or ``PBX old``) and where."""

    owner: str
    address: Address


class Watch:
    """``targets``: whom to ask now; called every AGAIN_S, so it must be cheap and must not raise.

    ``interval_s``: between two questions to one gateway; ``answer_s``: patience with each;
    ``also``: what somebody else knows of gateways that are not asked here.
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        targets: Callable[[], Iterable[Target]],
        *,
        interval_s: float,
        answer_s: float,
        tls: ssl.SSLContext | None = None,
        also: Callable[[], Awaitable[dict[str, dict[str, Any]]]] | None = None,
    ) -> None:
        self._also, self._told = also, dict[str, dict[str, Any]]()
        self._path = folder / FILE
        self._source, self._tls = source, tls
        self._targets = targets
        self._interval_s, self._answer_s = interval_s, answer_s
        self._tallies: dict[str, Tally] = {}
        self._owners: dict[str, str] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``. The file says nothing old afterwards: it is removed."""
        try:
            async with Prober(self._source, self._tls) as prober:
                while not stop.is_set():
                    self._follow(prober, {t.address.uri: t for t in self._targets()})
                    if self._also is not None:
                        self._told = await self._also()
                    self._write()
                    _raise_what_failed(self._asking.values())
                    await _either(stop, AGAIN_S)
        finally:
            for task in self._asking.values():
                task.cancel()
            await asyncio.gather(*self._asking.values(), return_exceptions=True)
            self._asking.clear()
            self._path.unlink(missing_ok=True)

    def _follow(self, prober: Prober, targets: dict[str, Target]) -> None:
        for uri in self._asking.keys() - targets.keys():
            self._asking.pop(uri).cancel()
            self._tallies.pop(uri, None)
        for number, (uri, target) in enumerate(targets.items()):
            self._owners[uri] = target.owner
            if uri not in self._asking:
                # Spread out, so that a hundred gateways are not asked in the same millisecond.
                delay = (number % 16) * self._interval_s / 16
                self._asking[uri] = asyncio.create_task(self._ask(prober, target.address, delay))

    async def _ask(self, prober: Prober, address: Address, delay: float) -> None:
        await asyncio.sleep(delay)
        while True:
            began = time.monotonic()
            answered = await prober.ask(address, self._answer_s)
            self._heard(address.uri, answered)
            await asyncio.sleep(max(0.0, began + self._interval_s - time.monotonic()))

    def _heard(self, uri: str, answered: bool) -> None:
        before = self._tallies.get(uri, Tally())
        after = self._tallies[uri] = heard(before, answered, time.time())
        if after.state != before.state:
            say = _log.warning if after.state == "down" else _log.info
            say(f"gateway is {after.state}", owner=self._owners[uri], address=uri)
            self._write()

    def _write(self) -> None:
        """Its time tells readers that it is still true."""
        gateways = {
            uri: {"owner": self._owners[uri], "state": tally.state, "since": round(tally.since, 3)}
            for uri, tally in sorted(self._tallies.items())
        }
        gateways.update(self._told)
        beside = self._path.with_name(f".{FILE}.new")
        beside.write_text(json.dumps({"version": 1, "gateways": gateways}, indent=1), "ascii")
        beside.replace(self._path)


def _raise_what_failed(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled():
            task.result()


async def _either(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
