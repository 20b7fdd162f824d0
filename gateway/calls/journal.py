"""The journal's files: reading complete lines, knowing whose worker is gone, putting files away,
and the gateway's own line. It does not know what a line means.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"^(\d{1,16})-(\d{1,10})\.journal\Z")

CHUNK = 1 << 20  # bytes read at once, and the longest line there can be
DONE = "done"


class Line(NamedTuple):
    """One line and its place: bytes [at, end) of the file, newline included in the place only."""

    at: int
    end: int
    raw: bytes


class Chunk(NamedTuple):
    """Complete lines from one place on. `rest`: bytes after them that no newline ends (yet).

    `cut`: the file went on beyond the limit. `short`: the file ends before that place.
    """

    lines: list[Line]
    rest: int
    cut: bool = False
    short: bool = False


def files(folder: Path) -> list[str]:
    """Names of the journal's files, oldest first. Whatever else lies there is none of ours: a
    folder or a pipe of such a name would keep every other file from being read.
    """
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if _NAME.match(entry.name) and entry.is_file(follow_symlinks=False)
        )


def read(path: Path, at: int, limit: int = CHUNK) -> Chunk:
    """Complete lines from byte `at` on, about `limit` bytes of them.

    A line longer than CHUNK is cut there: no worker writes one, so it is somebody's garbage.
    Raises FileNotFoundError when the file has been taken away.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < at:
            return Chunk([], 0, short=True)
        data = os.pread(file.fileno(), min(limit, CHUNK), at)
        if data and b"\n" not in data:
            data = os.pread(file.fileno(), CHUNK, at)
    if b"\n" not in data:
        if len(data) == CHUNK:
            return Chunk([Line(at, at + CHUNK, data)], 0, cut=True)
        return Chunk([], len(data))
    whole = data[: data.rindex(b"\n") + 1]
    lines, start = [], at
    for raw in whole[:-1].split(b"\n"):
        end = start + len(raw) + 1
        lines.append(Line(start, end, raw))
        start = end
    return Chunk(lines, len(data) - len(whole), len(data) >= min(limit, CHUNK))


def rest(path: Path, at: int) -> Line:
    """All that follows byte `at`, as a line that lacks its end. At most CHUNK bytes of it."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return Line(at, size, os.pread(file.fileno(), min(size - at, CHUNK), at))


def abandoned(folder: Path, names: list[str], proc: Path = Path("/proc")) -> set[str]:
    """Those of the files into which nobody will write again.

    Its worker's process is gone, or lives but does not hold the file: another process got the
    number, or the worker went on to a new file. To be asked *before* reading to the end. Where
    we may not look into the process, it is taken for the worker: too late beats too early.
    """
    return {name for name in names if not _held(folder / name, proc / name[:-8].split("-")[1])}


def _held(path: Path, process: Path) -> bool:
    try:
        held = path.stat()
        return any(_same(link, held) for link in (process / "fd").iterdir())
    except PermissionError:
        return True
    except (FileNotFoundError, ProcessLookupError):
        return False


def _same(link: Path, held: os.stat_result) -> bool:
    try:
        found = link.stat()
    except OSError:  # closed since we listed it
        return False
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


def put_away(folder: Path, name: str) -> None:
    """Move a file that has been read to the end out of the way; it may have been moved already.

    Raises FileExistsError rather than write over a file that was put away under this name.
    """
    (folder / DONE).mkdir(exist_ok=True)
    target = folder / DONE / name
    try:
        target.hardlink_to(folder / name)
    except FileNotFoundError:
        if not target.exists():
            raise
        return
    (folder / name).unlink()


def drop_old(folder: Path, keep_s: float, now: float | None = None) -> list[str]:
    """Delete files that were put away and not written for `keep_s` seconds; their names."""
    before = (time.time() if now is None else now) - keep_s
    dropped = []
    for path in sorted((folder / DONE).glob("*.journal")):
        if path.stat().st_mtime < before:
            path.unlink()
            dropped.append(path.name)
    return dropped


class Writer:
    """The gateway's own journal file: what control does to a call is recorded as any worker's word.

    So it arrives exactly once, also when the daemon or PostgreSQL dies in between.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{time.time_ns() // 1_000_000}-{os.getpid()}.journal"
        self._fd = -1

    def write(self, line: bytes) -> None:
        """Append one line, newline included, and have it on disk when this returns."""
        if self._fd < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o640)
        if os.write(self._fd, line) != len(line):
            raise OSError(f"{self._path}: the disk is full")
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Nothing more will be written."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
