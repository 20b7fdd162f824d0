"""A carrier that we register with: a real registrar checks us, calls come where we registered."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.endpoints import Caller, CallScript
from gateway.home import Home
from gateway.kamailio_rpc import KamailioRpc
from tests.sip.authentication.carrier import PASSWORD, USER, CheckingCarrier, checking_carrier
from tests.sip.authentication.conftest import SECRET, edit, edited, gateway, registering
from tests.sip.people import CARRIERS, World, both_hear
from tests.sip.stack import Stack

pytestmark = pytest.mark.asyncio
SOON_S = 8.0
BEHIND, PHONE = 61, 62


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with gateway(f"registers-{os.getpid()}", registering, called_in="to") as found:
        yield found


@pytest.fixture(scope="module")
def carrier(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckingCarrier]:
    folder = tmp_path_factory.mktemp("carrier")
    here, behind = stack.host(CARRIERS["northline"]), stack.host(BEHIND)
    with checking_carrier(folder, here, stack.address[0], behind) as found:
        yield found


def standing(stack: Stack) -> dict[str, Any]:
    listed = json.loads(stack.command("carriers", "list", "--json").stdout)["carriers"]
    trunk = next(one for one in listed if one["name"] == "northline")["trunks"][0]
    return dict(trunk["registration"] or {"state": "not known yet"})


async def until(
    stack: Stack, right: Callable[[dict[str, Any]], bool], within: float = SOON_S
) -> dict[str, Any]:
    """How the registration stands, as soon as it is right."""
    deadline = time.monotonic() + within
    while not right(now := await asyncio.to_thread(standing, stack)):
        assert time.monotonic() < deadline, now
    return now


def registered(now: dict[str, Any]) -> bool:
    return bool(now["state"] == "registered")


async def test_we_register_and_people_see_until_when(
    stack: Stack, carrier: CheckingCarrier
) -> None:
    now = await until(stack, registered, within=40)
    assert time.time() < now["until"] <= time.time() + 61
    first, again = carrier.asked("REGISTER")[-2:]
    assert f"contact=<sip:{USER}@{stack.address[0]}:5060>" in again
    assert "username=" not in first
    assert f'username="{USER}"' in again


async def test_a_call_comes_to_where_we_registered(
    stack: Stack, world: World, carrier: CheckingCarrier
) -> None:
    """The Request-URI holds the user of our Contact; our number is in To."""
    await until(stack, registered)
    there = stack.host(CARRIERS["northline"])
    script = CallScript(
        request_uri=f"sip:+74951230001@{there}",
        from_header=f"<sip:+79160000001@{there}>",
        to_header=f"<sip:+74951230001@{there}>",
    )
    async with world.pbx() as pbx, Caller(stack.host(PHONE), name="phone") as phone:
        call = await phone.invites(script, (there, 5060))
        far = await pbx.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
    assert "sip:+74951230001@" in far.invite.uri
    assert (await world.record(call))["called"] == "+74951230001"


async def test_a_kamailio_that_was_restarted_registers_again_within_seconds(
    stack: Stack, carrier: CheckingCarrier
) -> None:
    await until(stack, registered)
    before = len(carrier.asked("REGISTER"))
    status = json.loads(stack.command("status", "--json").stdout)
    pid = next(one["pid"] for one in status["services"] if one["name"] == "kamailio")
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + SOON_S
    while len(carrier.asked("REGISTER")) < before + 2:
        assert time.monotonic() < deadline
        await asyncio.to_thread(os.sched_yield)
    await until(stack, registered)


async def test_a_wrong_password_is_said_and_a_right_one_mends_it_at_once(
    stack: Stack, carrier: CheckingCarrier
) -> None:
    await until(stack, registered)
    kept = stack.home.carrier_secrets / SECRET
    kept.write_text("wrong password\n")
    now = await until(stack, lambda now: bool(now["state"] == "failed"))
    assert now["status"] == 401 and "password" in now["why"]
    doctor = json.loads(stack.command("doctor", "--json").stdout)["findings"]
    said = [one for one in doctor if one["name"] == "carrier northline"]
    assert "401" in said[0]["seen"] and not said[0]["ok"]
    kept.write_text(PASSWORD + "\n")
    await until(stack, registered)


async def test_a_missing_secret_is_said_with_its_mend(
    stack: Stack, carrier: CheckingCarrier
) -> None:
    await until(stack, registered)
    kept = stack.home.carrier_secrets / SECRET
    kept.unlink()
    now = await until(stack, lambda now: bool(now["state"] == "impossible"))
    assert SECRET in now["why"]
    assert f"carriers secret set {SECRET}" in stack.command("carriers", "list").stderr
    kept.write_text(PASSWORD + "\n")
    kept.chmod(0o600)
    await until(stack, registered)


async def test_a_trunk_that_registers_no_more_is_unregistered_and_over_tcp_it_comes_back(
    stack: Stack, carrier: CheckingCarrier
) -> None:
    await until(stack, registered)
    folder = edited(stack.home)
    edit(folder, "ByAddress()")
    text = (folder / "northline.py").read_text()
    (folder / "northline.py").write_text(text.replace("Digest, ", "ByAddress, "))
    assert stack.command("carriers", "apply", "northline").returncode == 0
    deadline = time.monotonic() + SOON_S
    while "expires=0" not in carrier.asked("REGISTER")[-1]:
        assert time.monotonic() < deadline
        await asyncio.to_thread(os.sched_yield)
    assert await no_record(stack.home)
    edit(folder, registering(stack.net, "tcp"), "to")
    assert stack.command("carriers", "apply", "northline").returncode == 0
    await until(stack, registered)
    assert ";transport=tcp>" in carrier.asked("REGISTER")[-1]


async def no_record(home: Home) -> bool:
    deadline = time.monotonic() + SOON_S
    while await KamailioRpc(home.kamailio_rpc).ask("uac.reg_dump"):
        assert time.monotonic() < deadline
    return True


async def test_the_password_stands_nowhere_but_in_its_file(
    stack: Stack, carrier: CheckingCarrier
) -> None:
    await until(stack, registered)
    canary = PASSWORD.encode()
    kept = stack.home.carrier_secrets / SECRET
    holds = [
        path
        for path in (*stack.home.path.rglob("*"), *stack.home.run.rglob("*"))
        if path.is_file() and path != kept and canary in path.read_bytes()
    ]
    assert holds == []
    argv = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in argv if canary in line]
