"""A real PBX is asked to ring an agent and then a client, or to send a client to the agent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from gateway.endpoints import Callee, tone
from gateway.stack import control
from tests.sip.people import World, answering
from tests.sip.real_pbxs.office import HOSTS, PHONES, Office, both_hear
from tests.sip.real_pbxs.test_transfer_by_real_pbxs import allow
from tests.sip.stack import Stack

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]
CLIENT, CITY, SIM = "79160000001", "74951230000", "79160009203"
SIMS = 18  # where the operator of our SIMs takes calls
AGENTS = {"203": "4703", "102": "4702"}  # on a SIM of ours; at a phone of the PBX


@pytest_asyncio.fixture
async def stack_with_deals(stack: Stack, office: Office) -> AsyncIterator[Stack]:
    at = f"{stack.host(HOSTS['old'])}:5038"
    asked = ("--transfer", "ami", "--transfer-at", at, "--transfer-user", "portgate")
    allow(stack, "old", *asked, secret="manager-of-old")
    connection = await asyncpg.connect(stack.home.postgres_dsn)
    await connection.execute(
        "UPDATE extensions SET mobile = $1,"
        " mobile_carrier_id = (SELECT id FROM carriers WHERE name = 'steppe_mobile')"
        " WHERE extension = '203'",
        int(SIM),
    )
    for agent, deal in AGENTS.items():
        if not await connection.fetchval("SELECT 1 FROM deals WHERE id = $1", deal):
            key = await connection.fetchval(
                "INSERT INTO deals (id, agent, city, source, opened_by)"
                " VALUES ($1, $2, $3, 'crm', 'test') RETURNING key",
                deal, agent, int(CITY),
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO deal_parties (deal_key, party, position, number)"
                " VALUES ($1, 1, 1, $2)", key, int(CLIENT),
            )  # fmt: skip
    await connection.close()
    async with asyncio.timeout(10):
        while not all(stack.known().directory.deal(deal) for deal in AGENTS.values()):
            await asyncio.sleep(0.1)
    yield stack


def phone_of(stack: Stack, agent: str, how: str = "answer") -> Callee:
    """Rung too, so it speaks with the other voice."""
    last = SIMS if agent == "203" else PHONES["old"][agent]
    return answering(stack, last, f"phone of {agent}", how, hz=tone.CALLER_HZ)


async def rings(stack: Stack, *words: str) -> dict[str, Any]:
    done = await asyncio.to_thread(stack.command, "ring", *words, "--json")
    print(done.stdout, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if answer["result"] == "connected" else 1)
    return answer


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("hangs_up", ["agent", "client"])
async def test_the_agent_and_then_the_client_ring_and_both_hear(
    world: World, office: Office, stack_with_deals: Stack, agent: str, hangs_up: str
) -> None:
    stack, deal = stack_with_deals, AGENTS[agent]
    phone = phone_of(stack, agent)
    async with office.pbx("old"), phone, world.phone_network("northline") as client:
        answer = await rings(stack, agent, "--deal", deal)
        assert answer["result"] == "connected", answer
        first, second = await phone.call(), await client.call()
        assert await both_hear(first, second)
        assert deal in first.invite.header("From")
        assert CITY in second.invite.header("From") + second.invite.header("P-Asserted-Identity")
        assert not any(CLIENT[1:] in one.text for one in first.messages)
        assert not any(SIM[1:] in one.text for one in second.messages)
        ends, other = (first, second) if hangs_up == "agent" else (second, first)
        await ends.bye()
        await other.until_over()


@pytest.mark.parametrize(
    ("agent", "how", "said"),
    [("203", "busy", "busy"), ("203", "decline", "declined"), ("102", "busy", "")],
)
async def test_an_agent_who_does_not_answer_is_told_and_the_client_is_not_rung(
    world: World, office: Office, stack_with_deals: Stack, agent: str, how: str, said: str
) -> None:
    phone = phone_of(stack_with_deals, agent, how)
    async with office.pbx("old"), phone, world.phone_network("northline") as client:
        answer = await rings(stack_with_deals, agent, "--deal", AGENTS[agent])
        assert client.legs == {}
    assert answer["result"] == "agent"
    assert answer["said"] == said or not said


async def test_a_pbx_that_does_not_let_us_in_is_told_without_the_password(
    office: Office, stack_with_deals: Stack
) -> None:
    secret = stack_with_deals.home.pbx_secrets / "old"
    kept = secret.read_text()
    secret.write_text("not-this-one\n")
    try:
        async with office.pbx("old"):
            words = ("ring", "203", "--deal", AGENTS["203"])
            done = await asyncio.to_thread(stack_with_deals.command, *words)
    finally:
        secret.write_text(kept)
    assert done.returncode == 1
    assert "does not let 'portgate' in" in done.stderr
    assert "not-this-one" not in done.stdout + done.stderr


async def test_the_call_goes_on_when_the_daemon_is_killed(
    world: World, office: Office, stack_with_deals: Stack
) -> None:
    stack = stack_with_deals
    phone = phone_of(stack, "203")
    async with office.pbx("old"), phone, world.phone_network("northline") as client:
        await rings(stack, "203", "--deal", AGENTS["203"])
        first, second = await phone.call(), await client.call()
        assert await both_hear(first, second)
        listed = control.ask(stack.home, {"do": "status"})["services"]
        os.kill(next(one["pid"] for one in listed if one["name"] == "gateway"), signal.SIGKILL)
        first.voice.ear.forget()
        second.voice.ear.forget()
        assert await both_hear(first, second)
        await second.bye()
        await first.until_over()
        async with asyncio.timeout(20):
            while not stack.home.gateway_ready.exists() or not stack.home.desk_socket.exists():
                await asyncio.sleep(0.1)


async def test_a_busy_client_is_told_and_the_agent_is_free_again(
    world: World, office: Office, stack_with_deals: Stack
) -> None:
    stack = stack_with_deals
    async with (
        office.pbx("old"),
        phone_of(stack, "203") as near,
        world.phone_network("northline", "busy"),
    ):
        answer = await rings(stack, "203", "--deal", AGENTS["203"])
        assert (answer["result"], answer["said"]) == ("client", "busy")
        await (await near.call()).until_over()


async def test_a_client_is_transferred_to_the_agent_of_a_deal(
    world: World, office: Office, stack_with_deals: Stack
) -> None:
    stack, deal = stack_with_deals, AGENTS["203"]
    async with (
        office.pbx("old"),
        office.phone("101", at="old") as operator,
        answering(stack, SIMS, "SIM", "answer") as agent,
        world.carrier("northline") as carrier,
    ):
        call = await carrier.calls("+74951230003", from_="+" + CLIENT)
        first = await operator.call()
        assert await call.until_final() == 200
        assert await both_hear(call, first)
        words = ("transfer", "+" + CLIENT, "--to", "203", "--deal", deal, "--json")
        done = await asyncio.to_thread(stack.command, *words)
        assert json.loads(done.stdout)["result"] == "done", done.stdout
        second = await agent.call()
        await first.until_over()
        call.voice.ear.forget()
        assert await both_hear(call, second)
        assert deal in second.invite.header("From")
        assert not any(CLIENT[1:] in one.text for one in second.messages)
        await second.bye()
        await call.until_over()
