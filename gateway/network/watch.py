"""Keeps watching the carriers' networks and tells what is lost and what is back; it mends nothing.

The kernel's events only say "look again": it tells of no route that goes with its link, and its
queue can overflow. What is looked at is always the whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from gateway.network.declared import Leg
from gateway.network.faults import Fault, faults
from gateway.network.kernel import events, opened

TOGETHER_S = 0.1  # changes come in swarms: a link that goes down takes its routes along
AT_LEAST_S = 30.0

log = structlog.get_logger("network")


class Lost(msgspec.Struct, frozen=True):
    """A fault, and when it was first noticed (UTC)."""

    fault: Fault
    since: datetime


async def run(legs: Sequence[Leg], note: Path, stop: asyncio.Event) -> None:
    """Watch until ``stop``; what is lost stands in ``note`` meanwhile, and is told in the log."""
    again = asyncio.Event()
    listening = asyncio.create_task(_listen(again))
    known = {lost.fault: lost for lost in read(note) or ()}
    try:
        await _first(again, listening)
        async with opened() as kernel:
            while not stop.is_set():
                again.clear()
                known = _told(known, faults(legs, await kernel.see()))
                _write(note, list(known.values()))
                await _pause(stop, again, listening)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        note.unlink(missing_ok=True)


async def _listen(again: asyncio.Event) -> None:
    async with contextlib.aclosing(events()) as changes:
        async for _ in changes:
            again.set()


async def _first(again: asyncio.Event, listening: asyncio.Task[None]) -> None:
    """Only look once the kernel tells of changes: none can fall between."""
    told = asyncio.create_task(again.wait())
    await asyncio.wait({told, listening}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if listening.done():
        listening.result()


async def _pause(stop: asyncio.Event, again: asyncio.Event, listening: asyncio.Task[None]) -> None:
    stopped, told = asyncio.create_task(stop.wait()), asyncio.create_task(again.wait())
    try:
        waited = {stopped, told, listening}
        await asyncio.wait(waited, timeout=AT_LEAST_S, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            listening.result()  # its error ends this duty, which is then started anew
        await asyncio.wait({stopped}, timeout=TOGETHER_S)
    finally:
        stopped.cancel()
        told.cancel()


def _told(known: dict[Fault, Lost], found: Sequence[Fault]) -> dict[Fault, Lost]:
    """One line for each fault that is new and for each that is gone; gives those that are left."""
    for fault in found:
        if fault not in known:
            log.error("network lost", **_fields(fault), mend=fault.mend)
    for fault in known.keys() - set(found):
        log.info("network back", **_fields(fault))
    now = datetime.now(UTC)
    return {fault: known.get(fault) or Lost(fault, now) for fault in found}


def _fields(fault: Fault) -> dict[str, object]:
    return {
        "kind": fault.kind,
        "interface": fault.interface,
        "hand_offs": list(fault.names),
        "what": fault.what,
    }


def read(note: Path) -> list[Lost] | None:
    """What a running watch has noted; None where none runs."""
    try:
        return msgspec.json.decode(note.read_bytes(), type=list[Lost])
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write(note: Path, lost: list[Lost]) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    beside = note.with_name(f".{note.name}.new")
    beside.write_bytes(msgspec.json.encode(lost))
    beside.replace(note)
