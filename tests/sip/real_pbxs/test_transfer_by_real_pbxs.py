"""One click sends the client of a live call to somebody else, by the interface of a real PBX."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import websockets

from tests.sip.people import World
from tests.sip.real_pbxs.asterisk import Asterisk
from tests.sip.real_pbxs.office import HOSTS, Office, both_hear
from tests.sip.stack import Stack

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]
NUMBERS = {"old": "+74951230003", "new": "+74951230015"}
CLIENT = "+79160000001"


class Desk(NamedTuple):
    """A PBX that may be asked, its operator and a colleague."""

    stack: Stack
    pbx: Asterisk
    operator: str
    colleague: str

    async def asks(self, *words: str) -> dict[str, Any]:
        # Not in this thread: the far ends must go on talking.
        done = await asyncio.to_thread(self.stack.command, "transfer", *words, "--json")
        print(done.stdout, done.stderr)
        answer: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if answer["result"] == "done" else 1)
        return answer


def allow(stack: Stack, name: str, *words: str, secret: str) -> None:
    done = stack.command("pbx", "set", name, *words, "--transfer-context", "from-phones", "--yes")
    assert done.returncode == 0, done.stderr
    path = stack.home.pbx_secrets / name
    path.write_text(secret + "\n")
    path.chmod(0o600)


@pytest_asyncio.fixture(params=[("old", "101", "102"), ("new", "103", "107")], ids=["old", "new"])
async def desk(request: pytest.FixtureRequest, office: Office) -> AsyncIterator[Desk]:
    name, operator, colleague = request.param
    at = f"{office.stack.host(HOSTS[name])}:5038"
    asked = ("--transfer", "ami", "--transfer-at", at, "--transfer-user", "portgate")
    allow(office.stack, name, *asked, secret=f"manager-of-{name}")
    async with office.pbx(name) as pbx:
        yield Desk(office.stack, pbx, operator, colleague)


async def test_the_client_goes_to_the_colleague_and_the_operator_is_free(
    world: World, office: Office, desk: Desk
) -> None:
    at = desk.pbx.name
    async with (
        office.phone(desk.operator, at=at) as operator,
        office.phone(desk.colleague, at=at) as colleague,
        world.carrier("northline") as carrier,
    ):
        call = await carrier.calls(NUMBERS[at], from_=CLIENT)
        first = await operator.call()
        assert await call.until_final() == 200
        assert await both_hear(call, first)
        answer = await desk.asks(CLIENT, "--to", desk.colleague)
        second = await colleague.call()
        await first.until_over()
        call.voice.ear.forget()
        assert await both_hear(call, second)
        assert call.received("REFER") is None and first.received("REFER") is None
        await second.bye()
        await call.until_over()
    assert (answer["result"], answer["pbx"], answer["digits"]) == ("asked", at, desk.colleague)


async def test_a_deal_that_the_gateway_refuses_is_told_with_its_words(
    world: World, office: Office, desk: Desk
) -> None:
    async with (
        office.phone(desk.operator, at=desk.pbx.name) as operator,
        world.carrier("northline") as carrier,
    ):
        call = await carrier.calls(NUMBERS[desk.pbx.name], from_=CLIENT)
        await operator.call()
        assert await call.until_final() == 200
        answer = await desk.asks(CLIENT, "--to", "203", "--deal", "9753")
        await call.until_over()
    assert (answer["result"], answer["digits"]) == ("refused", "203*9753")
    assert "9753" in answer["said"]


@pytest.mark.parametrize("in_application", [False, True])
async def test_ari_moves_what_an_application_has_and_says_so_of_the_rest(
    world: World, office: Office, in_application: bool
) -> None:
    stack, at = office.stack, office.stack.host(HOSTS["new"])
    asked = ("--transfer", "ari", "--transfer-at", f"http://{at}:8088")
    allow(stack, "new", *asked, "--transfer-user", "portgate", secret="manager-of-new")
    url = f"ws://{at}:8088/ari/events?app=portgate&api_key=portgate:manager-of-new"
    async with (
        office.pbx("new") as pbx,
        websockets.connect(url) as events,
        office.phone("103", at="new") as operator,
        office.phone("107", at="new") as colleague,
        world.carrier("northline") as carrier,
    ):
        call = await carrier.calls(NUMBERS["new"], from_=CLIENT)
        first = await operator.call()
        assert await call.until_final() == 200
        assert await both_hear(call, first)
        if in_application:
            listed = await pbx.says("core show channels concise")
            channel = next(one.split("!")[0] for one in listed.splitlines() if "/portgate-" in one)
            await pbx.says(f"channel redirect {channel} in-ari,s,1")
            while json.loads(await events.recv())["type"] != "StasisStart":
                pass
        answer = await Desk(stack, pbx, "103", "107").asks(CLIENT, "--to", "107")
        if in_application:
            assert answer["result"] == "asked"
            call.voice.ear.forget()
            assert await both_hear(call, await colleague.call())
        else:
            assert answer["result"] == "refused" and "manager interface" in answer["said"]
            assert colleague.legs == {}
            assert await both_hear(call, first)
        await call.bye()
