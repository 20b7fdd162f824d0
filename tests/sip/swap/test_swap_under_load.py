"""A swap under fifty calls a second: no call fails, none that is up moves, and what comes after the
flip rings the new PBX.
"""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.bench import load
from gateway.endpoints.sipp import is_bound
from number_registry.store.pool import Connection, connect
from tests.sip.people import PBXS, World
from tests.sip.stack import Stack

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
RATE, CALLS = 50, 600
OF_CARRIER = ("--carrier", "northline", "--pbx", "old")
WITHIN_S = 60.0


@asynccontextmanager
async def sipp(
    folder: Path, host: str, name: str, *words: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One SIPp with its own statistics; at the end it is told to stop."""
    common = (
        "-i",
        host,
        "-p",
        "5060",
        "-mi",
        host,
        "-ci",
        host,
        "-nostdin",
        "-buff_size",
        "4194304",
    )
    counts = ("-trace_stat", "-stf", f"{name}.csv", "-fd", "3600")
    process = await asyncio.create_subprocess_exec(
        "sipp", *words, *common, *counts,
        cwd=folder, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await until(lambda: is_bound(host, 5060, "udp"), f"SIPp of {name}")
        yield process
    finally:
        for how in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGKILL):
            if process.returncode is None:
                process.send_signal(how)
                await asyncio.wait({asyncio.create_task(process.wait())}, timeout=2)


async def until(seen: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    limit = time.monotonic() + WITHIN_S
    while True:
        found = seen()
        if found is True or (not isinstance(found, bool) and await found):
            return
        assert time.monotonic() < limit, f"{what} did not happen in {WITHIN_S} s"
        await asyncio.sleep(0.02)


def counts(path: Path) -> tuple[int, int]:
    """(successful, failed) calls of a SIPp."""
    with path.open(encoding="ascii") as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    return int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])


async def asked(stack: Stack, *words: str) -> Any:
    done = await asyncio.to_thread(stack.command, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_no_call_fails_and_none_that_is_up_moves(world: World, tmp_path: Path) -> None:
    stack = world.stack
    listed = await asked(stack, "numbers", "list", "--city", "Moscow", *OF_CARRIER)
    numbers = [row["e164"] for row in listed["numbers"]]
    (tmp_path / "numbers.csv").write_text("SEQUENTIAL\n" + "".join(f"{n};\n" for n in numbers))
    sql: Connection = await connect(stack.home.postgres_dsn, "test")
    began = await sql.fetchval("SELECT now()")

    async def crossed() -> int:
        ended = "SELECT count(*) FROM calls WHERE started_at > $1 AND phase = 'ended'"
        return int(await sql.fetchval(ended, began))

    async def a_third() -> bool:
        return await crossed() > CALLS // 3

    async def all_of_them() -> bool:
        return await crossed() >= CALLS

    uas = ("-sf", str(load.HERE / "uas_load.xml"))
    uac = (
        f"{stack.address[0]}:{stack.address[1]}", "-sf", str(load.HERE / "uac_load.xml"),
        "-inf", "numbers.csv", "-r", str(RATE), "-m", str(CALLS),
    )  # fmt: skip
    async with (
        sipp(tmp_path, stack.host(PBXS["old"]), "old", *uas),
        sipp(tmp_path, stack.host(PBXS["new"]), "new", *uas),
        sipp(tmp_path, stack.host(11), "caller", *uac) as caller,
    ):
        await until(a_third, "a third of the calls")
        done = await asked(stack, "pbx", "swap", "old", "new", "--city", "Moscow")
        flipped = await sql.fetchval("SELECT now()")
        async with asyncio.timeout(WITHIN_S):
            await caller.wait()
        await until(all_of_them, "the records of all calls")
    await asked(stack, "pbx", "undo", str(done["undo"]))

    rows = await sql.fetch(
        "SELECT pbx, final_status, end_how, started_at > $2 AS after, called, source, rules, cause"
        " FROM calls WHERE started_at > $1",
        began, flipped,
    )  # fmt: skip
    await sql.close()
    assert [
        dict(row) for row in rows if (row["final_status"], row["end_how"]) != (200, "bye")
    ] == []
    assert {row["pbx"] for row in rows if row["after"]} == {"new"}
    rung = [row["pbx"] for row in rows]
    assert rung.count("old") > CALLS // 3 and rung.count("new") > 0
    assert counts(tmp_path / "caller.csv") == (CALLS, 0)
    assert counts(tmp_path / "old.csv") == (rung.count("old"), 0), (
        "its calls ended where they began"
    )
    assert counts(tmp_path / "new.csv") == (rung.count("new"), 0)
