"""One child process: started with its log file, watched, and ended with its whole group; decides
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from pathlib import Path

from gateway.stack import processes
from gateway.stack.probes import NotReady
from gateway.stack.processes import Identity
from gateway.stack.services import Service

_PR_SET_CHILD_SUBREAPER = 36
_SETPRIV = "/usr/bin/setpriv"
_NICE = "/usr/bin/nice"


def become_reaper() -> None:
    """Children of a child that is killed become ours, so that we can end and bury them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def command(service: Service) -> list[str]:
    """The service's command, told to stop by the kernel should the supervisor be killed.

    Through setpriv rather than Python between fork and exec, which is unsafe beside threads; and
    after the change of user, which would cancel it. Where the machine does not let us go before
    others (a container without CAP_SYS_NICE), nice says so in the log and goes on.
    """
    turn = [_NICE, "-n", str(service.nice)] if service.nice else []
    death = service.stop_signal.name.removeprefix("SIG")
    user = (
        ["--reuid", service.user, "--regid", service.user, "--init-groups"] if service.user else []
    )
    return [*turn, _SETPRIV, *user, "--pdeathsig", death, "--", *service.argv]


class Child:
    """A started service."""

    def __init__(self, service: Service, process: asyncio.subprocess.Process) -> None:
        self.service = service
        self.process = process
        found = processes.identity(process.pid)
        # Dead already: an identity that matches nothing, for the watcher to find.
        self.identity = found or Identity(process.pid, 0)

    @staticmethod
    async def start(service: Service, log: Path) -> Child:
        """Start it in a session of its own. Its output goes straight to the log file.

        Never through a pipe of ours: a supervisor that is stopped or slow must not block a SIP
        worker that writes a line.
        """
        for path in service.sockets:
            path.unlink(missing_ok=True)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            process = await asyncio.create_subprocess_exec(
                *command(service),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(service.env),
                cwd="/",
                start_new_session=True,
            )
            if service.nice:
                _before_other_sessions(process.pid, service.nice, output)
        finally:
            os.close(output)
        return Child(service, process)

    async def died(self) -> int:
        """Wait for the end; then end what its group has left behind. Returns the exit status."""
        status = await self.process.wait()
        await self.sweep()
        return status

    async def sweep(self) -> None:
        """Kill and bury every process that a dead service has left in its group."""
        while left := processes.group(self.identity.pid):
            for process in left:
                processes.kill(process, signal.SIGKILL)
            _bury(self.identity.pid)
            await asyncio.sleep(0.005)
        _bury(self.identity.pid)

    async def stop(self, within_s: float | None = None) -> bool:
        """Ask it to end, then insist after its `stop_s`, or sooner. True when asking was enough."""
        limit = self.service.stop_s
        if within_s is not None:
            limit = min(limit, within_s)
        processes.kill(self.identity, self.service.stop_signal)
        try:
            await asyncio.wait_for(self.process.wait(), limit)
        except TimeoutError:
            processes.kill(self.identity, signal.SIGKILL)
            await self.process.wait()
            await self.sweep()
            return False
        await self.sweep()
        return True

    async def ready(self) -> None:
        """Wait until the probe succeeds. Raises NotReady after `ready_s`, or when it dies."""
        deadline = asyncio.get_running_loop().time() + self.service.ready_s
        while True:
            if self.process.returncode is not None:
                raise NotReady(f"{self.service.name} ended with status {self.process.returncode}")
            try:
                return await self.service.probe()
            except NotReady:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(0.02)


def _before_other_sessions(pid: int, nice: int, log: int) -> None:
    """Where the kernel shares processors out among sessions first (sched(7), autogroup), niceness
    counts inside a session only, and the session needs its own.
    """
    try:
        Path(f"/proc/{pid}/autogroup").write_text(f"{nice}\n", "ascii")
    except (FileNotFoundError, ProcessLookupError):
        return  # a kernel without sessions' turns, or the service has ended already
    except OSError as error:
        os.write(log, f"it does not go before other sessions: {error}\n".encode())


def _bury(pgid: int) -> None:
    """Collect the dead of a group that have become our children."""
    try:
        while os.waitpid(-pgid, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


class Undertaker:
    """Buries dead strays: children of a killed service that had left its group, as PostgreSQL's do.

    A child that somebody here waits for is dead for moments only, so what is dead at two visits
    in a row belongs to nobody.
    """

    def __init__(self) -> None:
        self._seen: set[Identity] = set()

    def visit(self) -> None:
        """To be called every second or so."""
        dead = set(processes.dead_children(os.getpid()))
        for stray in dead & self._seen:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray.pid, os.WNOHANG)
        self._seen = dead - self._seen
