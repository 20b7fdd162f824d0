"""Journal files and what PostgreSQL holds of them, for the tests of this folder."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from gateway.calls import events
from gateway.calls.events import Answer, End, Event, Ring, Start

PATIENCE_S = 15.0
_T = TypeVar("_T")


def call_id(number: int) -> str:
    return f"{number:032x}"


def whole_call(number: int, t: int | None = None, **changed: Any) -> list[Event]:
    """Start, ring, answer, end: a second between them."""
    t = time.time_ns() // 1000 if t is None else t
    c = call_id(number)
    facts: dict[str, Any] = {
        "dir": "in", "src": "northline", "cid": f"{number}@test", "ft": "f", "cseq": 1,
        "kind": "pbx", "to": "old", "caller": "+79160000000", "called": "+74951230000",
    }  # fmt: skip
    return [
        Start(c=c, t=t, **(facts | changed)),
        Ring(c=c, t=t + 1_000_000),
        Answer(c=c, t=t + 2_000_000, tt="b", ctc="sip:b@127.0.0.1"),
        End(c=c, t=t + 3_000_000, side="a", how="bye", status=200),
    ]


def lines(heard: list[Event]) -> bytes:
    return b"".join(events.line(event) for event in heard)


def append(path: Path, data: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(data)


@contextmanager
def living_worker(folder: Path, number: int = 1) -> Iterator[Callable[[bytes], object]]:
    """A worker that is alive, this very process, and holds its file; yields what it writes with."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{1_790_000_000_000 + number}-{os.getpid()}.journal"
    with path.open("ab", buffering=0) as file:
        yield file.write


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def until(look: Callable[[], Awaitable[_T]], wanted: Callable[[_T], bool], what: str) -> _T:
    """Look again and again until it is as wanted; fails with what was seen last."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = await look()
        if wanted(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: last seen {seen!r}")
        await asyncio.sleep(0.005)  # between two looks, not a guess at how long something takes
