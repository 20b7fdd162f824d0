"""A trunk that needs an address of ours that nobody used yet is put to work while calls go on."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.bench import load
from gateway.endpoints import tone
from number_registry.store.pool import connect
from tests.sip.people import CARRIERS, PBXS, CarrierCalling, World, both_hear
from tests.sip.stack import Stack, running_stack
from tests.sip.swap.test_swap_under_load import asked, counts, sipp, until

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
RATE, CALLS = 50, 500
NEW, NEWER = 5, 6  # in the loopback net


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running_stack(f"address-{os.getpid()}") as found:
        yield found


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    """A Kamailio that is told to stop complains of its own processes' ends, and of nothing else."""
    yield World(stack)
    assert [line for line in stack.new_complaints() if "receive_fd(): EOF" not in line] == []


def _given(stack: Stack, carrier: str, trunk: str, last: int, gateway: int) -> None:
    """The trunk calls us at another address from now on."""
    with stack.home.settings.open("a", encoding="utf-8") as file:
        file.write(
            f'\n[carriers.{carrier}.{trunk}]\nreceives_on = "{stack.host(last)}"\n'
            f'sources = ["{stack.host(gateway)}/32"]\n'
            f'proxies = ["sip:{stack.host(gateway)}:5060"]\n'
        )


async def _applied(stack: Stack) -> dict[str, Any]:
    told = await asked(stack, "carriers", "apply")
    return dict(told["addresses"])


async def test_calls_in_progress_and_calls_that_ring_go_on(world: World) -> None:
    stack = world.stack
    async with (
        world.pbx() as pbx,
        world.pbx("new", "noanswer") as ringing,
        world.carrier() as carrier,
        CarrierCalling(stack, "volga_city") as city,
    ):
        moved = await asked(stack, "pbx", "swap", "old", "new", "--city", "Kazan")
        assert moved
        talking = await carrier.calls("+74951230001")
        far = await pbx.call()
        assert await talking.until_final() == 200
        assert await both_hear(talking, far)
        waiting = await city.calls("+78432220001")
        rung = await ringing.call()
        await waiting.until_received(180)

        _given(stack, "volga_city", "ufa", NEW, 14)
        told = await _applied(stack)

        assert told["sip"] == [stack.host(1), stack.host(NEW)]
        assert told["away_s"] < 2.0
        talking.voice.ear.forget()
        far.voice.ear.forget()
        assert await both_hear(talking, far), "audio was never away"
        await rung.order("answer")
        assert await waiting.until_final() == 200
        assert await both_hear(waiting, rung)
        await far.bye()
        await talking.until_over()
        await waiting.bye()
        await rung.until_over()
        for call in (talking, waiting):
            record = await world.record(call)
            assert (record["end_how"], record["final_status"]) == ("bye", 200)


async def test_nothing_is_lost_at_fifty_calls_a_second(world: World, tmp_path: Path) -> None:
    stack = world.stack
    listed = await asked(stack, "numbers", "list", "--city", "Moscow", "--carrier", "northline")
    numbers = [row["e164"] for row in listed["numbers"] if row["pbx"] == "old"]
    (tmp_path / "numbers.csv").write_text("SEQUENTIAL\n" + "".join(f"{n};\n" for n in numbers))
    sql = await connect(stack.home.postgres_dsn, "test")

    async def ended() -> int:
        return int(await sql.fetchval("SELECT count(*) FROM calls WHERE phase = 'ended'"))

    async def a_fifth() -> bool:
        return await ended() > CALLS // 5

    async def all_of_them() -> bool:
        return await ended() >= CALLS

    uac = (
        f"{stack.address[0]}:{stack.address[1]}", "-sf", str(load.HERE / "uac_load.xml"),
        "-inf", "numbers.csv", "-r", str(RATE), "-m", str(CALLS),
    )  # fmt: skip
    uas = ("-sf", str(load.HERE / "uas_load.xml"))
    try:
        async with (
            sipp(tmp_path, stack.host(PBXS["old"]), "old", *uas),
            sipp(tmp_path, stack.host(CARRIERS["northline"]), "caller", *uac) as caller,
        ):
            await until(a_fifth, "a fifth of the calls")
            _given(stack, "volga_city", "ufa", NEWER, 14)
            told = await _applied(stack)
            assert told["away_s"] is not None
            await asyncio.wait_for(caller.wait(), 60)
            await until(all_of_them, "the records of all calls")
        assert counts(tmp_path / "caller.csv") == (CALLS, 0)
        rows = await sql.fetch("SELECT final_status, end_how FROM calls")
        assert {(row["final_status"], row["end_how"]) for row in rows} == {(200, "bye")}
        assert len(rows) == CALLS, "one record each"
    finally:
        await sql.close()


async def test_the_trunk_works_at_its_new_address(world: World) -> None:
    stack = world.stack
    _given(stack, "northline", "moscow", NEW, CARRIERS["northline"])
    assert (await _applied(stack))["away_s"] is not None
    async with world.phone_network() as network, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567")
        far = await network.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        assert f"@{stack.host(NEW)}" in far.invite.header("From")
        await far.until_received("ACK")
        await far.bye()
        await call.until_over()
    again = await _applied(stack)
    assert again["away_s"] is None, "nothing has to change any more"
    former = json.loads(stack.command("status", "--json").stdout)["services"]
    assert all(one["state"] == "running" for one in former), tone
