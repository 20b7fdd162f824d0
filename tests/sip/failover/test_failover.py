"""An address of the PBX fails: which failures are tried elsewhere, and how the second try looks."""

from __future__ import annotations

import pytest

from gateway.endpoints import AnswerScript
from tests.sip.people import World, both_hear

pytestmark = pytest.mark.asyncio


async def test_a_pbx_that_is_dead_is_passed_over(world: World) -> None:
    async with world.pbx("old second") as second, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await second.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
    assert (await world.record(call))["attempts"] == 2


async def test_the_caller_hears_nothing_of_the_first_failure(world: World) -> None:
    async with (
        world.pbx("old", "overloaded") as first,
        world.pbx("old second") as second,
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        await second.call()
        assert await call.until_final() == 200
        await call.bye()
        failed = await first.call()
    assert failed.final_status == 503
    assert call.received(503) is None


@pytest.mark.parametrize(
    "status", ["408 Request Timeout", "480 Temporarily Unavailable", "504 Server Time-out"]
)
async def test_a_failure_of_the_pbx_is_tried_elsewhere(world: World, status: str) -> None:
    async with (
        world.pbx("old", AnswerScript(steps=(status,))),
        world.pbx("old second"),
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        assert await call.until_final() == 200
        await call.bye()


@pytest.mark.parametrize(("how", "status"), [("busy", 486), ("decline", 603), ("notfound", 404)])
async def test_an_answer_of_a_person_is_final(world: World, how: str, status: int) -> None:
    async with (
        world.pbx("old", how),
        world.pbx("old second") as second,
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        assert await call.until_final() == status
        await call.until_over()
    assert second.legs == {}


async def test_the_second_try_starts_from_the_original_message(world: World) -> None:
    async with (
        world.pbx("old", "overloaded") as first,
        world.pbx("old second") as second,
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        await call.until_final()
        await call.bye()
        tried, taken = (await first.call()).invite, (await second.call()).invite
    changed = {"Via", "Record-Route"}
    once = [pair for pair in tried.headers if pair[0] not in changed]
    again = [pair for pair in taken.headers if pair[0] not in changed]
    assert again == once
    assert len(taken.all("Record-Route")) == len(tried.all("Record-Route"))
    assert taken.body == tried.body


async def test_with_no_address_left_the_caller_is_told(world: World) -> None:
    async with (
        world.pbx("old", "overloaded"),
        world.pbx("old second", "overloaded"),
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        # A proxy does not hand on a 503: other requests may well succeed (RFC 3261 section 16.7).
        assert await call.until_final() == 500
        await call.until_over()
    assert (await world.record(call))["end_how"] == "failed"


async def test_a_second_address_may_ring_no_longer_than_the_first(world: World) -> None:
    """A phone that rang behind the first address does not change the patience with the second."""
    ringing = AnswerScript(steps=("ring", "503 Service Unavailable"))
    async with (
        world.pbx("old", ringing),
        world.pbx("old second", "noanswer") as second,
        world.carrier() as carrier,
    ):
        call = await carrier.calls("+74951230001")
        far = await second.call()
        # no_answer_s of the stories is 3; a silent trunk would be waited for 10 seconds
        assert await call.until_final(within=7) == 408
        await call.until_over()
        await far.until_received("CANCEL")
