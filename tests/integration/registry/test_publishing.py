"""What is committed in PostgreSQL reaches Redis and the mapped snapshot, in order, and nothing else
does.
"""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

import gateway.publisher
from number_registry import cache_layout as layout
from number_registry.directory import NumberRoute
from number_registry.feed_layout import Change
from number_registry.model import PbxState, Scenario, State
from number_registry.publish.outbox import LOCK
from number_registry.store.pool import Connection, connect
from number_registry.store.truth import read_all

from .conftest import Host, until

pytestmark = pytest.mark.asyncio
NUMBER = "+74951230003"
E164 = 74951230003


async def stored(redis: Redis, e164: int = E164) -> int:
    """What Redis says of a number, as a SIP worker would read it."""
    return layout.number_from_redis(e164, await redis.hget(*layout.number_place(e164)))


async def test_the_whole_company_is_published(host: Host, sql: Connection, redis: Redis) -> None:
    async with host.running():
        truth = await read_all(sql)
        assert truth.count == 40
        assert dict(host.view().numbers()) == dict(truth.pairs())
        assert dict(host.view().groups()) == truth.groups
        for e164, packed in truth.pairs():
            assert await stored(redis, e164) == packed
        blob = await redis.get(layout.DIRECTORY_KEY)
        assert layout.read_directory(blob).content == truth.directory
        assert host.directory().emergency() == {"101", "102", "103", "104", "112"}


async def test_routing_learns_carrier_state_pbx_and_scenario(host: Host) -> None:
    async with host.running():
        moscow, kazan = host.route("+74951230015"), host.route("+78432220000")
        north, volga = (("northline", State.IN_SERVICE),), (("volga_city", State.IN_SERVICE),)
        assert moscow == NumberRoute(north, "new", Scenario.DIRECT)
        assert kazan == NumberRoute(volga, "old", Scenario.SCRIPT)
        assert host.route("+74951239999") is None


