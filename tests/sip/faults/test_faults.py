"""Parts of a running gateway are killed, hung or corrupted while calls go on; every promise is
measured at the far ends and in the records.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from gateway.stack import control
from number_registry import cache_layout
from number_registry.snapshot import SnapshotTable, SnapshotView, boot_cell
from tests.sip.people import World, both_hear
from tests.sip.stack import Stack, running_stack

pytestmark = [pytest.mark.asyncio, pytest.mark.faults]

NORMAL_MS = 150.0  # first sign of life on a busy two-core machine; measured 5 to 20 ms
KNOWN = ("+74951230000", "+74951230001", "+78432220000", "+78432220001")
RECOVERY_S = 3.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(f"faults-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}") as found:
        yield found


@pytest.fixture
def world(stack: Stack) -> World:
    return World(stack)


def services(stack: Stack) -> dict[str, dict[str, Any]]:
    answer = control.ask(stack.home, {"do": "status"})
    return {service["name"]: service for service in answer["services"]}


def alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(what: str, true: Callable[[], bool], within: float = RECOVERY_S) -> float:
    """Wait until it is so; the seconds it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, f"not within {within} s: {what}"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def until_running(stack: Stack, name: str, not_pid: int, within: float = RECOVERY_S) -> float:
    """Wait for the service to run again under another pid; the seconds it took."""

    def runs_anew() -> bool:
        service = services(stack)[name]
        return service["state"] == "running" and service["pid"] not in (None, not_pid)

    return await until(f"{name} runs again", runs_anew, within)


@asynccontextmanager
async def kept_down(stack: Stack, *names: str) -> AsyncIterator[None]:
    """kill -9 of these services, and again of whatever the supervisor starts in their place."""
    over = False
    killed: dict[str, int] = {}

    def kill_all() -> bool:
        for name in names:
            pid = services(stack)[name]["pid"]
            if pid is not None and alive(pid):
                os.kill(pid, signal.SIGKILL)
                killed[name] = pid
        return over

    task = asyncio.create_task(until("the story is over", kill_all, within=60))
    await until("all were killed", lambda: len(killed) == len(names))
    try:
        yield
    finally:
        over = True
        await task
        for name in names:
            await until_running(stack, name, killed[name], within=20)


@contextmanager
def hung(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def heartbeat_age_s(stack: Stack) -> float:
    """As a SIP worker sees it."""
    data = (stack.home.snapshot / "numbers.map").read_bytes()
    boot = boot_cell(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))
    return SnapshotView(data, boot).heartbeat_age_s(time.monotonic_ns())


def carrier_of(number: str) -> str:
    return "northline" if number.startswith("+7495") else "volga_city"


async def a_call(world: World, number: str = KNOWN[0]) -> tuple[Any, float]:
    """A whole call to a number; the caller's leg and the milliseconds to the first sign of life."""
    async with world.pbx(), world.carrier(carrier_of(number)) as carrier:
        call = await carrier.calls(number)
        assert await call.until_final() == 200, call.summary()
        await call.bye()
        delay = call.post_dial_delay_ms
        assert delay is not None
        return call, delay


async def a_call_with_audio(world: World, before: float) -> None:
    """Calls are placed until one is answered, which must be before this time; then both hear."""
    status = 0
    while status != 200:
        assert time.monotonic() < before, f"still refused with {status}"
        async with world.pbx() as pbx, world.carrier() as carrier:
            call = await carrier.calls(KNOWN[0])
            status = await call.until_final()
            if status == 200:
                assert await both_hear(call, await pbx.call()), "the call has its audio"
                await call.bye()


async def count(stack: Stack, call: Any) -> int:
    connection = await asyncpg.connect(stack.home.postgres_dsn)
    try:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM calls WHERE state -> 'start' ->> 'cid' = $1", call.call_id
        )
        return found
    finally:
        await connection.close()


@pytest.mark.parametrize("names", [("redis",), ("postgresql",), ("redis", "postgresql")])
async def test_known_numbers_are_reached_without_the_stores(
    world: World, names: tuple[str, ...]
) -> None:
    stack = world.stack
    calls = []
    async with kept_down(stack, *names):
        for number in KNOWN:
            call, delay = await a_call(world, number)
            assert delay < NORMAL_MS, f"{number} with {names} down"
            calls.append(call)
    for call in calls:
        record = await world.record(call)
        assert record["end_how"] == "bye"
        assert await count(stack, call) == 1


