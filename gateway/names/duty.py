"""The daemon's duty that asks DNS for all names and writes what they lead to beside the snapshot;
it decides nothing about calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import structlog

from gateway.home import Home
from gateway.names import wanted
from gateway.names.book import Book
from gateway.names.lookup import Lookup, UnresolvedError
from gateway.names.said import read
from gateway.settings import Settings
from number_registry.errors import PortgateError
from number_registry.names import FILE, Asked, file_bytes

LOOK_S = 0.5  # how often it is looked whether a name's time has come, or there are others
GENERATION_FILE = "carriers.generation"  # touched when carriers' files were put to work
_log = structlog.get_logger("gateway.names")


class Duty:
    """One per daemon."""

    def __init__(self, home: Home, settings: Settings) -> None:
        dns = settings.dns
        self._home = home
        self._lookup = Lookup(dns.servers, dns.answer_s, [settings.sip.address])
        self._book = Book(dns.shortest_s, dns.longest_s, dns.again_s, settings.calls.longest_s)
        self._wanted: dict[str, Asked] = {}
        self._seen: tuple[int, ...] = ()
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``."""
        self._book.answers = dict(read(self._home.snapshot))
        try:
            while not stop.is_set():
                if self._look():
                    self._write()
                for key in self._book.asking(time.time()):
                    if key not in self._asking:
                        self._asking[key] = asyncio.create_task(self._ask(key))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_S)
                for key, task in list(self._asking.items()):
                    if task.done():
                        del self._asking[key]
                        task.result()
        finally:
            for task in self._asking.values():
                task.cancel()
            await asyncio.gather(*self._asking.values(), return_exceptions=True)
            self._asking.clear()

    def _look(self) -> bool:
        """Whether other names are wanted than before."""
        home = self._home
        files = home.kemi_json, home.directory_json, home.snapshot / GENERATION_FILE
        seen = tuple(map(_changed, files))
        if seen == self._seen:
            return False
        try:
            found = wanted.names(home)
        except (OSError, ValueError, KeyError, PortgateError) as error:
            _log.warning("names to ask for are not known anew", error=repr(error))
            return False
        self._seen = seen
        if found.keys() == self._wanted.keys() == self._book.answers.keys():
            return False
        self._wanted = found
        self._book.follow(found)
        return True

    async def _ask(self, key: str) -> None:
        try:
            found = await self._lookup.ask(self._wanted[key])
        except UnresolvedError as error:
            if self._book.failed(key, str(error), time.time()):
                kept = len(self._book.answers[key].targets)
                _log.warning("name not resolved", name=key, why=str(error), last_good=kept)
        else:
            if key not in self._wanted:
                return
            failed = self._book.answers.get(key)
            if self._book.found(key, found, time.time()):
                _log.info("name leads to", name=key, targets=[one.uri for one in found.targets])
            elif failed and failed.failing:
                _log.info("name resolved again", name=key)
        self._write()

    def _write(self) -> None:
        """Atomically: a SIP worker may look at any moment."""
        path: Path = self._home.snapshot / FILE
        if not self._book.names and not path.exists():
            return
        beside = path.with_name(f".{FILE}.new")
        beside.write_bytes(file_bytes(self._book.names))
        beside.replace(path)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
