"""What is asked for before anybody is rung, and what is said of a leg that failed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.calls.fold import Call
from gateway.desk.arrivals import Arrivals, within
from gateway.desk.ring import Person, Ring
from gateway.desk.socket import DeskError
from number_registry.pbx_profile import Profile
from tests.unit.desk.test_asking_a_pbx import call

pytestmark = pytest.mark.asyncio


def ring(folder: Path, pbx: str = "old") -> Ring:
    async def person(extension: str) -> Person:
        return Person(extension, pbx, True)

    async def profile(_: str) -> Profile:
        return Profile()

    return Ring(Arrivals(), person, profile, folder)


@pytest.mark.parametrize(
    ("extension", "deal", "what"),
    [("", "4711", "no extension"), ("2\r\n3", "4711", "no extension"), ("203", "47", "no deal")],
)
async def test_what_names_nobody_is_refused(
    tmp_path: Path, extension: str, deal: str, what: str
) -> None:
    with pytest.raises(DeskError, match=what):
        await ring(tmp_path).verb({"extension": extension, "deal": deal})


async def test_an_agent_behind_no_pbx_needs_one_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(DeskError, match="behind no PBX"):
        await ring(tmp_path, "").verb({"extension": "203", "deal": "4711"})


async def test_without_an_interface_the_answer_says_what_to_dial(tmp_path: Path) -> None:
    answer = await ring(tmp_path).verb({"extension": "203", "deal": "4711"})
    assert (answer["result"], answer["deal"], answer["pbx"]) == ("dial", "4711", "old")


async def test_an_arrival_is_told_once_to_each_who_expects_it() -> None:
    arrivals = Arrivals()
    seen: list[Call] = []
    first = arrivals.expect(lambda one: one.id == "a" * 32)
    second = arrivals.expect(lambda one: not seen.append(one))  # type: ignore[func-returns-value]
    arrivals.folded({"x": call("b"), "y": call("a")})
    arrivals.folded({"y": call("a")})
    assert (await first).id == "a" * 32 and (await second).id == "b" * 32
    assert await within(arrivals.expect(lambda _: False), 0.01) is None
    await asyncio.sleep(0)
    assert arrivals._waiting == {}
