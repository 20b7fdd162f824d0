"""Gateways by name: asked of DNS by the daemon, and never while a call is set up."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.home import Home
from gateway.stack import control
from tests.nameserver import NameServer, nameserver
from tests.sip.people import CARRIERS, PBXS, World, answering
from tests.sip.stack import Stack, running_stack

pytestmark = pytest.mark.asyncio
MOVED = 40  # where northline moves to, in the loopback net


@pytest.fixture(scope="module")
def dns() -> Iterator[NameServer]:
    with nameserver() as found:
        yield found


@pytest.fixture(scope="module")
def stack(dns: NameServer) -> Iterator[Stack]:
    def settings(home: Home, net: str) -> str:
        here(dns, f"{net}.{CARRIERS['northline']}")
        dns.records["pbx.test A"] = [f"{net}.{PBXS['new']}"]
        return f"""\
[dns]
servers = ["{dns.address}"]
shortest_s = 1
again_s = 1
answer_s = 0.5

[carriers.northline.moscow]
sources = ["{net}.{CARRIERS["northline"]}/32"]
proxies = ["sip:northline.test"]"""

    with running_stack(f"names-{os.getpid()}", more=settings) as found:
        yield found


@pytest.fixture(autouse=True)
def well(dns: NameServer, stack: Stack) -> None:
    """Each story begins with a DNS that answers, and northline where it was."""
    dns.how = "well"
    here(dns, stack.host(CARRIERS["northline"]))
    until(stack, lambda name: name["leads_to"] == [f"sip:{_first(dns)}:5060;transport=udp"])


def here(dns: NameServer, host: str) -> None:
    dns.records["_sip._udp.northline.test SRV"] = ["10 0 5060 gw.northline.test."]
    dns.records["gw.northline.test A"] = [host]


def _first(dns: NameServer) -> str:
    return dns.records["gw.northline.test A"][0]


def told(stack: Stack) -> dict[str, Any]:
    """What `carriers list` says of northline's name."""
    listed = json.loads(stack.command("carriers", "list", "--json").stdout)
    (northline,) = (one for one in listed["carriers"] if one["name"] == "northline")
    (name,) = northline["trunks"][0]["names"]
    return dict(name)


def until(stack: Stack, wanted: Any, within: float = 15.0) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while not wanted(said := told(stack)):
        assert time.monotonic() < deadline, said
    return said


async def test_a_carrier_by_name_is_called_where_its_records_say(world: World) -> None:
    async with world.phone_network() as network, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567")
        assert await call.until_final() == 200
        assert (await network.call()).invite.method == "INVITE"
        await call.bye()


async def test_a_name_that_leads_elsewhere_moves_new_calls_and_leaves_old_ones(
    world: World, dns: NameServer
) -> None:
    stack = world.stack
    async with (
        world.phone_network() as before,
        answering(stack, MOVED, "moved", "answer") as after,
        world.pbx_calling() as pbx,
    ):
        old = await pbx.calls("+79161234567")
        assert await old.until_final() == 200
        far = await before.call()
        await far.until_received("ACK")

        here(dns, stack.host(MOVED))
        until(stack, lambda name: name["leads_to"] == [f"sip:{_first(dns)}:5060;transport=udp"])
        await asyncio.to_thread(_taken, stack)

        await far.bye()  # the old place ends its call, although the name has left it
        await old.until_over()
        new = await pbx.calls("+79161234567")
        assert await new.until_final() == 200
        moved = await after.call()
        await moved.until_received("ACK")
        await moved.bye()  # it sends us no calls, and may still end this one
        await new.until_over()


def _taken(stack: Stack) -> None:
    """SIP workers look four times a second, and when a message comes."""
    time.monotonic()
    said = stack.command("explain", "+79161234567", "--from", "101", "--json")
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("how", ["silent", "broken", "late"])
async def test_calls_do_not_notice_a_dns_that_is_dead_or_slow(
    world: World, dns: NameServer, how: str
) -> None:
    dns.how = how
    said = until(world.stack, lambda name: name["failing"])
    assert said["leads_to"], "the last good answer stays"
    async with world.phone_network() as network, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567")
        assert await call.until_final() == 200
        far = await network.call()
        assert far.invite.at - call.invite.at < 0.3
        await call.bye()
    doctor = json.loads(world.stack.command("doctor", "--json").stdout)
    (finding,) = (one for one in doctor["findings"] if "northline.test" in one["seen"])
    assert finding["note"] and not finding["ok"]
    assert "and since then" in finding["seen"]
    dns.how = "well"
    dns.catch_up()
    until(world.stack, lambda name: not name["failing"])


async def test_the_last_good_answer_outlives_a_restart_without_dns(
    world: World, dns: NameServer
) -> None:
    stack = world.stack
    dns.how = "silent"
    for service in ("gateway", "kamailio"):
        await asyncio.to_thread(_restart, stack, service)
    async with world.phone_network(), world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567")
        assert await call.until_final() == 200
        await call.bye()


def _restart(stack: Stack, service: str) -> None:
    control.ask(stack.home, {"do": "restart", "service": service}, 30.0)
    deadline = time.monotonic() + 30
    while True:
        seen = control.ask(stack.home, {"do": "status"})["services"]
        if all(one["state"] == "running" for one in seen):
            return
        assert time.monotonic() < deadline, seen


async def test_a_pbx_by_name_calls_and_is_called(world: World) -> None:
    stack = world.stack
    added = stack.command("pbx", "add", "by-name", "sip:pbx.test:5060", "--yes")
    assert added.returncode == 0, added.stderr
    deadline = time.monotonic() + 10
    while True:
        listed = json.loads(stack.command("pbx", "list", "--json").stdout)
        (row,) = (one for one in listed["pbxs"] if one["name"] == "by-name")
        if row["names"][0]["leads_to"]:
            break
        assert time.monotonic() < deadline, row
    assert row["names"][0]["leads_to"] == [f"sip:{stack.host(PBXS['new'])}:5060;transport=udp"]
