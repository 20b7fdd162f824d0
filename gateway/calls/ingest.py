"""Copies the journal's files into PostgreSQL as they grow; it acts on no call.

While PostgreSQL is away the lines wait in their files. A worker that died in the middle of a line
leaves a rest, which is counted as truncated; a line that cannot be read is kept aside with its
place. Neither stops what follows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from gateway import retry
from gateway.calls import journal, table
from gateway.calls.events import BadLine, parse
from gateway.calls.fold import Call
from gateway.calls.journal import Line
from gateway.calls.table import Item, Place, Reject
from gateway.calls.watch import Watch
from number_registry.store.pool import Connection, connect

BATCH_BYTES = 1 << 20  # of all files together, in one transaction: some 3,000 events
PACE_S = 0.02  # between two batches while lines keep coming: fewer, larger transactions
IDLE_S = 1.0  # at the latest look again: a worker's death changes no file
LOST_S = 0.2  # before the next connection: a full disk lets us connect and then refuses the batch
TIDY_S = 5.0  # between two looks for files whose worker is gone
KEEP_S = 7 * 86400.0  # how long files that have been read are kept
BATCH_S = 30.0  # a PostgreSQL that takes longer than this for a batch is hung

_log = structlog.get_logger("gateway.calls")


class Ingest:
    """Follows one journal folder.

    `opened` is told every open call whenever a connection to PostgreSQL begins, `folded` the calls
    that a batch has changed, after its commit.
    """

    def __init__(
        self,
        folder: Path,
        dsn: str,
        opened: Callable[[Mapping[str, Call]], None] = lambda calls: None,
        folded: Callable[[Mapping[str, Call]], None] = lambda calls: None,
    ) -> None:
        self._folder, self._dsn = folder, dsn
        self._opened, self._folded = opened, folded
        self._places: dict[str, Place] = {}
        self._tidied = self._pruned = -KEEP_S
        self._gone: set[str] = set()
        self._short: set[str] = set()
        self.caught_up = asyncio.Event()  # all that was in the files at the last look is stored
        self._cut = False  # the last look left lines for the next

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the folder until `stop`. Raises OSError when it cannot be read at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        async with Watch(self._folder) as watch:
            waker = asyncio.create_task(_wake(watch, stop))
            try:
                while not stop.is_set():
                    await self._connected(watch, stop)
            finally:
                waker.cancel()
                await asyncio.gather(waker, return_exceptions=True)

    async def _connected(self, watch: Watch, stop: asyncio.Event) -> None:
        """One life of a connection: ends with `stop` or when PostgreSQL is lost."""
        try:
            async for attempt in retry.postgres_back(stop):
                with attempt:
                    connection = await connect(self._dsn, "portgate calls")
        except Exception as error:
            if stop.is_set() and retry.postgres_gone(error):
                return
            raise
        try:
            async with asyncio.timeout(BATCH_S):
                self._opened(await table.open_calls(connection))
            self._places.clear()
            await self._follow(connection, watch, stop)
        except Exception as error:
            if not retry.postgres_gone(error):
                raise
            _log.warning("postgresql lost, records wait in the journal", error=repr(error))
        finally:
            self.caught_up.clear()
            connection.terminate()
        await _rest(stop, time.monotonic() + LOST_S)

    async def _follow(self, connection: Connection, watch: Watch, stop: asyncio.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            async with asyncio.timeout(BATCH_S):
                more = await self.step(connection)
            if more:
                await _rest(stop, began + PACE_S)
            else:
                await watch.changed(IDLE_S)

    async def step(self, connection: Connection) -> bool:
        """Store the next batch of all files; whether there was anything."""
        names = journal.files(self._folder)
        gone = self._abandoned(names)
        await self._know(connection, names)
        items, ended = self._collect(names, gone)
        if items:
            try:
                calls = await table.store(connection, items)
            except table.MovedError as error:
                _log.warning("another daemon reads this journal", error=str(error))
                self._places.clear()
                return True
            self._advance(items)
            self._folded(calls)
        for name in ended:
            await table.finish(connection, self._places.pop(name).id)
            journal.put_away(self._folder, name)
        if self._cut:
            self.caught_up.clear()
        else:
            self.caught_up.set()
        return bool(items)

    def _abandoned(self, names: list[str]) -> set[str]:
        now = time.monotonic()
        if now - self._pruned > 3600:
            self._pruned = now
            for name in journal.drop_old(self._folder, KEEP_S):
                _log.info("journal file deleted", file=name)
        if now - self._tidied > TIDY_S:
            self._tidied = now
            self._gone = journal.abandoned(self._folder, names)
        return self._gone

    async def _know(self, connection: Connection, names: list[str]) -> None:
        fresh = [name for name in names if name not in self._places]
        if fresh:
            self._places |= await table.places(connection, fresh)
        for name in self._places.keys() - set(names):
            del self._places[name]

    def _collect(self, names: list[str], gone: set[str]) -> tuple[list[Item], list[str]]:
        """The next lines of all files, and the files that have been read to their end for good."""
        items: list[Item] = []
        ended: list[str] = []
        self._cut = False
        for name in names:
            place, path = self._places[name], self._folder / name
            try:
                chunk = journal.read(path, place.read_to, BATCH_BYTES // len(names))
            except FileNotFoundError:  # taken away by hand since we listed it
                continue
            self._cut = self._cut or chunk.cut
            items += [_item(place.id, line) for line in chunk.lines]
            if chunk.short:
                self._say_short(name, place)
            elif not chunk.lines and name in gone:
                if chunk.rest:
                    items.append(_truncated(name, place, journal.rest(path, place.read_to)))
                else:
                    ended.append(name)
        for item in items:
            if item.reject is not None:
                _log.error("journal line kept aside", kind=item.reject.kind, file=item.file_id,
                           at=item.at, why=item.reject.why)  # fmt: skip
        return items, ended

    def _say_short(self, name: str, place: Place) -> None:
        """Nobody of ours shortens a file: left for a person to look at, and said once."""
        if name not in self._short:
            self._short.add(name)
            _log.error("journal file ends before what was read of it", file=name, at=place.read_to)

    def _advance(self, items: list[Item]) -> None:
        to = {item.file_id: item.end for item in items}
        for name, place in self._places.items():
            if place.id in to:
                self._places[name] = place._replace(read_to=to[place.id])


def _item(file_id: int, line: Line) -> Item:
    try:
        event, text = parse(line.raw)
    except BadLine as error:
        reject = Reject("corrupt", str(error)[:500])
        return Item(file_id, line.at, line.end, line.raw, reject=reject)
    return Item(file_id, line.at, line.end, line.raw, event, text)


def _truncated(name: str, place: Place, line: Line) -> Item:
    why = f"the worker that wrote {name} died in the middle of a line"
    return Item(place.id, line.at, line.end, line.raw, reject=Reject("truncated", why))


async def _rest(stop: asyncio.Event, until: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, until - time.monotonic())):
            await stop.wait()
    except TimeoutError:
        return


async def _wake(watch: Watch, stop: asyncio.Event) -> None:
    await stop.wait()
    watch.wake()
