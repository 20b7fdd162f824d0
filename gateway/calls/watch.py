"""Waits until something in a folder changes (Linux inotify); it reads no file."""

from __future__ import annotations

import asyncio
import ctypes
import os
from pathlib import Path
from types import TracebackType

# <sys/inotify.h>
_IN_MODIFY, _IN_MOVED_TO, _IN_CREATE = 0x2, 0x80, 0x100
_IN_NONBLOCK, _IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """`async with Watch(folder) as watch: await watch.changed(1.0)`.

    One watch of the folder covers the files in it. Raises OSError when the folder does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = -1
        self._event = asyncio.Event()

    async def __aenter__(self) -> Watch:
        self._fd = _checked(_libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC))
        mask = _IN_MODIFY | _IN_MOVED_TO | _IN_CREATE
        try:
            _checked(_libc.inotify_add_watch(self._fd, os.fsencode(self._folder), mask))
        except OSError:
            os.close(self._fd)
            raise
        asyncio.get_running_loop().add_reader(self._fd, self._readable)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def wake(self) -> None:
        """Let `changed` return now."""
        self._event.set()

    async def changed(self, seconds: float) -> None:
        """Return at the next change, or after this time; changes since the last call count."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()

    def _readable(self) -> None:
        # What changed does not matter, and an overflow of the queue is a change as well.
        os.read(self._fd, 65536)
        self._event.set()


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
