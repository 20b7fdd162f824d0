"""Finds which process holds a port by reading /proc; Kamailio would share a used UDP address
silently.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

PROC = Path("/proc")
_UNCONNECTED_UDP, _LISTENING_TCP = "07", "0A"


class Holder(msgspec.Struct, frozen=True):
    """A process that holds a port; pid 0 when it lives outside our view of /proc."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid else self.name


def bound(text: str, state: str) -> Iterator[tuple[str, int, str]]:
    """(address, port, inode) of each socket in /proc/net/{udp,tcp}[6] in `state`.

    Addresses there are hex words in the machine's byte order; a mapped IPv4 address is given plain.
    """
    for line in text.splitlines()[1:]:
        fields = line.split()
        address, _, port = fields[1].partition(":")
        if fields[3] != state:
            continue
        words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
        raw = struct.pack(f"={len(words)}I", *words)
        if len(raw) == 4:
            name = socket.inet_ntop(socket.AF_INET, raw)
        elif raw[:12] == b"\0" * 10 + b"\xff\xff":
            name = socket.inet_ntop(socket.AF_INET, raw[12:])
        else:
            name = socket.inet_ntop(socket.AF_INET6, raw)
        yield name, int(port, 16), fields[9]


def clashes(one: str, other: str) -> bool:
    """Whether two sockets bound to these addresses get in each other's way on the same port."""
    wildcards = ("0.0.0.0", "::")
    return one == other or one in wildcards or other in wildcards


def holder(protocol: str, address: str, port: int, proc: Path = PROC) -> Holder | None:
    """Who holds `protocol` ("udp" or "tcp") address:port, or None."""
    state = _UNCONNECTED_UDP if protocol == "udp" else _LISTENING_TCP
    for table in (protocol, protocol + "6"):
        path = proc / "net" / table
        if not path.exists():  # IPv6 may be off
            continue
        for where, number, inode in bound(path.read_text(), state):
            if number == port and clashes(where, address):
                return _owner(proc, f"socket:[{inode}]")
    return None


def _owner(proc: Path, link: str) -> Holder:
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) == link:
                    return Holder(int(process.name), (process / "comm").read_text().strip())
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue  # ended while we looked, or not ours to see
    return Holder(0, "a process outside this container")
