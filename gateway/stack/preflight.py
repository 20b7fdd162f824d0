"""Judges facts about the machine before anything is started: pure; facts.py gathers them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from gateway.home import Home
from gateway.settings import Settings
from gateway.stack.holders import Holder
from gateway.stack.problems import Problem

DISK_LEAST = 500 * 2**20
DISK_LOW = 2 * 2**30
SOCKET_LONGEST = 100
# PostgreSQL keeps what its processes share there: a megabyte to start, more for each statement that
# several of them work on. 64 MB is what containers are given where nobody asks for more.
SHARED_LEAST = 8 * 2**20
SHARED_LOW = 48 * 2**20
# Kamailio lowers its wish silently; below this a burst of a few hundred calls loses messages.
RECEIVE_BUFFER = 2 * 2**20
KNOWN_DEBIANS = ("12", "13")
_PLAIN_PATH = re.compile(r"[\w./+@=-]+")


class Facts(msgspec.Struct, frozen=True):
    """What was seen. `ports`: (setting, protocol, address, port) -> who holds it, if anybody."""

    uid: int = 0
    debian: str = "12"
    disk_free: int = 2**40
    home_writable: str = ""
    blocked: Path | None = None
    not_ours: tuple[str, ...] = ()
    programs_missing: tuple[str, ...] = ()
    ports: dict[tuple[str, str, str, int], Holder | None] = {}
    not_local: dict[str, str] = {}
    shared_memory: int | None = 2**30
    receive_buffer: int = 2**24
    carriers: tuple[Problem, ...] = ()
    certificate: tuple[Problem, ...] = ()


def plan(home: Home, settings: Settings, facts: Facts) -> list[Problem]:
    """Everything that stands in the way, worst first; warnings last. Empty when all is well."""
    if facts.uid != 0:
        return [
            Problem(
                "Portgate needs root", f"this is user id {facts.uid}", "Run: sudo ./portgate up"
            )
        ]
    problems = [
        *_paths(home, facts),
        *_programs(facts),
        *_disk(home, facts),
        *_shared(facts),
        *_addresses(facts),
        *_one_port_for_two(settings),
        *_ports(settings, facts),
        *facts.carriers,
        *facts.certificate,
        *_machine(facts),
    ]
    return sorted(problems, key=lambda problem: problem.warning)


def _paths(home: Home, facts: Facts) -> list[Problem]:
    found = []
    if not _PLAIN_PATH.fullmatch(str(home.path)):
        found.append(
            Problem(
                f"PORTGATE_HOME is {str(home.path)!r}",
                "the services' configuration takes letters, digits and ./+@=-_ only",
                "Choose another folder: PORTGATE_HOME=/var/lib/portgate ./portgate up",
            )
        )
    longest = home.postgresql_socket_dir / ".s.PGSQL.5432.lock"
    if len(str(longest)) >= SOCKET_LONGEST:
        found.append(
            Problem(
                f"{longest} is too long", f"sockets end at {SOCKET_LONGEST} bytes", "Shorten it"
            )
        )
    if facts.home_writable:
        found.append(
            Problem(
                f"{home.path} cannot be written", facts.home_writable, "Mend its rights or mount"
            )
        )
    if facts.blocked is not None:
        found.append(
            Problem(
                f"{facts.blocked} is closed to the user postgres",
                f"PostgreSQL keeps its files below it, in {home.postgresql_data}",
                f"Run: chmod o+x {facts.blocked}   or choose another PORTGATE_HOME",
            )
        )
    if facts.not_ours:
        names = ", ".join(facts.not_ours[:5])
        found.append(
            Problem(
                f"{home.path} holds other things",
                f"it is not Portgate's: {names}",
                "Choose an empty folder",
            )
        )
    return found


def _programs(facts: Facts) -> list[Problem]:
    if not facts.programs_missing:
        return []
    what = ", ".join(facts.programs_missing)
    return [
        Problem(
            f"not installed: {what}",
            "a service cannot start without it",
            "Run ./portgate up as root",
        )
    ]


def _disk(home: Home, facts: Facts) -> list[Problem]:
    free = facts.disk_free / 2**20
    if facts.disk_free < DISK_LEAST:
        why = f"{free:.0f} MB are free, {DISK_LEAST // 2**20} MB are needed"
        return [
            Problem(
                f"the disk of {home.path} is full",
                why,
                "Make room, or choose another PORTGATE_HOME",
            )
        ]
    if facts.disk_free < DISK_LOW:
        why = f"{free:.0f} MB are free"
        return [
            Problem(f"the disk of {home.path} is nearly full", why, "Make room soon", warning=True)
        ]
    return []


def _shared(facts: Facts) -> list[Problem]:
    in_a_container = "(in a container: start it with --shm-size=256m)"
    free = facts.shared_memory
    if free is None:
        why = "PostgreSQL keeps there what its processes share"
        mend = f"Run: mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm   {in_a_container}"
        return [Problem("/dev/shm is missing, or cannot be written", why, mend)]
    if free >= SHARED_LOW:
        return []
    why = f"{free / 2**20:.1f} MB are free for what PostgreSQL's processes share"
    mend = f"Run: mount -o remount,size=256m /dev/shm   {in_a_container}"
    return [Problem("/dev/shm is too small", why, mend, warning=free >= SHARED_LEAST)]


def _addresses(facts: Facts) -> list[Problem]:
    return [
        Problem(
            f"{setting} is {address}",
            "no interface of this machine has that address",
            f"See `ip address`; then set {setting} in portgate.toml or {_variable(setting)}",
        )
        for setting, address in facts.not_local.items()
    ]


def _variable(setting: str) -> str:
    return "PORTGATE_" + setting.replace(".", "_").upper()


def _one_port_for_two(settings: Settings) -> list[Problem]:
    sip, api = settings.sip, settings.api
    meet = sip.address == api.address or "0.0.0.0" in (sip.address, api.address)
    taken = {"sip.port": sip.port if sip.tcp else 0, "sip.tls_port": sip.tls_port}
    why = "SIP over TCP or TLS and the API cannot both listen there"
    mend = f"Choose another: {_variable('api.port')}=8080 ./portgate up"
    return [
        Problem(f"{setting} and api.port are both {port}", why, mend)
        for setting, port in taken.items()
        if meet and port == api.port
    ]


def _ports(settings: Settings, facts: Facts) -> list[Problem]:
    found: dict[tuple[str, int], Problem] = {}
    for (setting, protocol, address, port), holder in facts.ports.items():
        if holder is None:
            continue
        free = port + 10 if port + 10 <= 65535 else port - 10
        found.setdefault(
            (setting, holder.pid),
            Problem(
                f"{protocol.upper()} port {address}:{port} is in use",
                f"{holder} listens there",
                f"Stop it, or choose another: {_variable(setting)}={free} ./portgate up",
            ),
        )
    return list(found.values())


def _machine(facts: Facts) -> list[Problem]:
    found = []
    if facts.debian.split(".")[0] not in KNOWN_DEBIANS:
        found.append(
            Problem(
                f"this is {facts.debian or 'not Debian'}",
                "Portgate is tried on Debian 12 and 13",
                "Go on at your own risk",
                warning=True,
            )
        )
    if facts.receive_buffer < RECEIVE_BUFFER:
        found.append(
            Problem(
                "the kernel's receive buffer is small",
                f"net.core.rmem_max is {facts.receive_buffer}: bursts of calls may be lost",
                "Run: sysctl -w net.core.rmem_max=8388608",
                warning=True,
            )
        )
    return found