async def test_a_hung_redis_costs_a_call_no_more_than_50_ms(world: World) -> None:
    """The daemon hangs too: else it would keep the snapshot's heartbeat fresh from PostgreSQL, and
    Redis would not be asked at all.
    """
    stack = world.stack
    await a_call(world)
    pids = services(stack)
    with hung(pids["redis"]["pid"]), hung(pids["gateway"]["pid"]):
        await until("the snapshot's heartbeat is old", lambda: heartbeat_age_s(stack) > 2.5, 10)
        delays = [(await a_call(world, number))[1] for number in KNOWN * 2]
    assert max(delays) < 50 + NORMAL_MS, delays
    assert sorted(delays)[len(delays) // 2] < NORMAL_MS, "soon Redis is not asked at all"
    await a_call(world)


@pytest.mark.parametrize("hangs_up", ["caller", "called"])
async def test_a_call_outlives_the_death_of_a_sip_worker(world: World, hangs_up: str) -> None:
    stack = world.stack
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls(KNOWN[0])
        far = await pbx.call()
        await call.until_final()
        await far.until_received("ACK")
        parent = services(stack)["kamailio"]["pid"]
        children = [int(pid) for pid in _children(parent)]
        os.kill(children[0], signal.SIGKILL)
        await until_running(stack, "kamailio", parent)
        near, other = (call, far) if hangs_up == "caller" else (far, call)
        await near.bye()
        await other.until_over()
    record = await world.record(call)
    assert (record["end_side"], record["end_how"]) == ("a" if hangs_up == "caller" else "b", "bye")
    assert await count(stack, call) == 1
    await a_call(world)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()


async def test_a_call_outlives_the_death_of_the_daemon(world: World) -> None:
    stack = world.stack
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls(KNOWN[0])
        far = await pbx.call()
        await call.until_final()
        pid = services(stack)["gateway"]["pid"]
        os.kill(pid, signal.SIGKILL)
        await call.bye()
        await far.until_over()
        await until_running(stack, "gateway", pid)
    record = await world.record(call)
    assert (record["end_side"], record["end_how"]) == ("a", "bye")
    assert await count(stack, call) == 1


@pytest.mark.parametrize("hangs_up", ["caller", "called"])
async def test_a_call_can_be_ended_after_the_death_of_the_relay(
    world: World, hangs_up: str
) -> None:
    stack = world.stack
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls(KNOWN[0])
        far = await pbx.call()
        await call.until_final()
        await far.until_received("ACK")
        pid = services(stack)["rtpengine"]["pid"]
        os.kill(pid, signal.SIGKILL)
        near, other = (call, far) if hangs_up == "caller" else (far, call)
        await near.bye()
        await other.until_over()
        await until_running(stack, "rtpengine", pid)
        began = time.monotonic()
    assert (await world.record(call))["end_how"] == "bye"
    assert await count(stack, call) == 1
    await a_call_with_audio(world, before=began + RECOVERY_S)


async def test_a_bye_that_never_comes_is_noticed_and_both_sides_are_told(world: World) -> None:
    stack = world.stack
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls(KNOWN[0])
        far = await pbx.call()
        await call.until_final()
        assert await both_hear(call, far)
        call.voice.mute()
        far.voice.mute()
        await call.until_received("BYE", within=20)
        await far.until_received("BYE", within=20)
    record = await world.record(call)
    assert (record["end_side"], record["end_how"]) == ("gw", "timeout")
    assert await count(stack, call) == 1


async def test_foreign_bytes_in_redis_are_a_miss_and_are_said(world: World) -> None:
    """Redis is asked for what the snapshot does not know: there it must not be believed blindly."""
    stack = world.stack
    unknown = 74951239999
    key, field = cache_layout.number_place(unknown)
    client = redis.Redis(unix_socket_path=str(stack.home.redis_socket), lib_name=None,
                         lib_version=None)  # fmt: skip
    try:
        for value in (b"\xff\xfe garbage", b"123", str(2**62 + 12345).encode()):
            client.hset(key, field, value)
            async with world.carrier() as carrier:
                call = await carrier.calls(f"+{unknown}")
                assert await call.until_final() == 404
        text = (stack.home.log / "kamailio.log").read_text("utf-8", "replace")
        assert "foreign bytes in Redis were not used" in text
    finally:
        client.hdel(key, field)
        client.close()


async def test_a_damaged_cell_of_the_snapshot_is_a_miss_and_redis_answers(world: World) -> None:
    stack = world.stack
    path = stack.home.snapshot / "numbers.map"
    number = int(KNOWN[1][1:])
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        table = SnapshotTable(memoryview(mapped))
        right = table.number(number)
        table.set_number(number, right ^ 1 << 33)
        try:
            await a_call(world, KNOWN[1])
        finally:
            table.set_number(number, right)
            table.close()
