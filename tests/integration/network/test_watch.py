"""What the daemon notices of the carriers' networks while calls are made."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.home import Home
from gateway.network import watch
from tests.integration.network.conftest import OF_ALPHA, World

PATIENCE_S = 10.0
Told = list[dict[str, Any]]


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "run" / "network.json"


def watched(world: World, note: Path, story: Callable[[Told], None]) -> Told:
    """Live through the story while the watch runs in the gateway's namespace; its log lines."""

    async def run() -> None:
        stop = asyncio.Event()
        duty = asyncio.create_task(watch.run(world.legs, note, stop))
        try:
            await asyncio.to_thread(story, told)
        finally:
            stop.set()
            await duty

    with capture_logs() as told:
        world.gateway.inside(lambda: asyncio.run(run()))
    return told


def until(note: Path, kinds: set[str]) -> None:
    """Wait for the note to hold exactly these kinds of faults."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        lost = watch.read(note)
        if lost is not None and {one.fault.kind for one in lost} == kinds:
            return
        assert time.monotonic() < deadline, f"noted: {lost}"
        time.sleep(0.01)


def lines(told: Told) -> list[tuple[str, str, str]]:
    return [(one["event"], one["kind"], one["interface"]) for one in told]


def test_a_lost_link_is_told_and_so_is_its_coming_back(world: World, note: Path) -> None:
    world.apply()

    def story(told: Told) -> None:
        until(note, set())
        world.alpha.switch("out", "down")
        until(note, {"link"})
        world.alpha.switch("out", "up")
        until(note, set())

    told = watched(world, note, story)

    assert lines(told) == [("network lost", "link", "alpha0"), ("network back", "link", "alpha0")]
    assert told[0]["log_level"] == "error"
    assert told[0]["hand_offs"] == ["alpha.kazan"]
    assert told[0]["what"] == "alpha0 has no link: nobody is at the other end"
    assert told[0]["mend"]
    assert not note.exists(), "a watch that has ended says nothing of the present"


def test_an_interface_switched_off_and_on_loses_its_routes_and_it_is_told(
    world: World, note: Path
) -> None:
    """The kernel tells of no route that goes with its interface; they are missed all the same."""
    world.apply()

    def story(told: Told) -> None:
        until(note, set())
        world.gateway.switch("alpha0", "down")
        until(note, {"link"})
        world.gateway.switch("alpha0", "up")
        until(note, {"route"})
        world.apply()
        until(note, set())

    told = lines(watched(world, note, story))

    assert told[0] == ("network lost", "link", "alpha0")
    assert ("network lost", "route", "alpha0") in told
    assert told.count(("network back", "route", "alpha0")) == told.count(
        ("network lost", "route", "alpha0")
    )


def test_an_address_route_or_rule_taken_away_is_told(world: World, note: Path) -> None:
    world.apply()
    index = world.gateway.index("alpha0")

    def story(told: Told) -> None:
        until(note, set())
        world.gateway.route("del", dst="10.200.0.0/16", table=21000, oif=index)
        until(note, {"route"})
        world.gateway.rule("del", src=OF_ALPHA, src_len=32, table=21000, priority=21000)
        until(note, {"route", "rule"})
        gone = {"index": index, "address": OF_ALPHA, "prefixlen": 32}
        world.gateway.netlink(lambda route: route.addr("del", **gone))
        until(note, {"address", "route", "rule"})

    told = watched(world, note, story)

    assert {one["event"] for one in told} == {"network lost"}
    assert {one["hand_offs"][0] for one in told} == {"alpha.kazan"}


def test_status_shows_since_when_it_is_lost(world: World) -> None:
    world.apply()
    noted = Home(world.home).network_faults

    def story(told: Told) -> None:
        until(noted, set())
        world.beta.switch("out", "down")
        until(noted, {"link"})
        said = world.command("status", "--json")
        told.append({"event": said.stdout, "kind": said.returncode, "interface": ""})

    try:
        told = watched(world, noted, story)
    finally:
        noted.parent.rmdir()

    (status,) = [one for one in told if one["event"].startswith("{")]
    assert status["kind"] == 1
    rows = json.loads(status["event"])
    alpha, beta = rows["hand_offs"]
    assert rows["watched"] is True
    assert (alpha["state"], beta["state"]) == ("ok", "lost")
    assert beta["faults"][0]["kind"] == "link"
    assert beta["faults"][0]["since"].endswith("Z")
