"""The supervisor with small real processes: restarts, stubborn ones, orphans, its own kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.home import Home
from gateway.stack import processes, state
from gateway.stack import supervisor as supervising
from gateway.stack.child import become_reaper
from gateway.stack.probes import NotReady, ready_file
from gateway.stack.problems import ServiceFailed
from gateway.stack.processes import Identity
from gateway.stack.services import Service
from gateway.stack.supervisor import Supervisor

REPO = Path(__file__).resolve().parents[3]


class LocalHome(Home):
    """A home whose run folder is a test's own."""

    @property
    def run(self) -> Path:
        return self.path / "run"


def shell(home: Home, name: str, script: str, before: str = ":", **more: object) -> Service:
    """A service that runs `before`, touches its ready file, and then runs `script`."""
    ready = home.run / f"{name}.ready"
    argv = ("/bin/sh", "-c", f"{before}; touch {ready}; {script}")
    env = {"PATH": "/usr/bin:/bin", "PORTGATE_HOME": str(home.path)}
    values: dict[str, object] = {"ready_s": 5, "stop_s": 5, "sockets": (ready,), **more}
    return Service(name, argv, ready_file(ready), env, **values)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = LocalHome(tmp_path)
    home.run.mkdir()
    home.log.mkdir()
    return home


Start = Callable[..., Awaitable[Supervisor]]


@pytest_asyncio.fixture
async def start(home: Home) -> AsyncIterator[Start]:
    started: list[Supervisor] = []
    said: list[str] = []

    async def begin(*services: Service) -> Supervisor:
        supervisor = Supervisor(home, services, {}, said.append)
        started.append(supervisor)
        for service in services:
            await supervisor.start(service)
        return supervisor

    yield begin
    for supervisor in started:
        await supervisor.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody announces; the test fails after ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def pid(supervisor: Supervisor, name: str) -> int:
    return supervisor.children[name].identity.pid


@pytest.mark.asyncio
async def test_a_killed_service_is_back_at_once(home: Home, start: Start) -> None:
    supervisor = await start(shell(home, "one", "sleep 60"), shell(home, "two", "sleep 60"))
    first, other = pid(supervisor, "one"), pid(supervisor, "two")
    began = asyncio.get_running_loop().time()
    os.kill(first, signal.SIGKILL)
    await until(lambda: pid(supervisor, "one") != first and supervisor.states["one"] == "running")
    assert asyncio.get_running_loop().time() - began < 3
    assert pid(supervisor, "two") == other
    assert supervisor.restarts == {"one": 1, "two": 0}
    noted = state.read(home)
    assert noted is not None
    assert {note.name: note.pid for note in noted.services}["one"] == pid(supervisor, "one")


@pytest.mark.asyncio
async def test_what_carries_calls_goes_before_everything_else(home: Home, start: Start) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    if subprocess.check_output(["nice", "-n", "-10", "nice"]) != b"%d\n" % (ours - 10):
        pytest.skip("this machine lets nobody go before others")
    calls = shell(home, "calls", "sleep 60 & wait", nice=-10)
    supervisor = await start(calls, shell(home, "rest", "sleep 60"))
    leader = pid(supervisor, "calls")
    await until(lambda: len(processes.group(leader)) == 2)
    for member in processes.group(leader):
        assert os.getpriority(os.PRIO_PROCESS, member.pid) == ours - 10
        turn = Path(f"/proc/{member.pid}/autogroup")
        assert not turn.exists() or turn.read_text().endswith(" nice -10\n")
    assert os.getpriority(os.PRIO_PROCESS, pid(supervisor, "rest")) == ours


@pytest.mark.asyncio
async def test_children_of_a_killed_service_do_not_outlive_it(home: Home, start: Start) -> None:
    become_reaper()
    supervisor = await start(shell(home, "one", "sleep 60 & sleep 60 & wait"))
    leader = pid(supervisor, "one")
    await until(lambda: len(processes.group(leader)) == 3)
    family = processes.group(leader)
    os.kill(leader, signal.SIGKILL)
    await until(lambda: pid(supervisor, "one") != leader)
    assert not [member for member in family if processes.alive(member)]


