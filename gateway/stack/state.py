"""The supervisor's note of what it started, and the cleaning up of what a killed one left; kills by
identity only.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping

import msgspec

from gateway.home import Home
from gateway.stack import processes
from gateway.stack.problems import Problem, StackError
from gateway.stack.processes import Identity


class Noted(msgspec.Struct, frozen=True):
    """One service as noted: its leader's pid is also its process group."""

    name: str
    pid: int
    started: int


class State(msgspec.Struct, frozen=True):
    """run/state.json. `overrides` are the PORTGATE_ variables this stack was started with."""

    boot: str
    supervisor: Identity
    services: list[Noted]
    overrides: dict[str, str] = {}


def write(home: Home, state: State) -> None:
    """Atomically, since another command may read at any moment."""
    beside = home.state_file.with_name(".state.json.new")
    beside.write_bytes(msgspec.json.encode(state))
    beside.replace(home.state_file)


def read(home: Home) -> State | None:
    """The note of this boot, or None. A note of another boot names processes that are long gone."""
    try:
        state = msgspec.json.decode(home.state_file.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        mend = f"Remove {home.state_file}, then end by hand what still runs"
        raise StackError(Problem(f"{home.state_file} is damaged", str(error), mend)) from error
    return state if state.boot == processes.boot_id() else None


def overrides(env: Mapping[str, str]) -> dict[str, str]:
    """The variables to note: those that change settings."""
    sections = ("SIP", "MEDIA", "API", "CALLS", "CARRIERS")
    prefixes = tuple(f"PORTGATE_{section}_" for section in sections)
    return {key: value for key, value in env.items() if key.startswith(prefixes)}


def adopt(home: Home, env: dict[str, str] | os._Environ[str]) -> None:
    """Give a command the overrides its running stack was started with: both mean one stack."""
    state = read(home)
    if state is not None and processes.alive(state.supervisor):
        for key, value in state.overrides.items():
            env.setdefault(key, value)


def leftovers(home: Home) -> list[Identity]:
    """Processes of a stack whose supervisor was killed.

    A leader by pid and start time, and its group with it; where the leader is dead, and the number
    of its group may be another's by now, only those whose environment names this home.
    """
    state = read(home)
    if state is None:
        return []
    found = []
    for noted in state.services:
        leader = Identity(noted.pid, noted.started)
        for member in processes.group(noted.pid):
            # Asked for each: the leader may have ended since.
            if processes.alive(leader) or _names(home, member):
                found.append(member)
    return found


def _names(home: Home, member: Identity) -> bool:
    return processes.environment(member.pid).get("PORTGATE_HOME") == str(home.path)


def end_leftovers(home: Home, seconds: float = 3.0) -> int:
    """Ask them to end, then insist; returns how many there were. Hold the lock meanwhile.

    Each time they are looked for anew: one may have had a child since.
    """
    ended = set[Identity]()
    # PostgreSQL takes SIGTERM as "when all clients have gone": it is among those that are insisted
    # on.
    for sign in (signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL):
        ended |= _told(home, sign, seconds)
    return len(ended)


def _told(home: Home, sign: int, seconds: float) -> set[Identity]:
    """Signal each that is there, and those that come, until none is left or the time is up."""
    until = time.monotonic() + seconds
    told = set[Identity]()
    left = leftovers(home)
    while left:
        for process in left:
            if process not in told:
                processes.kill(process, sign)
        told.update(left)
        if processes.wait_gone(left, until - time.monotonic()):
            break
        left = leftovers(home)
    return told
