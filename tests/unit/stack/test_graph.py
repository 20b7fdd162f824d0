"""Order: steps wait for what they need, run beside one another otherwise, and stop in reverse."""

from __future__ import annotations

import asyncio

import pytest

from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.settings import Media, Settings
from gateway.stack.graph import Node, levels, run
from gateway.stack.services import NAMES, services

PORTS = InternalPorts(8700, 10000, 11999, "127.5.6")


@pytest.mark.asyncio
async def test_each_step_waits_for_what_it_needs() -> None:
    order: list[str] = []

    def node(name: str, *after: str) -> Node:
        async def action() -> None:
            order.append(name)

        return Node(action, after)

    await run({"c": node("c", "b", "not in the graph"), "a": node("a"), "b": node("b", "a")})
    assert order == ["a", "b", "c"]


@pytest.mark.asyncio
async def test_steps_that_need_nothing_of_each_other_run_at_once() -> None:
    met = asyncio.Barrier(2)

    async def action() -> None:
        await met.wait()

    async with asyncio.timeout(5):
        await run({"a": Node(action), "b": Node(action)})


@pytest.mark.asyncio
async def test_the_first_failure_is_raised_as_it_was_and_ends_the_rest() -> None:
    ended = asyncio.Event()

    async def fails() -> None:
        raise LookupError("no")

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(5):
        with pytest.raises(LookupError, match="no"):
            await run(
                {"waits": Node(waits), "fails": Node(fails), "later": Node(waits, ("fails",))}
            )
    assert ended.is_set()


def test_what_others_need_is_stopped_last() -> None:
    stack = services(Home.from_env({}), Settings(), PORTS, {})
    layers = levels({service.name: service.after for service in stack})
    assert [sorted(layer) for layer in layers] == [
        ["admin_api", "kamailio"],
        ["gateway", "rtpengine"],
        ["postgresql", "redis"],
    ]


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="a, b"):
        levels({"a": ("b",), "b": ("a",)})


def test_all_services_are_there_and_without_media_one_less() -> None:
    home = Home.from_env({})
    assert {service.name for service in services(home, Settings(), PORTS, {})} == set(NAMES)
    silent = services(home, Settings(media=Media(relay=False)), PORTS, {})
    assert {service.name for service in silent} == set(NAMES) - {"rtpengine"}
    assert all("rtpengine" not in service.after for service in silent)


def test_services_see_nothing_of_the_shell_that_started_them() -> None:
    env = {"PORTGATE_SIP_PORT": "5070", "PYTHONPATH": "/evil", "LD_PRELOAD": "x", "HOME": "/root"}
    for service in services(Home.from_env({}), Settings(), PORTS, env):
        assert service.env["PORTGATE_SIP_PORT"] == "5070"
        assert service.env.get("LD_PRELOAD") != "x"
        assert service.env.get("PYTHONPATH") != "/evil"
