"""Gathers what preflight judges: thin probes of this machine; it judges and changes nothing."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path

from gateway import tls
from gateway.home import Home
from gateway.settings import Settings
from gateway.stack import adapters, folders, holders
from gateway.stack.preflight import Facts
from gateway.stack.services import postgresql_bin

PROGRAMS = ("/usr/sbin/kamailio", "/usr/bin/rtpengine", "/usr/bin/redis-server", "/usr/bin/setpriv")


def gather(home: Home, settings: Settings) -> Facts:
    """Look at the machine. Changes nothing; takes a few milliseconds."""
    existing = next(path for path in (home.path, *home.path.parents) if path.exists())
    return Facts(
        uid=os.geteuid(),
        debian=_debian(),
        disk_free=shutil.disk_usage(existing).free,
        home_writable=_why_not_writable(existing),
        blocked=folders.blocked_ancestor(home.path) if _has_postgres() else None,
        not_ours=_not_ours(home),
        programs_missing=_missing(),
        ports=ports(settings),
        not_local=_not_local(settings),
        carriers=(*adapters.look(settings), *adapters.unknown_hand_offs(home, settings)),
        certificate=tuple(tls.problems(home, settings.sip)),
        shared_memory=_shared_memory(),
        receive_buffer=int(Path("/proc/sys/net/core/rmem_max").read_text()),
    )


def _shared_memory(folder: Path = Path("/dev/shm")) -> int | None:
    """Bytes that are free there; None where there is no such place, or nobody may write."""
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return None
    return shutil.disk_usage(folder).free


def _debian() -> str:
    """The release's number, or the distribution's name when it is not Debian."""
    lines = (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines())
    values = {key: value.strip('"') for key, _, value in lines}
    return (
        values.get("VERSION_ID", "")
        if values.get("ID") == "debian"
        else values.get("PRETTY_NAME", "")
    )


def _why_not_writable(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder} is not a folder"
    try:
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    except OSError as error:
        return str(error)
    if read_only:
        return "its file system is read-only"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "no right to write"


def _has_postgres() -> bool:
    return any(
        line.startswith("postgres:") for line in Path("/etc/passwd").read_text().splitlines()
    )


def _not_ours(home: Home) -> tuple[str, ...]:
    """Strangers in a folder that has never been a home: PORTGATE_HOME=/etc must not become one."""
    if not home.path.is_dir() or home.ports.exists():
        return ()
    known = {*folders.OWN, home.settings.name}
    return tuple(sorted(entry.name for entry in home.path.iterdir() if entry.name not in known))


def _missing() -> tuple[str, ...]:
    missing = [program for program in PROGRAMS if not Path(program).exists()]
    try:
        postgresql_bin()
    except FileNotFoundError:
        missing.append("postgres")
    return tuple(missing)


def ports(settings: Settings) -> dict[tuple[str, str, str, int], holders.Holder | None]:
    """Who holds each port that the stack listens on, or None."""
    sip, api = settings.sip, settings.api
    wanted = [
        ("sip.port", "udp", sip.address, sip.port),
        ("api.port", "tcp", api.address, api.port),
    ]
    if sip.tcp:
        wanted.append(("sip.port", "tcp", sip.address, sip.port))
    if sip.tls_port:
        wanted.append(("sip.tls_port", "tcp", sip.address, sip.tls_port))
    return {key: holders.holder(*key[1:]) for key in wanted}


def _not_local(settings: Settings) -> dict[str, str]:
    wanted = {
        "sip.address": settings.sip.address,
        "media.address": settings.media.address,
        "api.address": settings.api.address,
    }
    return {setting: address for setting, address in wanted.items() if not _is_local(address)}


def _is_local(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
    return True
