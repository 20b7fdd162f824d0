"""The supervisor's note of what it started, and the cleaning up of what a killed one left; kills by
identity only.
"""

from __future__ import annotations

import os
import signal
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

    A leader by pid and start time; others of its group only when their environment names this home.
    """
    state = read(home)
    if state is None:
        return []
    found = []
    for noted in state.services:
        leader = Identity(noted.pid, noted.started)
        if processes.alive(leader):
            found.append(leader)
        for member in processes.group(noted.pid):
            ours = processes.environment(member.pid).get("PORTGATE_HOME") == str(home.path)
            if member != leader and ours:
                found.append(member)
    return found


def end_leftovers(home: Home, seconds: float = 3.0) -> int:
    """Ask them to end, then insist; returns how many there were. Hold the lock meanwhile."""
    found = leftovers(home)
    for process in found:
        processes.kill(process, signal.SIGTERM)
    # PostgreSQL takes SIGTERM as "when all clients have gone": it is among those that are insisted
    # on.
    for process in processes.wait_gone(found, seconds):
        processes.kill(process, signal.SIGQUIT)
    for process in processes.wait_gone(found, seconds):
        processes.kill(process, signal.SIGKILL)
    processes.wait_gone(found, seconds)
    return len(found)
