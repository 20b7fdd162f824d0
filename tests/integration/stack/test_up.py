"""A whole stack from nothing: up, again, down, what it says, and side by side with another."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.home import Home
from gateway.stack import processes, state
from gateway.stack.holders import bound
from gateway.stack.processes import Identity
from tests.integration.stack.running import Stack, stack

NAMES = {"kamailio", "rtpengine", "redis", "postgresql", "gateway", "admin_api"}


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with stack() as one:
        one.up("--no-demo")
        yield one


def test_status_names_every_service_with_a_process_that_lives(running: Stack) -> None:
    seen = running.status()
    assert {service["name"] for service in seen["services"]} == NAMES
    assert {service["state"] for service in seen["services"]} == {"running"}
    assert all(processes.identity(service["pid"]) for service in seen["services"])
    assert seen["sip"] == f"127.0.0.1:{running.env['PORTGATE_SIP_PORT']}"
    assert seen["api_url"] == f"http://127.0.0.1:{running.env['PORTGATE_API_PORT']}"


def test_up_again_changes_nothing_and_is_quick(running: Stack) -> None:
    before = running.pids()
    done, seconds = running.timed("up", "--detach", "--no-demo")
    assert done.returncode == 0
    assert "runs already" in done.stderr
    assert seconds < 3
    assert running.pids() == before


def test_settings_that_wait_for_a_start_are_named_with_the_way_there(running: Stack) -> None:
    file = running.home / "portgate.toml"
    before = file.read_text() if file.exists() else None
    assert running.status()["settings_waiting"] == []
    file.write_text("[sip]\ntls_port = 5061\n[calls]\nno_answer_s = 60\n")
    try:
        told = running.portgate("up", "--detach", "--no-demo").stderr
        assert running.status()["settings_waiting"] == ["sip", "calls"]
        assert "sip, calls" in told and "./portgate down" in told
        file.write_text("[sip]\ntls_prt = 5061\n")
        (why,) = running.status()["settings_waiting"]
        assert "portgate.toml:2" in why and "tls_port" in why
    finally:
        file.unlink() if before is None else file.write_text(before)


def test_another_shell_without_the_overrides_means_the_same_stack(running: Stack) -> None:
    env = {key: value for key, value in running.env.items() if key != "PORTGATE_SIP_PORT"}
    seen = Stack(running.home, env).status()
    assert seen["sip"] == f"127.0.0.1:{running.env['PORTGATE_SIP_PORT']}"


def test_doctor_finds_the_services_well(running: Stack) -> None:
    found = json.loads(running.portgate("doctor", "--json").stdout)["findings"]
    well = {finding["name"] for finding in found if finding["ok"]}
    assert well >= {*NAMES, "snapshot", "publishing", "journal", "preflight"}


def test_secrets_and_sockets_are_for_root_only(running: Stack) -> None:
    home = Home(running.home)
    assert home.secrets.stat().st_mode & 0o777 == 0o700
    assert home.token_key.stat().st_mode & 0o777 == 0o600
    assert len(home.token_key.read_bytes()) == 32
    for path in (home.redis_socket, home.supervisor_socket):
        assert path.stat().st_mode & 0o077 == 0
    assert home.postgresql_socket_dir.stat().st_mode & 0o077 == 0


def test_only_sip_and_the_api_can_be_reached_from_outside_the_stack(running: Stack) -> None:
    held = {
        str(link.readlink())
        for leader in running.pids().values()
        for member in processes.group(leader)
        for link in Path(f"/proc/{member.pid}/fd").iterdir()
    }
    listening = bound(Path("/proc/net/tcp").read_text(), "0A")
    ours = [f"{host}:{port}" for host, port, inode in listening if f"socket:[{inode}]" in held]
    wanted = {f"127.0.0.1:{running.env[f'PORTGATE_{name}_PORT']}" for name in ("SIP", "API")}
    assert set(ours) == wanted


def test_a_second_stack_runs_beside_the_first(running: Stack) -> None:
    before = running.pids()
    with stack() as other:
        other.up("--no-demo")
        theirs = other.status()
        assert {service["state"] for service in theirs["services"]} == {"running"}
        assert not set(other.pids().values()) & set(before.values())
        assert (other.home / "ports.toml").read_text() != (running.home / "ports.toml").read_text()
    assert running.pids() == before


def test_a_port_in_use_is_told_with_its_process_and_nothing_is_left_running() -> None:
    with stack() as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", int(one.env["PORTGATE_SIP_PORT"])))
        done = one.portgate("up", "--detach", "--no-demo")
        assert done.returncode == 1
        assert f"(pid {os.getpid()}) listens there" in done.stderr
        assert "PORTGATE_SIP_PORT=" in done.stderr
        assert one.status()["supervisor"] is None


def test_a_home_that_postgres_cannot_reach_is_told_with_the_mend(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with stack() as one:
        env = {**one.env, "PORTGATE_HOME": str(closed / "home")}
        done = Stack(closed / "home", env).portgate("up", "--detach", "--no-demo")
    assert done.returncode == 1
    assert "is closed to the user postgres" in done.stderr
    assert "chmod o+x" in done.stderr
    assert not (closed / "home").exists()


def test_ctrl_c_in_the_foreground_stops_everything() -> None:
    with stack() as one:
        command = one.command("up", "--no-demo", "--json")
        with subprocess.Popen(
            command, env=one.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            text = ""
            while not text.endswith("\n}\n"):
                text += process.stdout.readline()
            services = leaders(one)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        assert json.loads(text)["ready"]
        assert processes.wait_gone(services, 0) == []


def leaders(one: Stack) -> list[Identity]:
    noted = state.read(Home(one.home))
    assert noted is not None
    return [Identity(note.pid, note.started) for note in noted.services]


def test_after_down_nothing_is_left_and_up_comes_back_in_seconds() -> None:
    with stack() as one:
        one.up("--no-demo")
        services = leaders(one)
        done = one.portgate("down", "--json")
        assert json.loads(done.stdout)["was_running"]
        assert processes.wait_gone(services, 0) == []
        key = Home(one.home).token_key.read_bytes()
        done, seconds = one.timed("up", "--detach", "--no-demo")
        assert done.returncode == 0, done.stderr
        assert seconds < 10
        assert Home(one.home).token_key.read_bytes() == key
        assert one.portgate("down", "--purge", "--yes").returncode == 0
        assert not one.home.exists()


@pytest.mark.faults
@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_killed_service_works_again_within_three_seconds(running: Stack, name: str) -> None:
    before = running.pids()
    (leader,) = [one for one in leaders(running) if one.pid == before[name]]
    family = processes.group(leader.pid)
    os.kill(leader.pid, signal.SIGKILL)
    after, seconds = comes_back(running, name, leader.pid)
    assert seconds < 3
    assert processes.wait_gone(family, 1) == []
    assert {key: pid for key, pid in after.items() if key != name} == {
        key: pid for key, pid in before.items() if key != name
    }


@pytest.mark.faults
def test_a_killed_sip_worker_ends_kamailio_which_works_again_within_three_seconds(
    running: Stack,
) -> None:
    leader = running.pids()["kamailio"]
    worker = next(member for member in processes.group(leader) if member.pid != leader)
    os.kill(worker.pid, signal.SIGKILL)
    _, seconds = comes_back(running, "kamailio", leader)
    assert seconds < 3


def comes_back(running: Stack, name: str, old: int) -> tuple[dict[str, int], float]:
    """Wait until the service runs again under another pid; how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < 20:
        seen = {service["name"]: service for service in running.status()["services"]}
        if seen[name]["state"] == "running" and seen[name]["pid"] != old:
            return {key: one["pid"] for key, one in seen.items()}, time.monotonic() - began
    raise AssertionError(f"{name} did not come back: {seen[name]}")


@pytest.mark.faults
def test_a_killed_supervisor_leaves_nothing_and_up_starts_anew() -> None:
    with stack() as one:
        supervisor = one.up("--no-demo")["supervisor"]
        services = leaders(one)
        os.kill(supervisor, signal.SIGKILL)
        assert processes.wait_gone(services, 20) == []
        assert {service["state"] for service in one.status()["services"]} == {"stopped"}
        assert one.up("--no-demo")["ready"]


@pytest.mark.faults
def test_a_stopped_redis_is_seen_not_to_answer(running: Stack) -> None:
    redis = running.pids()["redis"]
    os.kill(redis, signal.SIGSTOP)
    try:
        seen = {service["name"]: service["state"] for service in running.status()["services"]}
    finally:
        os.kill(redis, signal.SIGCONT)
    assert seen["redis"] == "not answering"
