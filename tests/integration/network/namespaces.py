"""Network namespaces that a test makes for itself, and what people do inside; nothing here touches
the machine's own namespace.

A namespace is held by a file descriptor and has no name: it goes with the test, however that ends.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pyroute2 import AsyncIPRoute

from tests.repo.tree import ROOT

CLONE_NEWNET = 0x40000000
PATIENCE_S = 5.0
_Given = TypeVar("_Given")
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _in_a_thread(work: Callable[[], _Given]) -> _Given:
    """A thread may leave for another namespace and never come back; the test's own stays."""
    given: list[_Given] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return given[0]


class Namespace:
    """One network namespace."""

    def __init__(self) -> None:
        def made() -> int:
            _checked(_libc.unshare(CLONE_NEWNET))
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

        self.fd = _in_a_thread(made)
        self.switch("lo", "up")

    def close(self) -> None:
        os.close(self.fd)

    def inside(self, work: Callable[[], _Given]) -> _Given:
        """Do this inside: sockets made there stay there."""

        def moved() -> _Given:
            _checked(_libc.setns(self.fd, CLONE_NEWNET))
            return work()

        return _in_a_thread(moved)

    def netlink(self, work: Callable[[AsyncIPRoute], Awaitable[_Given]]) -> _Given:
        """Speak to the kernel inside."""

        async def spoken() -> _Given:
            async with AsyncIPRoute() as route:
                return await work(route)

        return self.inside(lambda: asyncio.run(spoken()))

    def cable(self, name: str, other: Namespace, other_name: str) -> None:
        """Two interfaces, one here and one there, joined and switched on."""
        peer = {"ifname": other_name, "net_ns_fd": other.fd}
        self.netlink(lambda route: route.link("add", ifname=name, kind="veth", peer=peer))
        other.switch(other_name, "up")
        self.switch(name, "up")

    def index(self, name: str) -> int:
        return int(self.netlink(lambda route: route.link_lookup(ifname=name))[0])

    def address(self, name: str, address: str) -> None:
        ip, _, length = address.partition("/")
        new = {"index": self.index(name), "address": ip, "prefixlen": int(length)}
        self.netlink(lambda route: route.addr("add", **new))

    def route(self, verb: str, **spelled: Any) -> None:
        self.netlink(lambda route: route.route(verb, **spelled))

    def rule(self, verb: str, **spelled: Any) -> None:
        self.netlink(lambda route: route.rule(verb, **spelled))

    def switch(self, name: str, state: str) -> None:
        index = self.index(name)
        self.netlink(lambda route: route.link("set", index=index, state=state))

    def udp(self, ip: str, port: int = 0) -> socket.socket:
        def bound() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((ip, port))
            return made

        return self.inside(bound)

    def set(self, key: str, value: str) -> None:
        """A kernel setting of this namespace: net.ipv4..."""
        path = Path("/proc/sys") / key.replace(".", "/")
        self.inside(lambda: path.write_text(value))

    def run(self, home: Path, *command: str, more: str = "") -> subprocess.CompletedProcess[str]:
        """A Python module as a process in this namespace. `more`: a folder of modules."""
        path = os.pathsep.join(filter(None, (str(ROOT), more)))
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PORTGATE_HOME": str(home)}
        return subprocess.run(
            [
                "nsenter",
                f"--net=/proc/{os.getpid()}/fd/{self.fd}",
                sys.executable,
                "-P",
                "-m",
                *command,
            ],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def make(count: int) -> list[Namespace]:
    """So many namespaces, or the test is skipped with the reason."""
    try:
        return [Namespace() for _ in range(count)]
    except OSError as error:
        pytest.skip(f"no network namespace can be made here: {error}")


def who_hears(sender: socket.socket, to: tuple[str, int], ears: dict[str, socket.socket]) -> str:
    """Send one datagram, let whoever hears it answer, and give the name that came back."""
    sender.sendto(b"who is there?", to)
    ready, _, _ = select.select(list(ears.values()), [], [], PATIENCE_S)
    assert ready, f"nobody heard what was sent to {to}"
    name = next(name for name, ear in ears.items() if ear is ready[0])
    _, came_from = ready[0].recvfrom(100)
    assert came_from == sender.getsockname()
    ready[0].sendto(name.encode(), came_from)
    sender.settimeout(PATIENCE_S)
    answer, answered_from = sender.recvfrom(100)
    assert answered_from == to
    return answer.decode()