async def test_a_committed_change_is_seen_by_calls(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        before = host.view().number(E164)
        await sql.execute("UPDATE tenancies SET state = 'suspended' WHERE e164 = $1", E164)
        await until(lambda: host.view().number(E164) != before)
        route = host.route(NUMBER)
        assert route is not None and route.tenancies == (("northline", State.SUSPENDED),)
        assert await stored(redis) == host.view().number(E164)


async def test_what_is_rolled_back_is_never_published(host: Host, sql: Connection) -> None:
    async with host.running():
        before = host.view().number(E164)
        transaction = sql.transaction()
        await transaction.start()
        await sql.execute("UPDATE tenancies SET state = 'suspended' WHERE e164 = $1", E164)
        await transaction.rollback()
        other = host.view().number(E164 + 1)
        await sql.execute("UPDATE tenancies SET state = 'suspended' WHERE e164 = $1", E164 + 1)
        await until(lambda: host.view().number(E164 + 1) != other)
        assert host.view().number(E164) == before


async def test_moving_a_group_moves_all_its_numbers_by_one_value(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        numbers = dict(host.view().numbers())
        await sql.execute(
            "UPDATE attachment_groups SET pbx_id = (SELECT id FROM pbxs WHERE name = 'new')"
            " WHERE name = 'moscow'"
        )
        await until(lambda: host.pbx_of("+74951230000") == "new")
        assert {host.pbx_of(f"+{74951230000 + n}") for n in range(15)} == {"new"}
        assert host.pbx_of("+78432220000") == "old"
        assert dict(host.view().numbers()) == numbers


async def test_a_suspended_pbx_and_a_new_address_reach_the_directory(
    host: Host, sql: Connection
) -> None:
    async with host.running():
        generation = host.view().directory_generation
        await sql.execute("UPDATE pbxs SET state = 'suspended' WHERE name = 'old'")
        await until(lambda: host.view().directory_generation != generation)
        old = host.directory().pbx("old")
        assert old is not None and old.state is PbxState.SUSPENDED
        generation = host.view().directory_generation
        await sql.execute(
            "INSERT INTO pbx_addresses (pbx_id, uri, priority) VALUES (2, 'sip:192.0.2.99', 5)"
        )
        await until(lambda: host.view().directory_generation != generation)
        new = host.directory().pbx("new")
        assert new is not None and [address.host for address in new.addresses][-1] == "192.0.2.99"


async def test_new_numbers_appear_and_deleted_ones_disappear(
    host: Host, sql: Connection, redis: Redis
) -> None:
    fresh = 74957770001
    async with host.running():
        await sql.execute("INSERT INTO numbers (e164, city_id, group_id) VALUES ($1, 1, 1)", fresh)
        await sql.execute(
            "INSERT INTO tenancies (e164, contract_id, state) VALUES ($1, 1, 'in_service')", fresh
        )
        await until(lambda: (r := host.route(f"+{fresh}")) is not None and r.tenancies)
        await sql.execute("DELETE FROM tenancies WHERE e164 = $1", fresh)
        await sql.execute("DELETE FROM numbers WHERE e164 = $1", fresh)
        await until(lambda: host.route(f"+{fresh}") is None)
        assert await stored(redis, fresh) == 0


async def test_a_number_between_two_contracts_has_both(host: Host, sql: Connection) -> None:
    async with host.running():
        await sql.execute("UPDATE tenancies SET state = 'porting_out' WHERE e164 = $1", E164)
        await sql.execute(
            "INSERT INTO tenancies (e164, contract_id, slot, state)"
            " SELECT $1, id, 2, 'porting_in' FROM contracts WHERE name = 'Volga City 4512'",
            E164,
        )
        both = (("northline", State.PORTING_OUT), ("volga_city", State.PORTING_IN))
        await until(lambda: (r := host.route(NUMBER)) is not None and r.tenancies == both)
        await sql.execute(
            "UPDATE tenancies SET state = 'in_service' WHERE e164 = $1 AND slot = 2", E164
        )
        first = (("volga_city", State.IN_SERVICE), ("northline", State.PORTING_OUT))
        await until(lambda: (r := host.route(NUMBER)) is not None and r.tenancies == first)
        await sql.execute(
            "UPDATE tenancies SET state = 'released' WHERE e164 = $1 AND slot = 1", E164
        )
        await until(lambda: (r := host.route(NUMBER)) is not None and r.tenancies == first[:1])


async def test_a_contract_that_changes_its_carrier_publishes_its_numbers(
    host: Host, sql: Connection
) -> None:
    async with host.running():
        await sql.execute("UPDATE contracts SET carrier_id = 2 WHERE name = 'Northline 17/2024'")
        await until(
            lambda: (r := host.route(NUMBER)) is not None and r.tenancies[0][0] == "volga_city"
        )


async def test_a_bulk_change_is_published_whole(host: Host, sql: Connection, redis: Redis) -> None:
    async with host.running():
        async with sql.transaction():
            await sql.execute("ALTER TABLE numbers DISABLE TRIGGER USER")
            await sql.execute("UPDATE numbers SET scenario = 'direct'")
            await sql.execute("ALTER TABLE numbers ENABLE TRIGGER USER")
            await sql.execute("INSERT INTO publish_changes (kind) VALUES ('a')")
            await sql.execute("SELECT pg_notify('portgate_publish', '')")
        await until(lambda: (r := host.route(NUMBER)) is not None and r.scenario is Scenario.DIRECT)
        truth = dict((await read_all(sql)).pairs())
        await until(lambda: dict(host.view().numbers()) == truth)
        assert await stored(redis) == truth[E164]


async def test_thousands_of_numbers_make_the_snapshot_grow(host: Host, sql: Connection) -> None:
    async with host.running():
        build = host.view().build
        await sql.execute(
            "INSERT INTO numbers (e164, city_id, group_id)"
            " SELECT 79000000000 + i, 1, 1 FROM generate_series(1, 5000) i"
        )
        await until(lambda: host.view().count == 5040)
        assert host.view().build != build
        truth = dict((await read_all(sql)).pairs())
        assert dict(host.view().numbers()) == truth
        assert host.pbx_of("+79000005000") == "old"


async def test_a_crash_between_redis_and_the_commit_only_repeats(
    host: Host, sql: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = []
    looking = await connect(host.dsn, "looking")
    real = gateway.publisher.write

    async def crashing(redis: Redis, changes: list[Change], blob: bytes | None, epoch: int) -> None:
        await real(redis, changes, blob, epoch)
        if not crashes:
            # On a connection of its own: the story's may still be busy with the UPDATE.
            crashes.append(await looking.fetchval("SELECT count(*) FROM publish_changes"))
            raise ConnectionResetError("the publisher dies here")

    monkeypatch.setattr(gateway.publisher, "write", crashing)
    async with host.running():
        before = host.view().number(E164)
        await sql.execute("UPDATE numbers SET scenario = 'direct' WHERE e164 = $1", E164)
        await until(lambda: host.view().number(E164) != before)
        await until(lambda: host.errors)
        await sql.execute("UPDATE numbers SET scenario = 'script' WHERE e164 = $1", E164)
        await until(lambda: host.view().number(E164) == before)
        async with asyncio.timeout(20):  # the value is seen before its transaction commits
            while await sql.fetchval("SELECT count(*) FROM publish_changes"):
                pass
    await looking.close()
    assert crashes[0] > 0, "the crash came before the commit"


async def test_changes_wait_in_the_outbox_while_no_publisher_works(
    host: Host, sql: Connection
) -> None:
    async with host.running():
        before = host.view().number(E164)
    await sql.execute("UPDATE tenancies SET state = 'suspended' WHERE e164 = $1", E164)
    again = Host(host.dsn, host.redis_url, host.folder)
    async with again.running():
        await until(lambda: again.view().number(E164) != before)


async def test_a_second_publisher_stands_by_and_takes_over(host: Host, sql: Connection) -> None:
    second = Host(host.dsn, host.redis_url, host.folder.with_name("second"))
    standby = asyncio.create_task(second.publisher.run(second.mirror))
    holders = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND granted = $2"
    )
    try:
        await asyncio.wait_for(second.publisher.ready.wait(), 20)
        async with host.running(publisher=False):
            first = asyncio.create_task(host.publisher.run(host.mirror))
            waiting = False
            while not waiting:
                waiting = await sql.fetchval(holders, LOCK, False) == 1
            assert not host.publisher.ready.is_set()
            standby.cancel()
            await asyncio.wait_for(host.publisher.ready.wait(), 20)
            before = host.view().number(E164)
            await sql.execute("UPDATE numbers SET scenario = 'direct' WHERE e164 = $1", E164)
            await until(lambda: host.view().number(E164) != before)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
    finally:
        standby.cancel()
        await asyncio.gather(standby, return_exceptions=True)
        second.mirror.close()


async def test_two_hundred_changes_at_once_end_as_in_the_truth(host: Host, dsn: str) -> None:
    connections = [await connect(dsn, "test") for _ in range(4)]

    async def change(connection: Connection, start: int) -> None:
        for n in range(start, 200, 4):
            await connection.execute(
                "UPDATE numbers SET group_id = 1 + $2 % 4, scenario ="
                " CASE WHEN $2 % 3 = 0 THEN 'direct'::scenario ELSE 'script' END WHERE e164 = $1",
                74951230000 + n % 15,
                n,
            )

    async with host.running():
        await asyncio.gather(*(change(one, n) for n, one in enumerate(connections)))
        truth = dict((await read_all(connections[0])).pairs())
        await until(lambda: dict(host.view().numbers()) == truth)
    for connection in connections:
        await connection.close()
