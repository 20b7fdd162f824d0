"""The daemon's duty that keeps Kamailio registered where the carriers' files at work want it; what
to do and how it stands is decided elsewhere.

Kamailio renews by itself, so that a registration outlives this daemon. A Kamailio that was
restarted has forgotten all of them: it is asked every second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from carrier_adapters.contract import Carrier
from gateway.carrier_files.secrets import Secrets
from gateway.kamailio_rpc import KamailioGoneError, KamailioRpc, RpcError
from gateway.registrations import heard, said
from gateway.registrations.records import Kept
from gateway.registrations.standing import Standing, standings
from gateway.registrations.steps import Step, plan
from gateway.registrations.wanted import Account, Ours, accounts
from number_registry.errors import BadValueError
from number_registry.names import Names

AGAIN_S = 1.0
SOON_S = 0.2  # an old registration is leaving, and the new one waits for that

_log = structlog.get_logger("gateway.registrations")


class Watch:
    """``carriers``: those at work; ``names``: where host names lead. Both are called
    every second, so they must be cheap.
    """

    def __init__(
        self,
        rpc: KamailioRpc,
        snapshot: Path,
        carriers: Callable[[], Mapping[str, Carrier]],
        secrets: Secrets,
        names: Callable[[], Names],
        ours: Ours,
    ) -> None:
        self._rpc, self._snapshot = rpc, snapshot
        self._carriers, self._secrets, self._names = carriers, secrets, names
        self._ours = ours
        self._states: dict[tuple[str, str], str] = {}
        self._clean = False  # nothing is wanted, and Kamailio keeps nothing

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``. The registrations stay: calls go on while the daemon is away."""
        try:
            while not stop.is_set():
                waiting = await self._round()
                await _either(stop, SOON_S if waiting else AGAIN_S)
        finally:
            (self._snapshot / said.FILE).unlink(missing_ok=True)

    async def _round(self) -> bool:
        found = accounts(self._carriers(), self._secret, self._names(), self._ours)
        wanted = [account.record for account in found if account.record is not None]
        kept, waiting = {}, False
        if wanted or not self._clean:
            try:
                there = await self._kept()
                todo = plan(wanted, there, time.time())
                for step in todo.steps:
                    await self._take(step)
                waiting = todo.waiting
                kept = {one.record.contact_user: one for one in there}
                self._clean = not (wanted or there)
            except KamailioGoneError:
                kept = {}  # it is started again, and asked again
        self._say(found, kept)
        return waiting

    def _secret(self, name: str) -> str | None:
        try:
            return self._secrets.value(name)
        except (BadValueError, OSError):
            return None  # `doctor` and `carriers list` say what is wrong with it

    async def _kept(self) -> list[Kept]:
        told: list[Mapping[str, Any]] = await self._rpc.ask("uac.reg_dump")
        return [Kept.read(one) for one in told]

    async def _take(self, step: Step) -> None:
        record = step.record
        try:
            if step.do == "add":
                heard.forget(self._snapshot, record.contact_user)
                await self._rpc.ask("uac.reg_add", *record.parameters())
            elif step.do == "unregister":
                await self._rpc.ask("uac.reg_unregister", "l_uuid", record.contact_user)
            else:
                heard.forget(self._snapshot, record.contact_user)
                await self._rpc.ask("uac.reg_remove", record.contact_user)
        except RpcError as error:
            # Tried again with the next round, from what is there then.
            _log.error("registration", step=step.do, user=record.contact_user, error=str(error))
        else:
            _log.info("registration", step=step.do, user=record.contact_user, at=record.proxy)

    def _say(self, found: list[Account], kept: Mapping[str, Kept]) -> None:
        told = standings(found, kept, heard.read(self._snapshot))
        for one in told:
            self._log_change(one)
        said.write(self._snapshot, told)

    def _log_change(self, one: Standing) -> None:
        trunk = one.carrier, one.trunk
        if one.state == "trying" or self._states.get(trunk) == one.state:
            return
        self._states[trunk] = one.state
        say = _log.info if one.state == "registered" else _log.warning
        say(f"registration {one.state}", carrier=one.carrier, trunk=one.trunk, why=one.why)


async def _either(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
