"""Deals while Redis, PostgreSQL or the daemon are gone, hung or scribbled in: a closed one never
connects.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.private_services import PrivateServices
from number_registry import deal_layout as layout
from number_registry.deal_layout import DEAL, INDEX
from number_registry.deals import Deal
from number_registry.e164 import E164
from number_registry.publish.redis_copy import standing
from number_registry.store.pool import Connection

from .conftest import Host, until
from .deal_rows import CITY, close_deal, open_deal
from .deal_workers import Worker, questions, state, until_right, until_stale

pytestmark = pytest.mark.asyncio
CLIENT, OWNER = E164("79161234567"), E164("79037654321")
KEY = layout.deal_key("4711")


# -- what may be gone ------------------------------------------------------------------------------


async def test_with_redis_and_postgresql_gone_open_deals_connect_and_closed_ones_do_not(
    host: Host, sql: Connection, services: PrivateServices, redis: Redis, worker: Worker
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,))
        await open_deal(sql, "4712", (CLIENT,))
        await close_deal(sql, "4712")
        await until(lambda: state(host.directory(), "4712") == "closed")
        await until(host.fresh)
    # The daemon is gone, and so is everything that it reads.
    services.redis.kill()
    calls = worker(host)
    await until_stale(host)
    assert state(calls(), "4711") == "open" and state(calls(), "4712") == "closed"
    assert (deal := calls().deal_between("203", CLIENT)) is not None and deal.id == "4711"
    assert calls().deal_of(CLIENT) is None
    assert calls().deal("9999") is None
    services.redis.start()


async def test_with_the_mirror_of_this_host_dead_redis_says_what_is_closed(
    host: Host, sql: Connection, redis: Redis, worker: Worker
) -> None:
    other = Host(host.dsn, host.redis_url, host.folder.with_name("other"))
    async with other.running():
        await open_deal(sql, "4711", (CLIENT,))
        async with host.running(publisher=False):
            await until(lambda: host.directory().deal_between("203", CLIENT))
        await until_stale(host)
        calls = worker(host)
        with questions() as asked:
            assert calls().deal_between("203", CLIENT) is not None
            assert calls().deal("4711") is not None
        assert asked == ["EVAL", "HGET"], "one round trip each"
        await open_deal(sql, "4712", (CLIENT,))
        await until(lambda: (d := calls().deal_between("203", CLIENT)) and d.id == "4712")
        await close_deal(sql, "4712")
        await until(lambda: (d := calls().deal_between("203", CLIENT)) and d.id == "4711")
        await close_deal(sql, "4711")
        await until(lambda: state(calls()) == "closed")
        await until(lambda: calls().deal_between("203", CLIENT) is None)
        assert state(host.directory()) == "open", "only Redis knows better"


async def test_a_hung_redis_holds_up_no_call_about_a_deal(
    host: Host, sql: Connection, services: PrivateServices, redis: Redis, worker: Worker
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,))
        await until(lambda: host.directory().deal_between("203", CLIENT))
    await until_stale(host)
    calls = worker(host)
    directory = calls()
    clock = asyncio.get_running_loop().time
    services.redis.signal(signal.SIGSTOP)
    try:
        began = clock()
        assert directory.deal("4711") is not None
        assert directory.deal_between("203", CLIENT) is not None
        assert clock() - began < 0.05
    finally:
        services.redis.signal(signal.SIGCONT)


async def test_while_redis_is_gone_a_closed_deal_is_refused_all_the_same(
    host: Host, sql: Connection, services: PrivateServices, redis: Redis
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,))
        await until(lambda: host.directory().deal("4711"))
        services.redis.kill()
        await close_deal(sql, "4711")
        await until(lambda: state(host.directory()) == "closed")
        assert host.directory().deal_between("203", CLIENT) is None
        services.redis.start()
        await until_right(host, sql, redis)


# -- what may be damaged ---------------------------------------------------------------------------


async def test_what_is_scribbled_into_redis_is_a_miss_and_mended(
    host: Host, sql: Connection, redis: Redis, worker: Worker, said: list[str]
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,))
        await until_right(host, sql, redis)
    await until_stale(host)
    calls = worker(host)
    forged = layout.pack_deal(Deal("4712", "203", E164(str(CITY)), ((OWNER,),)))
    index = layout.pair_key("203", CLIENT)
    await redis.hset(*layout.place(DEAL, KEY), forged)
    await redis.hset(*layout.place(INDEX, index), b"anything")
    await redis.hset(layout.bucket_key(DEAL, 5), "x", "1")
    await redis.hset(*layout.place(DEAL, layout.deal_key("777")), forged)
    await redis.set(layout.bucket_key(INDEX, 7), "foreign")
    assert calls().deal("4711") == calls().deal_between("203", CLIENT) is not None
    assert any("foreign bytes" in line for line in said)
    assert calls().deal("777") is None
    async with host.running():
        host.publisher.audit_soon()
        await until_right(host, sql, redis)
        assert (await standing(redis)).whole


async def test_a_damaged_file_is_a_miss_and_built_anew(
    host: Host, sql: Connection, redis: Redis, worker: Worker
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,))
        await until_right(host, sql, redis)
        calls = worker(host)
        path = host.folder / "deals.map"
        with path.open("r+b") as file:
            file.seek(-(1 << 18) - 64, 2)  # somewhere among the values
            whole = file.read()
            file.seek(-len(whole), 2)
            file.write(b"\xff" * len(whole))
        assert state(calls()) == "open", "Redis is asked where the file has nonsense"
        calls()
        path.unlink()
        await until(path.exists)
        await until(lambda: host.fresh() and state(host.directory()) == "open")


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
async def test_a_file_of_deals_that_cannot_be_used_is_built_anew_at_the_start(
    host: Host, sql: Connection, damage: bytes | None
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,))
        await until(lambda: host.directory().deal("4711"))
    path: Path = host.folder / "deals.map"
    path.unlink() if damage is None else path.write_bytes(damage)
    again = Host(host.dsn, host.redis_url, host.folder)
    async with again.running():
        await until(lambda: again.fresh() and state(again.directory()) == "open")


async def test_an_emptied_redis_gets_its_deals_again(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,))
        await until_right(host, sql, redis)
        await redis.flushall()
        await until(lambda: state(host.directory()) == "open")
        await until_right(host, sql, redis)


async def test_files_that_hold_numbers_are_for_whoever_runs_the_gateway_alone(host: Host) -> None:
    async with host.running():
        for name in ("numbers.map", "deals.map", "directory.json"):
            assert (host.folder / name).stat().st_mode & 0o777 == 0o600


async def test_thousands_of_deals_make_the_file_grow(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        build = host.deals().build
        await sql.execute(
            "WITH added AS (INSERT INTO deals (id, agent, city, source, opened_by)"
            " SELECT (10000 + i)::text, '203', $1, 'crm', 'test' FROM generate_series(1, 9000) i"
            " RETURNING key)"
            " INSERT INTO deal_parties (deal_key, party, position, number)"
            " SELECT key, 1, 1, 79160000000 + key FROM added",
            CITY,
        )
        await until(lambda: host.deals().count == 18000)
        assert host.deals().build != build
        await until_right(host, sql, redis)
        await sql.execute(
            "UPDATE deals SET closed_at = now(), closed_how = 'closed',"
            " reusable_from = now(), released_at = now()"
        )
        await until(lambda: host.deals().count == 0)
        await until_right(host, sql, redis)