@pytest.mark.asyncio
async def test_a_service_that_does_not_stop_when_asked_is_killed(home: Home, start: Start) -> None:
    loop = "while :; do sleep 1; done"
    deaf = shell(home, "deaf", loop, before="trap '' TERM", stop_s=0.3)
    supervisor = await start(deaf)
    child = supervisor.children["deaf"]
    await supervisor.stop()
    assert processes.group(child.identity.pid) == []
    assert child.process.returncode == -signal.SIGKILL
    assert state.read(home) is None


@pytest.mark.asyncio
async def test_services_that_all_do_not_stop_take_no_longer_together_than_is_allowed(
    home: Home, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "STOP_S", 3.0)
    runs = "while :; do sleep 0.01; done"
    supervisor = await start(
        # Longer than a third of the time: it has what those before it did not need.
        shell(home, "first", runs, before="trap 'sleep 1.1; exit 0' TERM", stop_s=9),
        shell(home, "second", runs, before="trap '' TERM", stop_s=9, after=("first",)),
        shell(home, "third", runs, stop_s=9, after=("second",)),
    )
    children = dict(supervisor.children)
    began = asyncio.get_running_loop().time()
    await supervisor.stop()
    assert asyncio.get_running_loop().time() - began < 5
    ended = {name: child.process.returncode for name, child in children.items()}
    assert ended == {"third": -signal.SIGTERM, "second": -signal.SIGKILL, "first": 0}


@pytest.mark.asyncio
async def test_a_service_that_does_not_become_ready_is_said_with_its_own_words(
    home: Home, start: Start
) -> None:
    script = 'echo "ERROR: no such module" >&2; exit 3'
    broken = Service(
        "broken", ("/bin/sh", "-c", script), ready_file(home.run / "never"), {}, ready_s=5
    )
    with pytest.raises(ServiceFailed) as caught:
        await start(broken)
    (problem,) = caught.value.problems
    assert "status 3" in problem.why
    assert "ERROR: no such module" in problem.why
    assert str(home.log / "broken.log") in problem.mend


@pytest.mark.asyncio
async def test_a_restart_that_is_asked_for_is_no_death(home: Home, start: Start) -> None:
    supervisor = await start(shell(home, "one", "sleep 60"))
    first = pid(supervisor, "one")
    await supervisor.restart("one")
    await until(lambda: pid(supervisor, "one") != first and supervisor.states["one"] == "running")


@pytest.mark.asyncio
async def test_a_hung_service_is_seen_not_to_answer(home: Home, start: Start) -> None:
    answers = True

    async def probe() -> None:
        if not answers:
            raise NotReady("one: no answer")

    supervisor = await start(Service("one", ("/bin/sleep", "60"), probe, {}))
    assert [seen["state"] for seen in await supervisor.look()] == ["running"]
    answers = False
    (seen,) = await supervisor.look()
    assert (seen["state"], seen["why"]) == ("not answering", "one: no answer")


RUN = """
import asyncio, sys
from pathlib import Path
sys.path[0:0] = [{repo!r}, {here!r}]
from test_supervisor import LocalHome, shell
from gateway.stack.supervisor import Supervisor

async def main():
    home = LocalHome(Path({path!r}))
    service = shell(home, "one", "sleep 60")
    supervisor = Supervisor(home, [service], {{}}, print)
    await supervisor.start(service)
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_services_do_not_outlive_a_killed_supervisor(home: Home) -> None:
    code = RUN.format(repo=str(REPO), here=str(Path(__file__).parent), path=str(home.path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"started\n"
        noted = state.read(home)
        assert noted is not None
        services = [Identity(note.pid, note.started) for note in noted.services]
        assert all(processes.alive(service) for service in services)
        supervisor.kill()
    assert processes.wait_gone(services, 5) == []
    state.end_leftovers(home)
