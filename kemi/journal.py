"""Appends one line for each call event to this worker's own file; it never waits for a network and
never reads back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

ROTATE_BYTES = 64 * 1024 * 1024


class Journal:
    """One per process. A line is written by one write() to a file opened with O_APPEND: whole, or
    not at all.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._warn = warn
        self._file = -1
        # opened by the first event, so idle processes leave no empty files
        self._bytes = ROTATE_BYTES
        self.lost = 0

    def write(self, line: bytes) -> None:
        """Append an event's line, newline included.

        A full disk loses the event, counts it and says so: a call must not fail for its record.
        """
        try:
            if self._bytes >= ROTATE_BYTES:
                self._rotate()
            written = os.write(self._file, line)
        except OSError as error:
            written = 0
            self._warn(f"journal: {error}")
        self._bytes += written
        if written < len(line):
            # Half a line must not run into the next one: go on in a new file.
            self.lost += 1
            self._bytes = ROTATE_BYTES
            said = line[:64].decode("ascii", "replace")
            self._warn(f"journal: an event was lost, {self.lost} in all: {said}")

    def _rotate(self) -> None:
        path = self._folder / f"{time.time_ns() // 1_000_000}-{os.getpid()}.journal"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._bytes = file, 0
