"""A number that is being ported goes into service with its first real call from the new carrier:
once, whatever is read twice; over a real PostgreSQL and the daemon's own ingest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.calls.events import Answer, Event, Ring, Start, line
from gateway.calls.ingest import Ingest
from number_registry.model import State
from number_registry.operations import numbers
from number_registry.operations.numbers import SetState
from number_registry.operations.selection import Selection, facts_of, names
from number_registry.ranges import Range
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

from .conftest import Host, until

pytestmark = pytest.mark.asyncio
NUMBER = 78432220000
OLD, NEW = "Old PBX, numbers in Kazan", "Northline 17/2024"


@dataclass
class Worker:
    """A SIP worker's journal, and the daemon that reads it."""

    folder: Path
    dsn: str
    calls: int = 0
    told: list[bytes] = field(default_factory=list)

    def call(self, carrier: str, **changed: Any) -> str:
        """One call rings; its id."""
        self.calls += 1
        c = f"{self.calls:032x}"
        facts: dict[str, Any] = {
            "dir": "in", "src": carrier, "cid": f"{self.calls}@test", "ft": "f", "cseq": 1,
            "kind": "pbx", "to": "old", "caller": "+79160000000", "called": f"+{NUMBER}",
            "t": time.time_ns() // 1000,
        }  # fmt: skip
        start = Start(c=c, **(facts | changed))
        heard: list[Event] = [start, Ring(c=c, t=start.t + 1), Answer(c=c, t=start.t + 2, tt="b")]
        self.told += [line(event) for event in heard]
        return c

    async def read(self, sql: Connection) -> None:
        """The daemon stores all that was told."""
        self.folder.mkdir(exist_ok=True)
        # A file of a worker that is gone: each is read to its end and put away.
        path = self.folder / f"{1_790_000_000_000 + self.calls}-1.journal"
        path.write_bytes(b"".join(self.told))
        self.told.clear()
        ingest = Ingest(self.folder, self.dsn)
        while await ingest.step(sql):
            continue


@pytest.fixture
def worker(dsn: str, tmp_path: Path) -> Worker:
    return Worker(tmp_path / "journal", dsn)


async def state(sql: Connection, new: str, contract: str) -> None:
    one = Selection((Range(NUMBER, NUMBER),))
    facts = await facts_of(sql, [part.first for part in one.ranges])
    plan = numbers.plan_state("anna", SetState(new, contract), facts, await names(sql))
    await numbers.apply(sql, plan)


async def states(sql: Connection) -> dict[str, str]:
    return {row["contract"]: row["state"] for row in await sql.fetch(SQL["tenancies_of"], NUMBER)}


async def ported(sql: Connection) -> None:
    await state(sql, "porting_out", OLD)
    await state(sql, "porting_in", NEW)


async def test_the_first_call_of_the_new_carrier_puts_the_number_into_service(
    sql: Connection, worker: Worker
) -> None:
    await ported(sql)
    worker.call("volga_city")
    await worker.read(sql)
    assert await states(sql) == {OLD: "porting_out", NEW: "porting_in"}, "the old carrier called"

    first = worker.call("northline")
    worker.call("northline")
    await worker.read(sql)

    assert await states(sql) == {OLD: "porting_out", NEW: "in_service"}
    history = await sql.fetch(SQL["number_history"], NUMBER)
    (move,) = [row for row in history if row["after"] == "in_service" and row["contract"] == NEW]
    assert (move["before"], move["actor"]) == ("porting_in", f"call {first}")


async def test_the_first_call_tells_that_the_number_has_begun_to_leave_its_old_carrier(
    sql: Connection, worker: Worker
) -> None:
    await state(sql, "porting_in", NEW)
    assert await states(sql) == {OLD: "in_service", NEW: "porting_in"}
    first = worker.call("northline")
    await worker.read(sql)
    assert await states(sql) == {OLD: "porting_out", NEW: "in_service"}
    history = await sql.fetch(SQL["number_history"], NUMBER)
    assert {row["actor"] for row in history if row["after"] == "porting_out"} == {f"call {first}"}


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "reject", "to": "", "status": 404},
        {"dir": "out", "src": "old", "to": "northline", "kind": "carrier"},
        {"called": "+78432220001"},
        {"called": "112"},
        {"t": 1_600_000_000_000_000},
    ],
    ids=["refused", "outwards", "another number", "no number", "before it was ported"],
)
async def test_what_is_no_first_call_changes_nothing(
    sql: Connection, worker: Worker, changed: dict[str, Any]
) -> None:
    await ported(sql)
    worker.call("northline", **changed)
    await worker.read(sql)
    assert await states(sql) == {OLD: "porting_out", NEW: "porting_in"}


async def test_it_happens_once_and_a_person_may_go_another_way_afterwards(
    sql: Connection, worker: Worker
) -> None:
    await ported(sql)
    worker.call("northline")
    await worker.read(sql)
    await state(sql, "suspended", NEW)
    worker.call("northline")
    await worker.read(sql)
    assert (await states(sql))[NEW] == "suspended"


async def test_calls_learn_at_once_that_the_number_may_be_shown_there(
    host: Host, sql: Connection, worker: Worker
) -> None:
    async with host.running():
        await ported(sql)
        both = (("volga_city", State.PORTING_OUT), ("northline", State.PORTING_IN))
        await until(lambda: (r := host.route(f"+{NUMBER}")) is not None and r.tenancies == both)
        worker.call("northline")
        await worker.read(sql)
        now = (("northline", State.IN_SERVICE), ("volga_city", State.PORTING_OUT))
        await until(lambda: (r := host.route(f"+{NUMBER}")) is not None and r.tenancies == now)
