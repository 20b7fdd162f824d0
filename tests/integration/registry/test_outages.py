"""Redis killed, hung, emptied, restored or scribbled in; the publisher killed: calls keep being
routed rightly.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.private_services import PrivateServices
from number_registry import cache_layout as layout
from number_registry.model import Scenario
from number_registry.publish.redis_copy import standing
from number_registry.store.pool import Connection
from number_registry.store.truth import read_all

from .conftest import Host, until

pytestmark = pytest.mark.asyncio
NUMBER = "+74951230003"
E164 = 74951230003
MAKE_DIRECT = "UPDATE numbers SET scenario = 'direct' WHERE e164 = $1"


def is_direct(host: Host, number: str = NUMBER) -> bool:
    route = host.route(number)
    return route is not None and route.scenario is Scenario.DIRECT


async def right(host: Host, sql: Connection, redis: Redis) -> bool:
    """Whether Redis and the snapshot are exactly as the truth."""
    truth = await read_all(sql)
    wanted = dict(truth.pairs())
    found = {}
    for key in await redis.keys(f"{layout.PREFIX}n:*"):
        if await redis.type(key) != b"hash":
            return False
        fields = await redis.hgetall(key)
        if not all(name.isdigit() for name in fields):
            return False
        found |= {int(name): int(value) for name, value in fields.items()}
    blob = await redis.get(layout.DIRECTORY_KEY) or b""
    return (
        found == wanted == dict(host.view().numbers())
        and dict(host.view().groups()) == truth.groups
        and blob == layout.directory_bytes(truth.directory)[1]
    )


async def until_right(host: Host, sql: Connection, redis: Redis) -> None:
    async with asyncio.timeout(20):
        while not await right(host, sql, redis):
            await asyncio.sleep(0)


async def test_redis_killed_and_back_has_everything_again(
    host: Host, sql: Connection, redis: Redis, services: PrivateServices
) -> None:
    async with host.running():
        services.redis.kill()
        assert host.pbx_of(NUMBER) == "old"  # the snapshot is the last resort
        await sql.execute(MAKE_DIRECT, E164)
        services.redis.start()
        await until_right(host, sql, redis)
        assert is_direct(host)
        await until(host.fresh)


async def test_a_change_during_an_outage_of_redis_reaches_calls_of_this_host(
    host: Host, sql: Connection, redis: Redis, services: PrivateServices
) -> None:
    async with host.running():
        services.redis.kill()
        await sql.execute(MAKE_DIRECT, E164)
        await until(lambda: is_direct(host), "the change, with Redis dead")
        await until(host.fresh)
        await sql.execute("UPDATE attachment_groups SET pbx_id = 2 WHERE name = 'kazan'")
        await until(lambda: host.pbx_of("+78432220000") == "new")
        generation = host.view().directory_generation
        await sql.execute("UPDATE pbxs SET state = 'suspended' WHERE name = 'new'")
        await until(lambda: host.view().directory_generation != generation)
        services.redis.start()
        await until_right(host, sql, redis)
        await until(host.fresh)


async def test_a_start_without_redis_builds_the_snapshot_from_the_truth(
    host: Host, sql: Connection, redis: Redis, services: PrivateServices
) -> None:
    services.redis.kill()
    async with host.running():
        assert dict(host.view().numbers()) == dict((await read_all(sql)).pairs())
        assert host.pbx_of(NUMBER) == "old"
        services.redis.start()
        await until_right(host, sql, redis)


async def test_a_hung_redis_does_not_hold_up_changes(
    host: Host, sql: Connection, redis: Redis, services: PrivateServices
) -> None:
    async with host.running():
        services.redis.signal(signal.SIGSTOP)
        try:
            await sql.execute(MAKE_DIRECT, E164)
            await until(lambda: is_direct(host), "the change, with Redis hung")
        finally:
            services.redis.signal(signal.SIGCONT)
        await until_right(host, sql, redis)
        assert is_direct(host)


async def test_without_a_publisher_the_heart_stops_with_redis_and_the_numbers_stay(
    host: Host, redis: Redis, services: PrivateServices
) -> None:
    async with host.running():
        pass
    other = Host(host.dsn, host.redis_url, host.folder)
    async with other.running(publisher=False):
        await until(other.fresh)
        services.redis.kill()
        await until(lambda: not other.fresh())
        assert other.pbx_of(NUMBER) == "old"


async def test_an_emptied_redis_is_filled_again(host: Host, sql: Connection, redis: Redis) -> None:
    async with host.running():
        await redis.flushall()
        await until_right(host, sql, redis)
        await sql.execute(MAKE_DIRECT, E164)
        await until(lambda: is_direct(host))


async def test_a_redis_restored_from_an_old_dump_is_not_believed(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        pass
    old = {key: await redis.dump(key) for key in await redis.keys("*")}
    async with Host(host.dsn, host.redis_url, host.folder).running() as later:
        await sql.execute(MAKE_DIRECT, E164)
        await until(lambda: is_direct(later))
    await redis.flushall()
    for key, value in old.items():
        await redis.restore(key, 0, value)
    await redis.hset(layout.META_KEY, "run", "the run_id of the process that was killed")
    async with Host(host.dsn, host.redis_url, host.folder).running(publisher=False) as alone:
        assert not (await standing(redis)).whole
        assert is_direct(alone)  # the newer snapshot stays
    async with Host(host.dsn, host.redis_url, host.folder).running() as again:
        await until_right(again, sql, redis)
        assert is_direct(again)


async def test_foreign_values_in_redis_are_mended_and_never_reach_calls(
    host: Host, sql: Connection, redis: Redis
) -> None:
    key, field = layout.number_place(E164)
    foreign = layout.number_place(74957770000)
    async with host.running():
        before = host.view().number(E164)
        await redis.hset(key, field, "7777")
        await redis.hset(key, "garbage", b"\xff\x00")
        await redis.hset(*foreign, str(layout.pack_number(74957770000, layout.NumberCell(1, 1, 3))))
        await redis.hset(layout.GROUPS_KEY, "1", "hello")
        await redis.set(layout.bucket_key(layout.bucket(74951230004)), "not a hash")
        await redis.set(layout.DIRECTORY_KEY, b"{}")
        host.publisher.audit_soon()
        await until_right(host, sql, redis)
        assert host.view().number(E164) == before
        assert not await redis.hexists(key, "garbage")


async def test_a_mirror_that_reads_corrupt_values_keeps_what_it_knew(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        pass
    truth = dict(host.view().numbers())
    await redis.hset(*layout.number_place(E164), "7777")
    await redis.set(layout.bucket_key(layout.bucket(74951230004)), "not a hash")
    await redis.hset(layout.GROUPS_KEY, "1", "hello")
    await redis.xadd(layout.FEED_KEY, {"what": "is this"})  # makes it build anew
    alone = Host(host.dsn, host.redis_url, host.folder)
    build = host.view().build
    async with alone.running(publisher=False):
        await until(lambda: alone.view().build != build)
        assert dict(alone.view().numbers()) == truth
        assert alone.pbx_of(NUMBER) == "old"


async def test_a_foreign_entry_in_the_feed_is_passed_by(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        await redis.xadd(layout.FEED_KEY, {f"n{E164}": "12345"})
        await sql.execute(MAKE_DIRECT, E164)
        await until(lambda: is_direct(host))
        await until_right(host, sql, redis)


@pytest.mark.parametrize("key", [layout.META_KEY, layout.FEED_KEY, layout.GROUPS_KEY])
async def test_a_key_of_ours_replaced_by_something_else_is_put_right(
    host: Host, sql: Connection, redis: Redis, key: str
) -> None:
    async with host.running():
        await redis.delete(key)
        await redis.set(key, "something else")
        await sql.execute("UPDATE attachment_groups SET pbx_id = 2 WHERE name = 'kazan'")
        await until(lambda: host.pbx_of("+78432220000") == "new")
        await until_right(host, sql, redis)


async def test_a_redis_that_takes_no_writes_is_waited_for(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        await redis.config_set("maxmemory", "1")
        try:
            await sql.execute(MAKE_DIRECT, E164)
            await until(lambda: is_direct(host), "the change, with Redis full")
        finally:
            await redis.config_set("maxmemory", "0")
        await until_right(host, sql, redis)


async def test_a_publisher_killed_again_and_again_loses_nothing(
    host: Host, sql: Connection, redis: Redis, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    command = [sys.executable, "-m", "gateway.bench.copier", host.dsn, host.redis_url, str(folder)]
    repo = Path(__file__).resolve().parents[3]
    for kill in range(4):
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=repo, stderr=log)
        try:
            if kill:
                await until((folder / "numbers.map").exists)
            for n in range(40 * (kill + 1)):
                await sql.execute(
                    "UPDATE numbers SET group_id = 1 + $2 % 4 WHERE e164 = $1",
                    74951230000 + n % 20,
                    n + kill,
                )
        finally:
            process.kill()
            process.wait()
    last = Host(host.dsn, host.redis_url, folder)
    async with last.running():
        await until_right(last, sql, redis)


async def test_a_lost_postgresql_connection_is_taken_up_again(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        await sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'portgate publisher' AND datname = current_database()"
        )
        await until(lambda: host.errors)
        await sql.execute(MAKE_DIRECT, E164)
        await until(lambda: is_direct(host))
