"""Appends one line for each call event to this worker's own file; it never waits for a network and
never reads back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from json import encoder as json_encoder
from pathlib import Path
from typing import Any

ROTATE_BYTES = 64 * 1024 * 1024


def _fast_encoder() -> Callable[[Any], str]:
    """What JSONEncoder.encode does, without making its inner encoder anew for every line: a third
    of the cost. Where that inner encoder is missing, the ordinary one serves.
    """
    plain = json_encoder.JSONEncoder(separators=(",", ":"))
    make = getattr(json_encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    quote = json_encoder.encode_basestring_ascii
    inner = make(None, plain.default, quote, None, ":", ",", False, False, True)
    return lambda value: "".join(inner(value, 0))


_encode = _fast_encoder()


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

    def write(self, event: str, call: str, fields: dict[str, Any]) -> None:
        """Append an event with its fields.

        A full disk loses the event, counts it and says so: a call must not fail for its record.
        """
        record = {"e": event, "c": call, "t": time.time_ns() // 1000, **fields}
        line = (_encode(record) + "\n").encode("ascii")
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
            self._warn(f"journal: event {event} of call {call} was lost, {self.lost} in all")

    def _rotate(self) -> None:
        path = self._folder / f"{time.time_ns() // 1_000_000}-{os.getpid()}.journal"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._bytes = file, 0
