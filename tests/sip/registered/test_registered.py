"""A cloud PBX registers to us with its password; its calls go where it registered from."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from gateway.endpoints import tone
from gateway.stack import control
from tests.sip.baresip import baresip
from tests.sip.digest import asked, credentials
from tests.sip.people import CARRIERS, World
from tests.sip.raw import answer, raw_socket, request
from tests.sip.registered.shop import (
    NUMBER,
    account,
    made,
    registered,
    registers,
    takes_number,
)
from tests.sip.stack import Stack

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_registered_pbx_is_called_where_it_registered_from(
    world: World, transport: str
) -> None:
    stack, name = world.stack, f"shop-{transport}"
    login = made(stack, name, "--trust", "register", "--did-in", "to")
    takes_number(stack, name)
    path = f'outbound="sip:{stack.address[0]};transport={transport}"'
    line = account(stack, login, "answermode=auto", path)
    async with baresip(stack.host(81), line, hz=tone.CALLEE_HZ) as phone:
        (binding,) = registered(stack, name, 1)
        assert binding["transport"] == transport
        told = stack.command("explain", NUMBER, "--from", "+79161234567", "--json")
        (place,) = json.loads(told.stdout)["addresses"]
        assert place.endswith(f";transport={transport}")
        async with world.carrier() as carrier:
            call = await carrier.calls(NUMBER)
            assert await call.until_final() == 200
            assert await call.voice.hears(tone.CALLEE_HZ)
            await call.bye()
            await phone.until("CALL_CLOSED")
    registered(stack, name, 0)
    record = await world.record(call)
    assert (record["pbx"], record["end_how"]) == (name, "bye")


async def test_a_pbx_that_is_not_registered_cannot_be_reached(world: World) -> None:
    made(world.stack, "absent", "--trust", "register")
    takes_number(world.stack, "absent")
    told = world.stack.command("explain", NUMBER, "--from", "+79161234567").stdout
    assert "Goes to PBX absent: it has registered nowhere, so the caller hears 480" in told
    doctor = json.loads(world.stack.command("doctor", "--json").stdout)["findings"]
    (told,) = [one["seen"] for one in doctor if one["seen"].startswith("absent ")]
    assert told == "absent is not registered; its share of the calls of 1 numbers fails"
    swap = world.stack.command("pbx", "swap", "old", "absent", "--city", "Kazan", "--plan")
    assert "! PBX absent is not registered now: calls to it would fail" in swap.stderr
    checked = world.stack.command("pbx", "check", "absent")
    assert checked.returncode == 1 and "let it register with" in checked.stdout
    async with world.carrier() as carrier:
        call = await carrier.calls(NUMBER)
        assert await call.until_final() == 480
        await call.until_over()
    record = await world.record(call)
    assert record["rules"][-1][1] == "480: PBX absent is not registered"


async def test_both_sides_talk_and_hang_up_in_a_call_of_a_registered_pbx(world: World) -> None:
    stack = world.stack
    words = ("--trust", "register", "--account", NUMBER.removeprefix("+"))
    login = made(stack, "shop-out", *words)
    async with (
        baresip(stack.host(82), account(stack, login), hz=tone.CALLER_HZ) as phone,
        world.phone_network() as network,
    ):
        registered(stack, "shop-out", 1)
        for number in (1, 2):
            await phone.orders("dial", f"sip:+79161234567@{stack.address[0]}")
            far = await network.call(number)
            await phone.until("CALL_ESTABLISHED", number)
            assert await far.voice.hears(tone.CALLER_HZ)
            assert f"<sip:{NUMBER}@" in far.invite.header("From")
            assert "Authorization" not in far.invite.text
            if number == 1:
                await phone.orders("hangup")
            else:
                await far.bye()
            await far.until_over()
            await phone.until("CALL_CLOSED", number)


async def test_a_registration_survives_the_death_of_kamailio(world: World) -> None:
    stack = world.stack
    login = made(stack, "shop-kill", "--trust", "register", "--did-in", "to")
    takes_number(stack, "shop-kill")
    line = account(stack, login, "answermode=auto")
    async with baresip(stack.host(83), line, hz=tone.CALLEE_HZ) as phone:
        registered(stack, "shop-kill", 1)
        kill(stack)
        async with world.carrier() as carrier:
            call = await carrier.calls(NUMBER)
            assert await call.until_final() == 200
            await call.bye()
            await phone.until("CALL_CLOSED")
        (kept,) = registered(stack, "shop-kill", 1)
        assert kept["left_s"] <= 60
        # Kamailio itself holds it too: what it is told now is compared with that.
        await phone.orders("quit")
        registered(stack, "shop-kill", 0)
    stack.new_complaints()  # Kamailio tells of its own death


def kill(stack: Stack) -> None:
    """kill -9 of Kamailio, and wait for the supervisor to have another one."""

    def kamailio() -> dict[str, object]:
        services = control.ask(stack.home, {"do": "status"})["services"]
        (found,) = [one for one in services if one["name"] == "kamailio"]
        return dict(found)

    old = int(str(kamailio()["pid"]))
    os.kill(old, signal.SIGKILL)
    give_up = time.monotonic() + 10
    while (now := kamailio())["state"] != "running" or now["pid"] in (None, old):
        assert time.monotonic() < give_up, now
        time.sleep(0.05)


async def test_several_places_are_tried_in_their_order(world: World) -> None:
    stack = world.stack
    login = made(stack, "shop-two", "--trust", "register")
    takes_number(stack, "shop-two")
    first, second = stack.host(84), stack.host(85)
    contacts = f"<sip:a@{second}:5060>;q=0.2, <sip:b@{first}:5060>;q=0.8"
    async with raw_socket(stack.host(86)) as pbx:
        said = await registers(pbx, stack, login, Contact=contacts)
        assert said.status == 200
        assert len(registered(stack, "shop-two", 2)) == 2
        async with (
            raw_socket(second, 5060) as backup,
            world.carrier() as carrier,
        ):
            call = await carrier.calls(NUMBER)
            heard = await backup.hears_only("INVITE")
            assert heard.uri.startswith(f"sip:{NUMBER}@{second}:5060")
            await call.cancel()
            await call.until_over()
        said = await registers(pbx, stack, login, Contact="*", Expires="0")
        assert said.status == 200
        registered(stack, "shop-two", 0)


async def test_a_wrong_password_and_none_hear_the_same_and_no_account_hears_nothing(
    world: World,
) -> None:
    stack = world.stack
    login = made(stack, "shop-wrong", "--trust", "register")
    uri, here = f"sip:{stack.address[0]}", stack.host(87)
    user = f"sip:{login['user']}@{stack.address[0]}"
    own = {"From": f"<{user}>;tag=reg", "To": f"<{user}>"}
    async with raw_socket(here) as stranger:
        none = await stranger.asks(request("REGISTER", uri, here, **own), stack.address)
        proof = credentials(asked(none), login["user"], "wrong", "REGISTER", uri)
        bad = request("REGISTER", uri, here, **own, Authorization=proof)
        wrong = await stranger.asks(bad, stack.address)
        assert (none.status, wrong.status) == (401, 401)
        names = [[name for name, _ in one.headers] for one in (none, wrong)]
        assert names[0] == names[1]
        assert "stale" not in wrong.text

        guess = f"sip:shop-wrong-0123456789abcdef@{stack.address[0]}"
        other = {"From": f"<{guess}>;tag=reg", "To": f"<{guess}>"}
        stranger.sends(request("REGISTER", uri, here, **other), stack.address)
        forged = credentials(asked(none), "nobody-at-all", "x", "REGISTER", uri)
        stranger.sends(request("REGISTER", uri, here, **own, Authorization=forged), stack.address)
        for method in ("OPTIONS", "SUBSCRIBE", "MESSAGE", "BYE"):
            stranger.sends(request(method, uri, here, **own), stack.address)
        neighbour = stack.host(CARRIERS["northline"])
        async with raw_socket(neighbour) as known:
            alive = await known.asks(request("OPTIONS", uri, neighbour), stack.address)
            assert alive.status == 200
        assert await stranger.hears_nothing(within=0.5)
    registered(stack, "shop-wrong", 0)


async def test_a_contact_that_cannot_be_called_harms_nobody(world: World) -> None:
    """Not its own calls, which go to the next one; not the others; not the next start."""
    stack = world.stack
    login = made(stack, "shop-odd", "--trust", "register")
    takes_number(stack, "shop-odd")
    here = stack.host(88)
    contacts = f"<sip:a@{here}:0>;q=1, <tel:+7495>;q=0.9, <sip:b@{here}:5060>;q=0.8"
    async with raw_socket(here, 5060) as pbx, world.carrier() as carrier:
        assert (await registers(pbx, stack, login, Contact=contacts)).status == 200
        for after_a_kill in (False, True):
            if after_a_kill:
                kill(stack)
                stack.new_complaints()  # Kamailio tells of its own death
            call = await carrier.calls(NUMBER)
            heard = await pbx.hears_only("INVITE")
            assert heard.uri.startswith(f"sip:{NUMBER}@{here}:5060")
            pbx.sends(answer(heard, 486), stack.address)
            assert await call.until_final() == 486


@pytest.mark.parametrize("whose", ["a carrier's", "ours"])
async def test_a_contact_that_is_not_the_pbxs_own_is_not_called(world: World, whose: str) -> None:
    """A carrier would take the call for ours, and put it through to whatever number it names."""
    stack, name = world.stack, f"shop-{len(whose)}"
    login = made(stack, name, "--trust", "register", "--did-in", "to")
    takes_number(stack, name)
    last = CARRIERS["volga_city"] if whose == "a carrier's" else 1
    foreign = f"<sip:+79995550000@{stack.host(last)}:5060>"
    async with (
        raw_socket(stack.host(89)) as pbx,
        raw_socket(stack.host(CARRIERS["volga_city"]), 5060) as network,
        world.carrier() as carrier,
    ):
        assert (await registers(pbx, stack, login, Contact=foreign)).status == 200
        call = await carrier.calls(NUMBER)
        assert await call.until_final() == 480
        while not network.replies.empty():
            assert (await network.hears()).method == "OPTIONS"
        await call.until_over()
    record = await world.record(call)
    said = f"480: PBX {name} is not registered where it can be called"
    assert record["rules"][-1][1] == said
