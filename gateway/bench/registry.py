"""Measures how fast the registry is published and looked up, on private services."""

from __future__ import annotations

import asyncio
import mmap
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.private_services import PrivateServices, private_services
from number_registry.cache_layout import number_from_redis, number_place, unpack_group
from number_registry.errors import AbortError
from number_registry.publish.redis_copy import open_redis
from number_registry.snapshot import SnapshotView, boot_cell
from number_registry.store.migrations import migrate
from number_registry.store.pool import connect
from number_registry.store.queries import SQL

NUMBERS = 1_000_000
FIRST = 74950000000
SWAPPED_GROUP = 1
LIMIT_S = 120.0
POLL_S = 0.0001


class BenchError(AbortError):
    """Something measured did not happen at all."""


async def run(quick: bool) -> dict[str, Any]:
    """The figures of the registry, all for a million numbers; ``quick`` asks less often.

    ``publish_1m_s``: from the start of a daemon on empty copies until Redis and the mapped file are
    complete. ``lookup_us``: one number, asked over Redis' unix socket as a SIP worker would, and in
    the mapped file. ``visible_ms``: from a commit's confirmation until another process reads the
    new value in its mapped file. ``swap_100k_ms``: from sending the UPDATE of one group's pointer
    until another process sees 100,000 numbers moved.
    """
    rounds = 100 if quick else 400
    with private_services() as services:
        dsn = services.dsn("registry")
        await _load(services, dsn)
        memory = await _redis_memory(services)
        folder = services.folder / "snapshot"
        folder.mkdir()
        started = time.perf_counter()
        with _copier(dsn, services.redis_url, folder) as copier:
            _wait(lambda: (folder / "ready").exists(), "the copies", copier)
            published_s = time.perf_counter() - started
            used = await _redis_memory(services) - memory
            with _mapped(folder / "numbers.map") as view:
                if view.count != NUMBERS:
                    raise BenchError(f"{view.count} numbers are in the snapshot")
                return {
                    "publish_1m_s": round(published_s, 2),
                    "redis_bytes_per_number": round(used / NUMBERS, 1),
                    "snapshot_bytes_per_number": round(
                        (folder / "numbers.map").stat().st_size / NUMBERS, 2
                    ),
                    "lookup_us": {
                        "redis": _redis_lookups(services.redis_socket, 50 * rounds),
                        "snapshot": _snapshot_lookups(view, 1000 * rounds),
                    },
                    "visible_ms": await _visible(dsn, view, rounds),
                    "swap_100k_ms": await _swap(dsn, view, max(5, rounds // 20)),
                }


async def _load(services: PrivateServices, dsn: str) -> None:
    connection = await connect(services.dsn("postgres"), "bench")
    await connection.execute("CREATE DATABASE registry")
    await connection.close()
    await migrate(dsn)
    connection = await connect(dsn, "bench")
    await connection.execute(SQL["bench_quiet"])
    for step in ("company", "pbxs", "groups"):
        await connection.execute(SQL[f"bench_{step}"])
    await connection.execute(SQL["bench_numbers"], NUMBERS)
    await connection.execute(SQL["bench_tenancies"])
    await connection.execute(SQL["bench_loud"])
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def _redis_memory(services: PrivateServices) -> int:
    redis = open_redis(services.redis_url)
    used = (await redis.info("memory"))["used_memory"]
    await redis.aclose()
    return int(used)


@contextmanager
def _copier(dsn: str, redis_url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Publisher and mirror as a process of their own, as in a real gateway."""
    repo = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "gateway.bench.copier", dsn, redis_url, str(folder)]
    said = folder / "copier.log"
    with said.open("wb") as log:
        process = subprocess.Popen(command, cwd=repo, stderr=log)
    try:
        yield process
    except BenchError as error:
        raise BenchError(f"{error}; {said.read_text('utf-8', 'replace')[-600:]}") from None
    finally:
        process.terminate()
        process.wait(LIMIT_S)


@contextmanager
def _mapped(path: Path) -> Iterator[SnapshotView]:
    """The snapshot as a SIP worker maps it."""
    boot = boot_cell(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    view = SnapshotView(memoryview(mapped), boot)
    try:
        yield view
    finally:
        view.close()
        mapped.close()


def _wait(
    seen: Callable[[], bool], what: str, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Poll as closely as a reader that must not use up the core which the writers need."""
    limit = time.monotonic() + LIMIT_S
    while not seen():
        if time.monotonic() > limit or (process is not None and process.poll() is not None):
            raise BenchError(f"{what}: not seen")
        time.sleep(POLL_S)


def _some_numbers(count: int) -> list[int]:
    chosen = random.Random(count)  # the same ones in each run
    return [FIRST + chosen.randrange(NUMBERS) for _ in range(count)]


def _redis_lookups(path: Path, count: int) -> dict[str, float]:
    clock, took = time.perf_counter_ns, []
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(path))
        for e164 in _some_numbers(count):
            began = clock()
            key, field = number_place(e164)
            link.sendall(
                f"*3\r\n$4\r\nHGET\r\n${len(key)}\r\n{key}\r\n${len(field)}\r\n{field}\r\n".encode()
            )
            reply = link.recv(4096)
            found = number_from_redis(e164, reply.split(b"\r\n")[1])
            took.append(clock() - began)
            if not found:
                raise BenchError(f"{e164} is not in Redis")
    return _percentiles(took, 1e3)


def _snapshot_lookups(view: SnapshotView, count: int) -> dict[str, float]:
    clock, took, look_up = time.perf_counter_ns, [], view.number
    for e164 in _some_numbers(count):
        began = clock()
        found = look_up(e164)
        took.append(clock() - began)
        if not found:
            raise BenchError(f"{e164} is not in the snapshot")
    return _percentiles(took, 1e3)


async def _visible(dsn: str, view: SnapshotView, rounds: int) -> dict[str, float]:
    connection = await connect(dsn, "bench")
    took = []
    for e164 in _some_numbers(rounds):
        before = view.number(e164)
        await connection.execute(SQL["bench_touch"], e164)
        took.append(_until_changed(view, e164, before))
    await connection.close()
    return _percentiles(took, 1e6)


def _until_changed(view: SnapshotView, e164: int, before: int) -> int:
    began = time.perf_counter_ns()
    _wait(lambda: view.number(e164) != before, "a commit")
    return time.perf_counter_ns() - began


async def _swap(dsn: str, view: SnapshotView, rounds: int) -> float:
    connection = await connect(dsn, "bench")
    took = []
    for _ in range(rounds):
        before = unpack_group(view.group(SWAPPED_GROUP)).pbx

        def moved(before: int = before) -> bool:
            return unpack_group(view.group(SWAPPED_GROUP)).pbx == 3 - before

        began = time.perf_counter_ns()
        await connection.execute(SQL["bench_swap"])
        _wait(moved, "a swap")
        took.append(time.perf_counter_ns() - began)
    await connection.close()
    return _percentiles(took, 1e6)["p50"]


def _percentiles(nanoseconds: list[int], unit: float) -> dict[str, float]:
    ordered = sorted(nanoseconds)
    return {
        "p50": round(ordered[len(ordered) // 2] / unit, 2),
        "p99": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / unit, 2),
    }


if __name__ == "__main__":
    print(asyncio.run(run("--quick" in sys.argv)))
