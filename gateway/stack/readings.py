"""Takes the readings that `doctor` judges: thin probes, each None when there is nobody to ask."""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import re
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import redis

from gateway import pbx_reach, tls
from gateway.home import Home
from gateway.kamailio_rpc import KamailioGoneError, KamailioRpc, RpcError
from gateway.names import said
from gateway.network import watch as network_watch
from gateway.stack.health import Away, Readings
from gateway.stack.processes import boot_id
from number_registry.cache_layout import FEED_KEY
from number_registry.errors import CacheCorruptError
from number_registry.snapshot import SnapshotView, boot_cell
from number_registry.store.queries import SQL

LIMIT_S = 2.0
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


async def take(home: Home, status: dict[str, Any]) -> Readings:
    """Everything that can be read of this home now; `status` as the supervisor gives it."""
    running = [service for service in status["services"] if status["supervisor"]]
    snapshot = _snapshot(home)
    backlog, rejects = await _journal(home)
    return Readings(
        states={service["name"]: service["state"] for service in running},
        restarts={service["name"]: service["restarts"] for service in running},
        why={service["name"]: service.get("why", "") for service in running},
        heartbeat_s=snapshot[0] if snapshot else None,
        numbers=snapshot[1] if snapshot else None,
        feed_behind_ms=_feed_behind(home, snapshot[2]) if snapshot else None,
        journal_backlog=backlog,
        journal_rejects=rejects,
        shared_memory_free=await _shared_memory_free(home),
        disk_free=shutil.disk_usage(home.path).free if home.path.exists() else 2**40,
        receive_buffer=int(Path("/proc/sys/net/core/rmem_max").read_text()),
        descriptors=_descriptors(status),
        clock_synchronised=_clock_synchronised(),
        names=_names(home),
        certificate_ends=_certificate_ends(home),
        networks_lost=networks_lost(home),
        waves_stopped=tuple(
            f"migration {row['id']} is held: {row['held_why']}"
            for row in await rows(home, "stopped_migrations")
        ),
        pbxs_suspended=tuple(
            f"{row['name']} is suspended: callers of its {row['numbers']} numbers reach nobody"
            for row in await rows(home, "suspended_pbxs")
        ),
        pbxs_away=await _pbxs_away(home) if running else (),
    )


async def _pbxs_away(home: Home) -> tuple[Away, ...]:
    now = pbx_reach.noted(home)
    return tuple(
        Away(row["name"], why, row["numbers"], row["shared"])
        for row in await rows(home, "list_pbxs")
        if row["state"] == "in_service" and (why := pbx_reach.why_not(row, now))
    )


def _names(home: Home) -> tuple[dict[str, Any], ...]:
    names = said.read(home.snapshot)
    return tuple(told for key in names if (told := said.told(names, key)) is not None)


def _certificate_ends(home: Home) -> datetime | None:
    """Of the certificate that the running Kamailio shows; None where TLS is off."""
    try:
        text = home.kamailio_cfg.read_text("utf-8")
        shown = re.search(r"(?m)^certificate = (.+)$", (home.etc / "tls.cfg").read_text("utf-8"))
    except FileNotFoundError:
        return None
    return tls.ends(Path(shown[1])) if shown and "\nlisten=tls:" in text else None


def networks_lost(home: Home) -> tuple[str, ...]:
    """As the daemon's watch has noted."""
    noted = network_watch.read(home.network_faults) if home.network_faults.exists() else ()
    return tuple(
        f"{', '.join(lost.fault.names)}: {lost.fault.what}, since {lost.since:%H:%M:%S} UTC"
        for lost in noted or ()
    )


def _snapshot(home: Home) -> tuple[float, int, int] | None:
    """Age of the heartbeat in seconds, numbers, time (ms) of the last change that was applied."""
    try:
        with (
            home.numbers_map.open("rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as m,
        ):
            view = SnapshotView(memoryview(m), boot_cell(boot_id()))
            try:
                age = view.heartbeat_age_s(time.monotonic_ns())
                return age, view.count, view.feed_position[0]
            finally:
                view.close()
    except (FileNotFoundError, CacheCorruptError):
        return None


def _feed_behind(home: Home, applied_ms: int) -> int | None:
    """How much later than what the snapshot holds the newest change in Redis is."""
    client = redis.Redis(
        unix_socket_path=str(home.redis_socket),
        socket_timeout=LIMIT_S,
        lib_name=None,
        lib_version=None,
    )
    try:
        newest: Any = client.xrevrange(FEED_KEY, count=1)
    except redis.RedisError:
        return None
    finally:
        client.close()
    if not newest:
        return 0
    return max(0, int(newest[0][0].partition(b"-")[0]) - applied_ms)


async def _journal(home: Home) -> tuple[int | None, int | None]:
    """Bytes of the journal that are not in PostgreSQL yet, and lines that were kept aside."""
    sizes = {path.name: path.stat().st_size for path in home.journal.glob("*.journal")}
    try:
        connection = await asyncpg.connect(home.postgres_dsn, timeout=LIMIT_S)
    except (TimeoutError, OSError, asyncpg.PostgresError):
        return None, None
    try:
        rows = await connection.fetch("select name, read_to from journal_files")
        rejects = await connection.fetchval("select count(*) from journal_rejects")
    except asyncpg.PostgresError:
        return None, None
    finally:
        await connection.close(timeout=LIMIT_S)
    read = {row["name"]: row["read_to"] for row in rows}
    return sum(size - read.get(name, 0) for name, size in sizes.items()), rejects


async def rows(home: Home, query: str) -> list[asyncpg.Record]:
    """What the registry answers; nothing when it does not."""
    try:
        connection = await asyncpg.connect(home.postgres_dsn, timeout=LIMIT_S)
    except (TimeoutError, OSError, asyncpg.PostgresError):
        return []
    try:
        found: list[asyncpg.Record] = await connection.fetch(SQL[query])
    except asyncpg.PostgresError:
        return []
    finally:
        await connection.close(timeout=LIMIT_S)
    return found


async def _shared_memory_free(home: Home) -> float | None:
    try:
        async with asyncio.timeout(LIMIT_S):
            answer = await KamailioRpc(home.kamailio_rpc).ask("core.shmmem")
    except (KamailioGoneError, RpcError, TimeoutError):
        return None
    return float(answer["free"]) / float(answer["total"])


def _descriptors(status: dict[str, Any]) -> int:
    """The limit of the supervisor, which its services share; of this process when none runs."""
    pid = status["supervisor"] or "self"
    found = re.search(
        r"^Max open files\s+(\d+)", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE
    )
    return int(found[1]) if found else 2**16


def _clock_synchronised() -> bool | None:
    """What the kernel thinks of its clock; None where it may not be asked."""
    timex = ctypes.create_string_buffer(256)  # struct timex, modes = 0: only ask
    state = ctypes.CDLL(None).adjtimex(timex)
    return None if state < 0 else state != _TIME_ERROR
