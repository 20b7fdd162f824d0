"""Calls a hook under watch: a stop-watch, a limit of time, and an eye on what it reaches for.

Time is that of the processor: a busy machine makes no carrier slow.
"""

from __future__ import annotations

import importlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

LIMIT_S = 0.001  # of one reading
GIVE_UP_S = 0.25  # after which a call is broken off
TRIES = 4  # a slow one is measured again: the first call may pay for a cold cache
_REACHING = (
    *("open", "os.", "socket.", "subprocess.", "import", "exec", "compile", "shutil.", "tempfile."),
    *("glob.", "pathlib.", "ctypes.", "urllib.", "http.", "signal.", "time.sleep", "sqlite3."),
    *("mmap.", "fcntl.", "builtins.input", "syslog.", "ftplib.", "smtplib.", "sys.setprofile"),
)


class TooSlow(BaseException):
    """A call did not end within GIVE_UP_S. Not an Exception: a hook must not catch it."""


class ReachedOut(BaseException):
    """A call wanted something outside; the message says what. Not an Exception either."""


_watching = False
_installed = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    global _watching
    if _watching and event.startswith(_REACHING):
        _watching = False  # what follows is the report of it
        raise ReachedOut(f"{event} {str(arguments)[:80]}")


def _ring(number: int, frame: FrameType | None) -> None:
    raise TooSlow


@contextmanager
def watch() -> Iterator[None]:
    """Within it `timed` works. In the main thread only, since it needs a signal."""
    global _installed
    if not _installed:
        # datetime.strptime imports it at its first call, which is no fault of a hook
        importlib.import_module("_strptime")
        sys.addaudithook(_audit)  # for good: it cannot be taken off, and sleeps outside `timed`
        _installed = True
    before = signal.signal(signal.SIGPROF, _ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """The result, and the seconds of the quickest of several tries. Raises what the call raises,
    TooSlow and ReachedOut.
    """
    result, best = _once(call)
    for _ in range(TRIES - 1):
        if best <= LIMIT_S:
            break
        result, again = _once(call)
        best = min(best, again)
    return result, best


def _once(call: Callable[[], T]) -> tuple[T, float]:
    global _watching
    signal.setitimer(signal.ITIMER_PROF, GIVE_UP_S)
    try:
        _watching = True
        began = time.thread_time()
        try:
            result = call()
            return result, time.thread_time() - began
        finally:
            _watching = False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
