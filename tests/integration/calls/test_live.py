"""Live calls in a real Redis that is killed, emptied and comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio

from gateway.calls.fold import Call, fold_all
from gateway.calls.live import FEED_KEY, LIVE_KEY, Live
from gateway.private_services import PrivateServices
from tests.integration.calls.tools import call_id, until, whole_call

pytestmark = pytest.mark.asyncio


def calls(number: int, events: int) -> dict[str, Call]:
    """A call as far as its n-th event."""
    return {call_id(number): fold_all(None, whole_call(number)[:events])}


@asynccontextmanager
async def client(services: PrivateServices) -> AsyncIterator[redis.asyncio.Redis]:
    found = redis.asyncio.Redis.from_url(services.redis_url, lib_name=None, lib_version=None)
    try:
        yield found
    finally:
        await found.aclose()


@asynccontextmanager
async def carried(live: Live, services: PrivateServices) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(live.run(services.redis_url, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def shown(services: PrivateServices) -> dict[str, Any]:
    async with client(services) as redis_now:
        found = await redis_now.hgetall(LIVE_KEY)
    return {id.decode(): json.loads(view)["phase"] for id, view in found.items()}


async def until_shown(services: PrivateServices, wanted: dict[str, str]) -> None:
    await until(lambda: shown(services), lambda seen: seen == wanted, "live calls in redis")


@pytest.fixture(autouse=True)
def _empty(services: PrivateServices) -> None:
    with redis.Redis.from_url(services.redis_url) as redis_now:
        redis_now.flushdb()


async def test_a_call_appears_changes_and_goes(services: PrivateServices) -> None:
    live = Live()
    async with carried(live, services):
        for events, phase in ((1, "setup"), (2, "ringing"), (3, "live")):
            live.folded(calls(1, events))
            await until_shown(services, {call_id(1): phase})
        live.folded(calls(1, 4))
        await until_shown(services, {})

    async with client(services) as redis_now:
        feed = await redis_now.xrange(FEED_KEY)
    assert feed[-1][1] == {b"id": call_id(1).encode(), b"call": b""}
    phases = [json.loads(fields[b"call"])["phase"] for _, fields in feed[:-1]]
    assert phases[-2:] == ["ringing", "live"]


async def test_a_call_that_began_and_ended_in_one_batch_is_never_shown() -> None:
    live = Live()
    live.folded(calls(1, 4))

    assert (live.calls, live._changed) == ({}, {})


async def test_after_redis_was_killed_all_live_calls_are_there_again(
    services: PrivateServices,
) -> None:
    live = Live()
    async with carried(live, services):
        live.folded(calls(1, 3) | calls(2, 2))
        await until_shown(services, {call_id(1): "live", call_id(2): "ringing"})
        services.redis.kill()
        live.folded(calls(2, 4) | calls(3, 1))
        services.redis.start()  # not in a thread: a service ends with the thread that started it

        await until_shown(services, {call_id(1): "live", call_id(3): "setup"})


async def test_what_an_earlier_daemon_left_is_replaced_by_what_postgresql_says(
    services: PrivateServices,
) -> None:
    old, new = Live(), Live()
    async with carried(old, services):
        old.opened(calls(1, 3) | calls(2, 3))
        await until_shown(services, {call_id(1): "live", call_id(2): "live"})
    new.opened(calls(2, 3) | calls(3, 3))
    async with carried(new, services):
        await until_shown(services, {call_id(2): "live", call_id(3): "live"})
