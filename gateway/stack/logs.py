"""The services' log files: their last lines, following them on a terminal, keeping them small; no
parsing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

LARGEST = 64 * 2**20
_COLOURS = {
    "kamailio": 36,
    "rtpengine": 35,
    "redis": 31,
    "postgresql": 34,
    "gateway": 32,
    "admin_api": 33,
    "supervisor": 37,
}
_LOUD = ("error", "critical", "fatal", "traceback", "exception", "panic", "alert")


def last_lines(path: Path, since: int = 0, count: int = 6) -> list[str]:
    """The most telling lines written after byte `since`: the last that speak of errors, else the
    last.
    """
    if not path.exists():
        return []
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(since if since <= end else 0, end - 65536))
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    loud = [line for line in lines if any(word in line.lower() for word in _LOUD)]
    return (loud or lines)[-count:]


def keep_small(path: Path) -> None:
    """Copy and truncate: the service keeps its open file, which it only ever appends to."""
    if path.exists() and path.stat().st_size > LARGEST:
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)


class Follower:
    """Copies new lines of the log files to a stream, each with its service's name before it."""

    def __init__(self, folder: Path, names: Sequence[str], out: TextIO | None) -> None:
        self._paths = {name: folder / f"{name}.log" for name in names}
        self._out = out
        self._offsets = {name: self._size(path) for name, path in self._paths.items()}
        self._width = max(len(name) for name in names)

    @staticmethod
    def _size(path: Path) -> int:
        return path.stat().st_size if path.exists() else 0

    async def run(self) -> None:
        """Until cancelled. The files are looked at five times a second; nobody waits for us."""
        while True:
            for name, path in self._paths.items():
                if self._out is not None:
                    self.copy(name)
                keep_small(path)
            await asyncio.sleep(0.2)

    def copy(self, name: str) -> None:
        """Copy whole lines written since the last look."""
        path = self._paths[name]
        size = self._size(path)
        if size < self._offsets[name]:  # it was truncated
            self._offsets[name] = 0
        if size == self._offsets[name] or self._out is None:
            return
        with path.open("rb") as file:
            file.seek(self._offsets[name])
            new = file.read(2**20)
        whole = new.rfind(b"\n") + 1
        self._offsets[name] += whole
        label = name.ljust(self._width)
        if self._out.isatty():
            label = f"\x1b[{_COLOURS.get(name, 37)}m{label}\x1b[0m"
        for line in new[:whole].decode(errors="replace").splitlines():
            self._out.write(f"{label} │ {line}\n")
        self._out.flush()
