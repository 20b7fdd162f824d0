"""A table of a million calls does not make anybody wait: planning by measured load, the status of
nine cities, and each look of the daemon.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from number_registry.operations import wave_watch
from number_registry.store.pool import Connection

from .commands import on_database
from .migrating import DAY, LOAD, PLAN, T0, world_of

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
CALLS = 1_000_000
# Eight weeks, most of them in the last four; every city has as many as its neighbour.
_FILL = """
INSERT INTO calls (id, phase, direction, pbx, called, verdict, started_at, ring_at, answered_at,
                   ended_at, end_side, end_how, final_status, pdd_ms, talk_ms, rules)
SELECT 'b' || lpad(to_hex(n), 31, '0'), 'ended', 'in', p.name, '+' || e164, 'pbx', at, at + '1 s',
       CASE WHEN n % 10 < 7 THEN at + '9 s'::interval END, at + '99 s', 'a',
       CASE WHEN n % 10 < 7 THEN 'bye' ELSE 'cancel' END,
       CASE WHEN n % 10 < 7 THEN 200 ELSE 487 END,
       1000, CASE WHEN n % 10 < 7 THEN 90000 END, '[["number", "is ours"], ["pbx", "answers"]]'
FROM generate_series(1, $1) n
CROSS JOIN LATERAL (SELECT $2::timestamptz + n * '56 days'::interval / $1) t (at)
CROSS JOIN LATERAL (SELECT ($3::bigint[])[1 + (n * 7919::bigint) % cardinality($3)]) m (e164)
CROSS JOIN LATERAL (SELECT CASE WHEN at >= $4 THEN 'new' ELSE 'old' END) p (name)
"""


async def test_measuring_a_million_calls_is_quick(
    sql: Connection, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await world_of(sql, on_database(dsn, tmp_path, monkeypatch), monkeypatch)
    numbers = [row["e164"] for row in await sql.fetch("SELECT e164 FROM numbers")]
    await sql.execute(_FILL, CALLS, T0 - 28 * DAY, numbers, T0)
    await sql.execute("VACUUM ANALYZE calls")

    async def seconds(work: Callable[[], Awaitable[object]]) -> float:
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began

    took = {"plan": await seconds(lambda: world.json(*PLAN, "--watch-days", 0, "--rest-days", 0))}
    took["start"] = await seconds(lambda: world.json("start"))
    for _ in range(len(LOAD) - 1):
        await world.json("go")
    world.now = T0 + 28 * DAY
    took["look"] = await seconds(lambda: wave_watch.look(sql, world.now))
    took["status"] = await seconds(lambda: world.json("status"))
    print({name: round(found, 2) for name, found in took.items()})
    status = await world.status()
    assert sum(one["now"]["calls"] for one in status.values()) > CALLS * 0.4
    assert took["plan"] < 5 and took["start"] < 5 and took["status"] < 10
    assert took["look"] < 6, "it is done every minute"
