"""The journal's files reach PostgreSQL: each event once, whatever is in between."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.calls import journal
from gateway.calls.fold import Call
from gateway.calls.ingest import Ingest
from tests.integration.calls.tools import (
    append,
    call_id,
    database,
    lines,
    living_worker,
    until,
    whole_call,
)

DEAD_PID = 4_194_304  # one above the highest number that Linux gives
pytestmark = pytest.mark.asyncio


def worker_file(folder: Path, number: int = 1, pid: int = DEAD_PID) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / f"{1_790_000_000_000 + number}-{pid}.journal"


@asynccontextmanager
async def running(ingest: Ingest) -> AsyncIterator[Ingest]:
    stop = asyncio.Event()
    task = asyncio.create_task(ingest.run(stop))
    try:
        yield ingest
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def count(dsn: str, what: str) -> int:
    async with database(dsn) as connection:
        found: int = await connection.fetchval(f"SELECT count(*) FROM {what}")
        return found


async def test_a_call_of_four_lines_becomes_one_record(tmp_path: Path, dsn: str) -> None:
    folder = tmp_path / "journal"
    append(worker_file(folder), lines(whole_call(1)))

    async with running(Ingest(folder, dsn)):
        await until(lambda: count(dsn, "call_events"), lambda n: n == 4, "events")

    async with database(dsn) as connection:
        row = await connection.fetchrow("SELECT * FROM calls")
    assert (row["id"], row["phase"], row["pdd_ms"], row["talk_ms"]) == (
        call_id(1), "ended", 1000, 1000,
    )  # fmt: skip
    assert json.loads(row["state"])["id"] == call_id(1)


async def test_lines_arrive_soon_after_they_are_written(tmp_path: Path, dsn: str) -> None:
    folder = tmp_path / "journal"
    folded: asyncio.Queue[dict[str, Call]] = asyncio.Queue()
    latencies = []
    with living_worker(folder) as write:
        async with running(Ingest(folder, dsn, folded=folded.put_nowait)) as ingest:
            await asyncio.wait_for(ingest.caught_up.wait(), 10)
            for number in range(20):
                written = time.monotonic()
                write(lines(whole_call(number)[:1]))
                await asyncio.wait_for(folded.get(), 10)
                latencies.append(time.monotonic() - written)

    assert sorted(latencies)[10] < 0.1, f"median of {latencies}"


async def test_events_of_one_call_may_lie_in_different_files_in_any_order(
    tmp_path: Path, dsn: str
) -> None:
    folder = tmp_path / "journal"
    start, ring, answer, end = whole_call(1)
    append(worker_file(folder, 1), lines([end, ring]))
    append(worker_file(folder, 2), lines([answer]))
    append(worker_file(folder, 3), lines([start]))

    async with running(Ingest(folder, dsn)):
        await until(lambda: count(dsn, "call_events"), lambda n: n == 4, "events")

    async with database(dsn) as connection:
        row = await connection.fetchrow("SELECT phase, direction, talk_ms FROM calls")
    assert tuple(row) == ("ended", "in", 1000)


async def test_what_only_looks_like_a_file_of_the_journal_stops_nothing(
    tmp_path: Path, dsn: str
) -> None:
    folder = tmp_path / "journal"
    append(worker_file(folder, 4), lines(whole_call(1)))
    worker_file(folder, 1).mkdir()
    os.mkfifo(worker_file(folder, 2))
    worker_file(folder, 3).symlink_to("/etc/passwd")

    async with running(Ingest(folder, dsn)):
        await until(lambda: count(dsn, "call_events"), lambda n: n == 4, "events")

    assert await count(dsn, "journal_rejects") == 0


async def test_half_a_line_waits_for_its_other_half(tmp_path: Path, dsn: str) -> None:
    folder = tmp_path / "journal"
    file = worker_file(folder, pid=os.getpid())
    data = lines(whole_call(1))
    with file.open("ab", buffering=0) as worker:
        worker.write(data[:-30])
        async with running(Ingest(folder, dsn)):
            await until(lambda: count(dsn, "call_events"), lambda n: n == 3, "whole lines")
            worker.write(data[-30:])
            await until(lambda: count(dsn, "call_events"), lambda n: n == 4, "the last line")

    assert await count(dsn, "journal_rejects") == 0


async def test_a_dead_workers_half_line_is_counted_and_its_file_put_away(
    tmp_path: Path, dsn: str
) -> None:
    folder = tmp_path / "journal"
    file = worker_file(folder)
    append(file, lines(whole_call(1)) + b'{"e":"end","c":"00')

    async with running(Ingest(folder, dsn)):
        await until(lambda: count(dsn, "journal_rejects"), lambda n: n == 1, "the rest")
        done = folder / journal.DONE / file.name
        await until(lambda: asyncio.to_thread(done.exists), bool, "the file is put away")

    async with database(dsn) as connection:
        row = await connection.fetchrow("SELECT kind, raw, length FROM journal_rejects")
        finished = await connection.fetchval("SELECT finished_at IS NOT NULL FROM journal_files")
    assert tuple(row) == ("truncated", b'{"e":"end","c":"00', 18)
    assert finished
    assert await count(dsn, "call_events") == 4


async def test_a_living_workers_file_is_never_put_away(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    file = worker_file(folder, pid=os.getpid())
    with file.open("ab"):
        assert journal.abandoned(folder, [file.name]) == set()

    assert journal.abandoned(folder, [file.name]) == {file.name}, "it went on to another file"
    gone = worker_file(folder).name
    append(folder / gone, b"x")
    assert journal.abandoned(folder, [gone]) == {gone}


async def test_corrupt_lines_are_kept_aside_with_their_place_and_stop_nothing(
    tmp_path: Path, dsn: str
) -> None:
    folder = tmp_path / "journal"
    first, second = lines(whole_call(1)), lines(whole_call(2))
    garbage = b"\0" * 50 + b"\xff\xfe{]\n"
    append(worker_file(folder), first + garbage + b"\n" + second)

    async with running(Ingest(folder, dsn)):
        await until(lambda: count(dsn, "call_events"), lambda n: n == 8, "events")

    async with database(dsn) as connection:
        rows = await connection.fetch(
            "SELECT at_byte, kind, length, raw FROM journal_rejects ORDER BY 1"
        )
    assert [tuple(row) for row in rows] == [
        (len(first), "corrupt", len(garbage), garbage[:-1]),
        (len(first) + len(garbage), "corrupt", 1, b""),
    ]


async def test_a_line_that_postgresql_refuses_goes_aside_alone(tmp_path: Path, dsn: str) -> None:
    folder = tmp_path / "journal"
    async with database(dsn) as connection:
        await connection.execute("ALTER TABLE calls ADD CHECK (caller <> 'poison')")
    calls = [whole_call(n, caller="poison" if n == 7 else "fine") for n in range(20)]
    append(worker_file(folder), b"".join(lines(call) for call in calls))

    async with running(Ingest(folder, dsn)):
        await until(lambda: count(dsn, "call_events"), lambda n: n == 79, "all but one")

    async with database(dsn) as connection:
        rows = await connection.fetch("SELECT kind, raw FROM journal_rejects")
    assert [row["kind"] for row in rows] == ["refused"]
    assert b"poison" in rows[0]["raw"]


async def test_a_line_longer_than_any_worker_writes_is_cut_and_passed(
    tmp_path: Path, dsn: str
) -> None:
    folder = tmp_path / "journal"
    append(worker_file(folder), b"x" * (journal.CHUNK + 100) + b"\n" + lines(whole_call(1)))

    async with running(Ingest(folder, dsn)):
        await until(lambda: count(dsn, "call_events"), lambda n: n == 4, "events behind it")

    async with database(dsn) as connection:
        rows = await connection.fetch(
            "SELECT length, length(raw) AS kept FROM journal_rejects ORDER BY 1"
        )
    assert [tuple(row) for row in rows] == [(101, 100), (journal.CHUNK, 65536)]


async def test_a_second_daemon_on_the_same_journal_counts_nothing_twice(
    tmp_path: Path, dsn: str
) -> None:
    folder = tmp_path / "journal"
    with living_worker(folder) as write:
        async with running(Ingest(folder, dsn)), running(Ingest(folder, dsn)):
            for number in range(200):
                write(lines(whole_call(number)))
                if number % 20 == 0:
                    await asyncio.sleep(0)
            await until(lambda: count(dsn, "call_events"), lambda n: n >= 800, "events")

    assert await count(dsn, "call_events") == 800
    assert await count(dsn, "calls WHERE phase = 'ended' AND talk_ms = 1000") == 200


async def test_a_file_that_was_put_away_is_never_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    file = worker_file(folder)
    append(file, b"first")
    journal.put_away(folder, file.name)
    journal.put_away(folder, file.name)
    append(file, b"second")

    with pytest.raises(FileExistsError):
        journal.put_away(folder, file.name)
    assert (folder / journal.DONE / file.name).read_bytes() == b"first"


async def test_a_file_that_was_shortened_is_left_for_a_person(tmp_path: Path, dsn: str) -> None:
    folder = tmp_path / "journal"
    with living_worker(folder) as write:
        (file,) = folder.glob("*.journal")
        write(lines(whole_call(1)))
        async with running(Ingest(folder, dsn)):
            await until(lambda: count(dsn, "call_events"), lambda n: n == 4, "events")
    os.truncate(file, 10)
    append(worker_file(folder, 2), lines(whole_call(2)))

    async with running(Ingest(folder, dsn)):
        await until(lambda: count(dsn, "call_events"), lambda n: n == 8, "the other file")

    assert file.read_bytes() == lines(whole_call(1))[:10]


async def test_old_files_are_deleted_after_their_time(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    old, new = worker_file(folder, 1), worker_file(folder, 2)
    for file in (old, new):
        append(file, b"x")
        journal.put_away(folder, file.name)
    os.utime(folder / journal.DONE / old.name, (0, 0))

    assert journal.drop_old(folder, 3600) == [old.name]
    assert [path.name for path in (folder / journal.DONE).iterdir()] == [new.name]
