"""However far sides fail to answer, the last one is asked before the caller has waited six
seconds.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.sip.failover_trunks.conftest import Trunks

pytestmark = pytest.mark.asyncio
SET_UP_S = 6.0


async def _rings_within(trunks: Trunks, hows: list[str], called: str, shown: str) -> dict[str, Any]:
    """The far ends before the last one behave so; how long the last one took to ring, and who got
    a CANCEL.
    """
    names = ["moscow", "spare", "spare second", "kazan"]
    async with AsyncExitStack() as ends:
        silent = [
            await ends.enter_async_context(trunks.trunk(name, how))
            for name, how in zip(names, hows, strict=False)
            if how
        ]
        last = await ends.enter_async_context(trunks.trunk(names[len(hows)]))
        pbx = await ends.enter_async_context(trunks.pbx_calling())
        began = time.monotonic()
        call = await pbx.calls(called, from_=shown)
        await call.until_received(180, within=SET_UP_S)
        took = time.monotonic() - began
        assert await call.until_final() == 200
        await last.call()
        await call.bye()
        for end, how in zip(silent, hows, strict=False):
            if how == "trying":  # one that said nothing is not cancelled (RFC 3261, section 9.1)
                await (await end.call()).until_over()
    assert took < SET_UP_S
    return await trunks.record(call)


async def test_three_trunks_that_say_100_and_nothing_more(trunks: Trunks) -> None:
    """The number is in service with one carrier and leaves the other, so there are four places."""
    hows = ["trying", "trying", "trying"]
    record = await _rings_within(trunks, hows, "89161234567", "+74951230002")
    assert (record["carrier"], record["attempts"]) == ("volga_city", 4)
    assert [one.get("status") for one in record["tries"]] == [408, 408, 408, None]


async def test_trunks_that_say_nothing_at_all(trunks: Trunks) -> None:
    record = await _rings_within(trunks, ["silent", "silent"], "89161234567", "101")
    assert (record["trunk"], record["attempts"]) == ("spare", 3)


async def test_trunks_where_nobody_is(trunks: Trunks) -> None:
    record = await _rings_within(trunks, ["", ""], "89161234567", "101")
    assert (record["trunk"], record["attempts"]) == ("spare", 3)


async def test_an_emergency_call_waits_no_longer(trunks: Trunks) -> None:
    record = await _rings_within(trunks, ["trying", "trying"], "112", "101")
    assert (record["trunk"], record["attempts"]) == ("spare", 3)


async def test_a_refused_connection_costs_no_time(trunks: Trunks) -> None:
    """The first trunk is dead, one gateway of the second refuses TCP, and the next is well."""
    async with trunks.trunk("tcp second", transport="tcp") as end, trunks.pbx_calling() as pbx:
        began = time.monotonic()
        call = await pbx.calls("89161234567", from_="+79360000500")
        await call.until_received(180, within=SET_UP_S)
        took = time.monotonic() - began
        assert await call.until_final() == 200
        await (await end.call()).until_received("ACK")
        await call.bye()
    assert took < SET_UP_S
    record = await trunks.record(call)
    assert [one["where"].partition(":")[2] for one in record["tries"]] == [
        f"{trunks.stack.host(17)}:5060;transport=udp",
        f"{trunks.stack.host(51)}:5060;transport=tcp",
        f"{trunks.stack.host(52)}:5060;transport=tcp",
    ]
    assert record["tries"][2]["at_ms"] - record["tries"][1]["at_ms"] < 200
