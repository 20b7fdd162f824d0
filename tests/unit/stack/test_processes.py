"""Processes: told apart for certain, ended without hitting another, found again after a kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.home import Home
from gateway.stack import processes, state
from gateway.stack.problems import StackError
from gateway.stack.processes import Identity


class Home_(Home):
    """A home whose run folder is a test's own."""

    @property
    def run(self) -> Path:
        return self.path / "run"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home_(tmp_path)
    home.run.mkdir()
    return home


@pytest.fixture
def sleeper(home: Home, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    does = getattr(request, "param", "sleep 60 & wait")
    env = {"PORTGATE_HOME": str(home.path)}
    process = subprocess.Popen(["/bin/sh", "-c", does], env=env, start_new_session=True)
    yield process
    for member in processes.group(process.pid):
        processes.kill(member, signal.SIGKILL)
    process.wait(5)


def identified(process: subprocess.Popen[bytes]) -> Identity:
    found = processes.identity(process.pid)
    assert found is not None
    return found


def noted(*services: Identity) -> state.State:
    notes = [state.Noted(f"service{n}", s.pid, s.started) for n, s in enumerate(services)]
    return state.State(processes.boot_id(), Identity(1, 0), notes)


def test_a_process_is_alive_until_it_ends(sleeper: subprocess.Popen[bytes]) -> None:
    me = identified(sleeper)
    assert processes.alive(me)
    processes.kill(me, signal.SIGKILL)
    sleeper.wait(5)
    assert not processes.alive(me)
    processes.kill(me, signal.SIGKILL)  # nobody is hit, nothing is raised


def test_another_process_with_the_same_number_is_not_hit(sleeper: subprocess.Popen[bytes]) -> None:
    earlier = Identity(sleeper.pid, identified(sleeper).started - 1)
    processes.kill(earlier, signal.SIGKILL)
    assert sleeper.poll() is None
    assert processes.alive(identified(sleeper))


def test_a_zombie_counts_as_gone(sleeper: subprocess.Popen[bytes]) -> None:
    me = identified(sleeper)
    os.kill(sleeper.pid, signal.SIGKILL)
    assert processes.wait_gone([me], 5) == []  # not waited for: it is a zombie now


def test_what_a_killed_supervisor_left_is_ended_with_its_children(
    home: Home, sleeper: subprocess.Popen[bytes]
) -> None:
    leader = identified(sleeper)
    state.write(home, noted(leader))
    assert leader in state.leftovers(home)
    assert state.end_leftovers(home) >= 1
    sleeper.wait(5)
    assert processes.group(sleeper.pid) == []


@pytest.mark.parametrize("sleeper", ["trap 'sleep 60 & exit' TERM; sleep 60 & wait"], indirect=True)
def test_a_child_that_comes_while_its_parent_is_ended_is_ended_too(
    home: Home, sleeper: subprocess.Popen[bytes]
) -> None:
    while len(processes.group(sleeper.pid)) < 2:
        assert sleeper.poll() is None
    state.write(home, noted(identified(sleeper)))
    assert state.end_leftovers(home) == 3
    sleeper.wait(5)
    assert processes.group(sleeper.pid) == []


def test_a_program_that_has_just_begun_is_known_by_its_environment() -> None:
    """For a moment after its parent goes on, the kernel shows none yet."""
    for _ in range(200):
        with subprocess.Popen(["/bin/cat"], env={"OF": "here"}, stdin=subprocess.PIPE) as process:
            assert processes.environment(process.pid) == {"OF": "here"}


def test_orphans_are_found_when_their_leader_is_already_dead(
    home: Home, sleeper: subprocess.Popen[bytes]
) -> None:
    leader = identified(sleeper)
    members = processes.group(sleeper.pid)
    while len(members) < 2:  # until the shell has started its child
        members = processes.group(sleeper.pid)
    processes.kill(leader, signal.SIGKILL)
    sleeper.wait(5)
    state.write(home, noted(leader))
    orphans = [member for member in members if member != leader]
    assert set(orphans) <= set(state.leftovers(home))
    state.end_leftovers(home)
    assert processes.wait_gone(orphans, 5) == []


def test_a_group_that_is_not_of_this_home_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    other = Home_(tmp_path / "other")
    other.run.mkdir(parents=True)
    gone = Identity(sleeper.pid, identified(sleeper).started - 1)
    state.write(other, noted(gone))
    assert state.leftovers(other) == []


def test_a_note_from_before_a_reboot_means_nothing(
    home: Home, sleeper: subprocess.Popen[bytes]
) -> None:
    me = identified(sleeper)
    notes = [state.Noted("redis", me.pid, me.started)]
    state.write(home, state.State("another boot", Identity(1, 0), notes))
    assert state.read(home) is None
    assert state.leftovers(home) == []


def test_a_damaged_note_is_told_and_not_guessed(home: Home) -> None:
    home.state_file.write_bytes(b"{half a no")
    with pytest.raises(StackError, match="damaged"):
        state.leftovers(home)


def test_a_command_means_the_stack_that_runs(home: Home) -> None:
    me = processes.identity(os.getpid())
    assert me is not None
    overrides = {"PORTGATE_SIP_PORT": "5070", "PORTGATE_API_PORT": "8090"}
    state.write(home, state.State(processes.boot_id(), me, [], overrides))
    env = {"PORTGATE_API_PORT": "1"}
    state.adopt(home, env)
    assert env == {"PORTGATE_SIP_PORT": "5070", "PORTGATE_API_PORT": "1"}


def test_a_stack_that_is_gone_lends_nobody_its_settings(home: Home) -> None:
    gone = state.State(
        processes.boot_id(), Identity(os.getpid(), 1), [], {"PORTGATE_SIP_PORT": "5070"}
    )
    state.write(home, gone)
    env: dict[str, str] = {}
    state.adopt(home, env)
    assert env == {}
