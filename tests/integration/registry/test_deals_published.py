"""Deals reach Redis, the mapped file and SIP workers as they are opened, changed and closed."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from number_registry.deals import Deal
from number_registry.e164 import E164
from number_registry.store.pool import Connection

from .conftest import Host, until
from .deal_rows import CITY, close_deal, open_deal, release_deal
from .deal_workers import Worker, questions, state, until_right

pytestmark = pytest.mark.asyncio
CLIENT, SECOND, OWNER = E164("79161234567"), E164("79160000001"), E164("79037654321")


async def test_a_deal_is_opened_found_by_all_its_numbers_and_closed(
    host: Host, sql: Connection, redis: Redis, worker: Worker
) -> None:
    async with host.running():
        calls = worker(host)
        assert state(calls()) == "unknown"
        await open_deal(sql, "4711", (CLIENT, SECOND), (OWNER,))
        await until(lambda: host.directory().deal("4711"))
        wanted = Deal("4711", "203", E164(str(CITY)), ((CLIENT, SECOND), (OWNER,)))
        await until(lambda: calls().deal("4711") == wanted)
        for number in (CLIENT, SECOND, OWNER):
            await until(lambda number=number: calls().deal_between("203", number) == wanted)
            assert calls().deal_between("204", number) is None
            assert calls().deal_of(number) is None
        assert not calls().auto_connects
        await until_right(host, sql, redis)
        await close_deal(sql, "4711")
        await until(lambda: state(calls()) == "closed")
        assert calls().deal_between("203", CLIENT) is None
        await until_right(host, sql, redis)
        await release_deal(sql, "4711")
        await until(lambda: state(calls()) == "unknown")
        await until_right(host, sql, redis)
        assert host.deals().count == 0


async def test_of_two_deals_between_two_people_the_newest_is_found(
    host: Host, sql: Connection, worker: Worker
) -> None:
    async with host.running():
        calls = worker(host)

        def found() -> str:
            deal = calls().deal_between("203", CLIENT)
            return deal.id if deal else ""

        await open_deal(sql, "4711", (CLIENT,))
        await open_deal(sql, "4712", (OWNER,), (CLIENT,))
        await until(lambda: found() == "4712")
        await close_deal(sql, "4712", "expired")
        await until(lambda: found() == "4711")


async def test_a_deal_that_connects_by_itself_is_found_by_whoever_calls(
    host: Host, sql: Connection, worker: Worker
) -> None:
    async with host.running():
        calls = worker(host)
        await open_deal(sql, "4711", (CLIENT,), auto=True)
        await until(lambda: (deal := calls().deal_of(CLIENT)) is not None and deal.id == "4711")
        assert calls().auto_connects
        await close_deal(sql, "4711")
        await until(lambda: not calls().auto_connects)


async def test_a_party_that_is_taken_away_is_known_no_more(host: Host, sql: Connection) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,), (OWNER,))
        await until(lambda: host.directory().deal_between("203", CLIENT))
        await sql.execute(
            "UPDATE deal_parties SET removed_at = now() WHERE number = $1", int(CLIENT)
        )
        await until(lambda: host.directory().deal_between("203", CLIENT) is None)
        deal = host.directory().deal_between("203", OWNER)
        assert deal is not None and deal.parties == ((), (OWNER,)), "*2 goes on meaning the owner"


async def test_callers_without_a_deal_cost_no_question_while_the_file_is_fresh(
    host: Host, sql: Connection, worker: Worker
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,), auto=True)
        await until(lambda: host.directory().deal_of(CLIENT) and host.fresh())
        calls = worker(host)
        with questions() as asked:
            assert calls().deal_of(OWNER) is None and calls().deal_of(CLIENT) is not None
            assert calls().deal_between("203", OWNER) is None
            assert calls().deal("4711") is not None
            assert asked == []
            assert calls().deal("4712") is None
        assert asked == ["HGET"]


async def test_a_deal_expires_by_the_clock_of_a_worker(
    host: Host, sql: Connection, worker: Worker
) -> None:
    async with host.running():
        await open_deal(sql, "4711", (CLIENT,), auto=True)
        await sql.execute("UPDATE deals SET expires_at = now() + interval '2 seconds'")
        calls = worker(host)
        await until(lambda: (deal := calls().deal("4711")) is not None and deal.expires)
        await until(lambda: state(calls()) == "expired")
        assert calls().deal_of(CLIENT) is None and calls().deal_between("203", CLIENT) is None
