"""Tells processes apart by pid and start time, and ends groups of them; never looks for a name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec

PROC = Path("/proc")
EXEC_S = 1.0  # longer than a busy machine takes from a program's start to its environment


class Identity(msgspec.Struct, frozen=True):
    """A process for certain: a pid is reused, a pid with its start time (in ticks) is not."""

    pid: int
    started: int


def boot_id() -> str:
    """Changes with each boot; process ids of another boot mean nothing."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third on (state, ppid, pgrp, session ...), or None."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def identity(pid: int) -> Identity | None:
    """The identity of a process that is alive now (a zombie is not)."""
    fields = stat(pid)
    return Identity(pid, int(fields[19])) if fields and fields[0] not in "ZX" else None


def alive(process: Identity) -> bool:
    """Whether exactly this process still runs."""
    return identity(process.pid) == process


def group(pgid: int) -> list[Identity]:
    """All live processes of a process group."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            fields = stat(int(entry.name))
            if fields and fields[0] not in "ZX" and int(fields[2]) == pgid:
                found.append(Identity(int(entry.name), int(fields[19])))
    return found


def dead_children(parent: int) -> list[Identity]:
    """Children of a process that have ended and that nobody has waited for."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            fields = stat(int(entry.name))
            if fields and fields[0] == "Z" and int(fields[1]) == parent:
                found.append(Identity(int(entry.name), int(fields[19])))
    return found


def environment(pid: int) -> dict[str, str]:
    """The environment a process was started with; empty when it cannot be seen.

    A process that is just becoming another program shows none yet, and is given a moment.
    """
    until = time.monotonic() + EXEC_S
    while _becoming(pid) and time.monotonic() < until:
        time.sleep(0.001)
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return {}
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if b"=" in item)
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs}


def _becoming(pid: int) -> bool:
    """Between the old program and the new one: where the environment ends is not known (proc(5),
    stat, field 51).
    """
    fields = stat(pid)
    return bool(fields) and fields[0] not in "ZX" and fields[48] == "0"


def kill(process: Identity, sign: int) -> None:
    """Signal exactly this process, if it still runs."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # The descriptor holds this pid; the start time says that it is the one meant.
        if alive(process):
            signal.pidfd_send_signal(handle, sign)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def wait_gone(processes: list[Identity], seconds: float) -> list[Identity]:
    """Those that still run after waiting at most `seconds`."""
    until = time.monotonic() + seconds
    left = [process for process in processes if alive(process)]
    while left and time.monotonic() < until:
        time.sleep(0.01)
        left = [process for process in left if alive(process)]
    return left
