"""Files that processes share by mapping them: a new one beside the old, and by what it is known
again; what they hold is not known here.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from number_registry.errors import CacheCorruptError

Mark = tuple[int, int, int]


def aside(path: Path, size: int) -> tuple[Path, mmap.mmap]:
    """A zeroed file beside the real one, for whoever runs the gateway alone: numbers are in it. Its
    blocks are reserved: a full disk must not become a SIGBUS later.
    """
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    beside.touch(0o600)
    with beside.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        return beside, mapped(file.fileno())


def mapped(descriptor: int) -> mmap.mmap:
    """The file, to be read and written. Raises CacheCorruptError for an empty one."""
    try:
        return mmap.mmap(descriptor, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    except ValueError as error:  # an empty file cannot be mapped
        raise CacheCorruptError(f"snapshot: {error}") from error


def mark(path: Path) -> Mark:
    """By which the file is known again. Raises OSError where there is none."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size
