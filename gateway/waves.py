"""The daemon's duty that watches running migrations: it looks every minute and tells in the log
what was stopped; what is judged, and how, is number_registry's.

Nothing is kept between two looks: killed at any moment, the next daemon sees the same and does what
was not done. Two daemons that look at once stop a wave once. A look adds up the calls of weeks, so
it has a thread of its own: the mirror's few milliseconds are not its to take.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from gateway import retry
from number_registry.operations import wave_watch
from number_registry.store.pool import connect

LOOK_S = 60.0
NOTICE_S = 0.1  # how soon a look that goes on notices that the daemon ends

_log = structlog.get_logger("gateway.waves")


def clock() -> datetime:
    return datetime.now(UTC)


async def watch(
    dsn: str,
    stop: asyncio.Event,
    *,
    look_s: float = LOOK_S,
    now: Callable[[], datetime] = clock,
) -> None:
    """Until `stop`; waits for PostgreSQL where it is away."""
    async for attempt in retry.postgres_back(stop):
        with attempt:
            while not stop.is_set():
                for stopped in await _look(dsn, now(), stop):
                    _tell(stopped)
                try:
                    async with asyncio.timeout(look_s):
                        await stop.wait()
                except TimeoutError:
                    continue


async def _look(dsn: str, now: datetime, stop: asyncio.Event) -> list[dict[str, Any]]:
    ending = threading.Event()
    looking = asyncio.create_task(asyncio.to_thread(_looked, dsn, now, ending))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({looking, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.set()
        stopped.cancel()
    return await looking


def _looked(dsn: str, now: datetime, ending: threading.Event) -> list[dict[str, Any]]:
    return asyncio.run(_looks(dsn, now, ending))


async def _looks(dsn: str, now: datetime, ending: threading.Event) -> list[dict[str, Any]]:
    connection = await connect(dsn, "portgate waves")
    looking = asyncio.create_task(wave_watch.look(connection, now))
    try:
        while not looking.done() and not ending.is_set():
            await asyncio.wait({looking}, timeout=NOTICE_S)
        return looking.result() if looking.done() else []
    finally:
        looking.cancel()
        # In the middle of a statement a polite goodbye would wait for its end.
        connection.terminate()


def _tell(stopped: dict[str, Any]) -> None:
    mend = "look: ./portgate waves status; then ./portgate waves rollback, or resume"
    _log.error("wave stopped", **stopped, mend=mend)
