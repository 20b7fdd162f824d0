"""Neither side of a masked call learns anything of the other; judged by every byte that each one
got, and by what must still work: audio, hold, digits, hanging up from either side, records.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sip.people import World, both_hear
from tests.sip.stack import running_stack

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_stack("masked", masking="all") as stack:
        found = World(stack)
        yield found
        assert stack.new_complaints() == []


async def test_a_call_is_put_through_and_hung_up_by_its_caller(world: World) -> None:
    async with world.pbx() as pbx, world.carrier("northline") as carrier:
        call = await carrier.calls("+74951230001", from_="+79161234567")
        far = await pbx.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
        await far.until_over()
    record = await world.record(call)
    assert (record["carrier"], record["pbx"], record["final_status"]) == ("northline", "old", 200)
