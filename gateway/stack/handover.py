"""A new address of ours is put to work while calls go on: a second media relay beside the first,
then a restart of Kamailio that calls survive; it decides nothing about calls.

Settled by trial. Neither program takes a new address at run time. An rtpengine that is restarted
loses its calls' audio (it reaches Redis over TCP only, and ours has no TCP port), so the one that
runs is left to the calls it has and ends with the last of them. Kamailio keeps calls in their own
messages: what it forgets at a restart are calls being set up, and their answers find their way by
Via and token (kemi/replies.py). For a third of a second before it, new calls are left to be sent
again: none may be half on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.rtpengine_ng import Ng, NgError
from gateway.stack.child import Child
from gateway.stack.supervisor import Supervisor

HOLDING_FILE = "holding"  # as kemi/worker.py looks for it, four times a second
HOLD_S = 0.35
BACK_S = 20.0
LOOK_S = 2.0
NG_HOST = "127.0.0.1"


async def restart_kamailio(
    supervisor: Supervisor, snapshot: Path, render: Callable[[], None]
) -> float:
    """With the configuration that ``render`` writes; gives the seconds without a Kamailio."""
    holding = snapshot / HOLDING_FILE
    holding.touch()
    try:
        await asyncio.sleep(HOLD_S)
        render()
        began = time.monotonic()
        await supervisor.restart("kamailio")
    finally:
        holding.unlink(missing_ok=True)
    await _back(supervisor, "kamailio")
    return time.monotonic() - began


async def restart(supervisor: Supervisor, name: str) -> None:
    """A service that nobody misses for a moment, until it works again."""
    await supervisor.restart(name)
    await _back(supervisor, name)


async def _back(supervisor: Supervisor, name: str) -> None:
    async with asyncio.timeout(BACK_S):
        while supervisor.states[name] == "running" and _stopped(supervisor, name):
            await asyncio.sleep(0.01)
        while supervisor.states[name] != "running":
            await asyncio.sleep(0.01)


def _stopped(supervisor: Supervisor, name: str) -> bool:
    return supervisor.children[name].process.returncode is not None


async def drain(
    former: Child, ng: int, end: Callable[[Child], Awaitable[None]], longest_s: float
) -> None:
    """End a relay that was replaced as soon as it has no call left, or after the longest call."""
    until = time.monotonic() + longest_s
    async with Ng(NG_HOST, ng) as relay:
        while former.process.returncode is None and time.monotonic() < until:
            with contextlib.suppress(NgError):
                if not await relay.calls():
                    break
            await asyncio.sleep(LOOK_S)
    await end(former)
