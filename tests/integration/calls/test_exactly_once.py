"""Each event counts once, wherever the ingest is interrupted."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.calls.ingest import Ingest
from gateway.private_services import PrivateServices, ServiceError
from tests.integration.calls.test_ingest import count, running, worker_file
from tests.integration.calls.tools import append, database, lines, living_worker, until, whole_call

REPOSITORY = Path(__file__).resolve().parents[3]


async def check(dsn: str, calls: int) -> None:
    """As many whole calls as were written, each event once."""
    async with database(dsn) as connection:
        rows = await connection.fetch(
            "SELECT call_id, kind, count(*) AS n FROM call_events GROUP BY 1, 2"
        )
        whole = await connection.fetchval(
            "SELECT count(*) FROM calls WHERE phase = 'ended' AND talk_ms = 1000 AND pdd_ms = 1000"
        )
        rejects = await connection.fetchval("SELECT count(*) FROM journal_rejects")
    assert Counter(row["kind"] for row in rows) == dict.fromkeys(
        ("start", "ring", "answer", "end"), calls
    )
    assert {row["n"] for row in rows} == {1}
    assert (whole, rejects) == (calls, 0)


@pytest.mark.asyncio
async def test_kill_9_at_any_moment_counts_every_event_once(tmp_path: Path, dsn: str) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    dice = random.Random(4711)
    # It ends with us, also when this test fails in the middle.
    runner = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m"]
    runner += ["tests.integration.calls.ingest_process", str(folder), dsn]
    process = None
    written, killed = 0, 0
    stack = ExitStack()
    workers = [stack.enter_context(living_worker(folder, number)) for number in range(3)]
    for _ in range(12):
        if process is None:
            process = subprocess.Popen(runner, cwd=REPOSITORY)
        before = await count(dsn, "call_events")
        for _ in range(dice.randint(20, 60)):
            written += 1
            workers[written % 3](lines(whole_call(written)))
        # It is in the middle of the work as soon as some of the new lines have arrived.
        await until(lambda: count(dsn, "call_events"), lambda n, b=before: n > b, "some progress")
        if dice.random() < 0.8:
            process.kill()
            process.wait()
            process, killed = None, killed + 1
    process = process or subprocess.Popen(runner, cwd=REPOSITORY)
    try:
        await until(lambda: count(dsn, "call_events"), lambda n: n >= 4 * written, "all events")
    finally:
        process.kill()
        process.wait()
        stack.close()

    assert killed >= 5
    await check(dsn, written)


@pytest.mark.asyncio
async def test_postgresql_down_records_wait_on_disk_and_arrive_once(
    tmp_path: Path, dsn: str, services: PrivateServices
) -> None:
    folder = tmp_path / "journal"
    with living_worker(folder) as write:
        async with running(Ingest(folder, dsn)):
            write(b"".join(lines(whole_call(n)) for n in range(50)))
            await until(lambda: count(dsn, "call_events"), lambda n: n > 0, "events")
            services.postgresql.kill()
            write(b"".join(lines(whole_call(n)) for n in range(50, 100)))
            _start_again(
                services
            )  # not in a thread: a service ends with the thread that started it
            write(b"".join(lines(whole_call(n)) for n in range(100, 150)))
            await until(lambda: count(dsn, "call_events"), lambda n: n >= 600, "all events")

    await check(dsn, 150)


def _start_again(services: PrivateServices) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            services.postgresql.start()
            return
        except ServiceError:  # the killed server's children still hold its shared memory
            if time.monotonic() > deadline:
                raise


class CrashError(ConnectionError):
    """The daemon dies here, or its connection does: to the database that is the same."""


class Crashing:
    """A connection that is lost before, or after, its n-th statement; after COMMIT, too."""

    def __init__(self, connection: asyncpg.Connection, statements: int, after: bool) -> None:
        self._connection, self._left, self._after = connection, statements, after

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._connection.transaction():
            yield
            self._before()
        self._behind()

    async def _one(self, method: str, *arguments: Any) -> Any:
        self._before()
        found = await getattr(self._connection, method)(*arguments)
        self._behind()
        return found

    def _before(self) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise CrashError

    def _behind(self) -> None:
        if self._left == 0:
            raise CrashError

    async def execute(self, *arguments: Any) -> Any:
        return await self._one("execute", *arguments)

    async def fetch(self, *arguments: Any) -> Any:
        return await self._one("fetch", *arguments)


class Journalled(RuleBasedStateMachine):
    """Workers write, the ingest steps, crashes, begins again; a model counts what was written."""

    dsn: str
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        for file in self.folder.glob("*.journal"):
            file.unlink()
        self.connection = self.runner.run(asyncpg.connect(self.dsn))
        self.runner.run(
            self.connection.execute("TRUNCATE calls, call_events, journal_rejects, journal_files")
        )
        self.ingest = self.begin()
        self.calls, self.corrupt = 0, 0
        self.halves: dict[Path, bytes] = {}

    @rule(worker=st.integers(1, 3), calls=st.integers(1, 4), cut=st.integers(0, 200))
    def write(self, worker: int, calls: int, cut: int) -> None:
        """Whole calls, of which the last line may for now be written in part."""
        file = worker_file(self.folder, worker)
        data = self.halves.pop(file, b"")
        for _ in range(calls):
            self.calls += 1
            data += lines(whole_call(self.calls))
        cut = min(cut, len(data) - 1)
        append(file, data[: len(data) - cut])
        if cut:
            self.halves[file] = data[len(data) - cut :]

    @rule(worker=st.integers(1, 3))
    def write_garbage(self, worker: int) -> None:
        file = worker_file(self.folder, worker)
        if file not in self.halves:
            append(file, b"\xff{\n")
            self.corrupt += 1

    @rule()
    def step(self) -> None:
        self.runner.run(self.ingest.step(self.connection))

    @rule(statements=st.integers(1, 8), after=st.booleans())
    def crash(self, statements: int, after: bool) -> None:
        """The process ends at some statement; the next one knows only what the database says."""
        crashing = Crashing(self.connection, statements, after)
        try:
            self.runner.run(self.ingest.step(crashing))  # type: ignore[arg-type]
        except CrashError:
            self.ingest = self.begin()

    def begin(self) -> Ingest:
        ingest = Ingest(self.folder, self.dsn)
        ingest._tidied = float("inf")  # the workers of this story live
        return ingest

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        found = self.runner.run(self.connection.fetchval("SELECT count(*) FROM call_events"))
        assert found <= 4 * self.calls

    def teardown(self) -> None:
        for file, half in self.halves.items():
            append(file, half)
        while self.runner.run(self.ingest.step(self.connection)):
            pass
        if self.calls:
            self.runner.run(self._judge())
        self.runner.run(self.connection.close())
        self.runner.close()

    async def _judge(self) -> None:
        rejects = await self.connection.fetchval("SELECT count(*) FROM journal_rejects")
        assert rejects == self.corrupt
        await self.connection.execute("DELETE FROM journal_rejects")
        await check(self.dsn, self.calls)


def test_no_sequence_of_writes_and_crashes_loses_or_doubles_an_event(
    tmp_path: Path, dsn: str
) -> None:
    Journalled.dsn, Journalled.folder = dsn, tmp_path / "journal"
    Journalled.folder.mkdir()
    run_state_machine_as_test(
        Journalled,
        settings=settings(
            max_examples=25, stateful_step_count=15, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
