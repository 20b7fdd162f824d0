"""The daemon's duty that watches running migrations: it looks every minute and tells in the log
what was stopped; what is judged, and how, is number_registry's.

Nothing is kept between two looks: killed at any moment, the next daemon sees the same and does what
was not done. Two daemons that look at once stop a wave once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from gateway import retry
from number_registry.operations import wave_watch
from number_registry.store.pool import Connection, connect

LOOK_S = 60.0

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
            connection = await connect(dsn, "portgate waves")
            try:
                await _looking(connection, stop, look_s, now)
            finally:
                # Told to stop in the middle of a statement a polite goodbye would wait for its end.
                connection.terminate()


async def _looking(
    connection: Connection, stop: asyncio.Event, look_s: float, now: Callable[[], datetime]
) -> None:
    while not stop.is_set():
        for stopped in await wave_watch.look(connection, now()):
            _tell(stopped)
        try:
            async with asyncio.timeout(look_s):
                await stop.wait()
        except TimeoutError:
            continue


def _tell(stopped: dict[str, Any]) -> None:
    mend = "look: ./portgate waves status; then ./portgate waves rollback, or resume"
    _log.error("wave stopped", **stopped, mend=mend)
