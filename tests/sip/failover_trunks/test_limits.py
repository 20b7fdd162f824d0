"""A trunk has room for so many calls and no more, whatever happens to the gateway meanwhile."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import time
from contextlib import suppress
from typing import Any

import pytest

from gateway.calls.channels import counts
from gateway.kamailio_rpc import KamailioGoneError, KamailioRpc, RpcError
from tests.sip.failover_trunks.conftest import Trunks

pytestmark = pytest.mark.asyncio
UFA, RESOLD = "+73472660008", "+74951230013"
MENDED_S = 15.0  # two rounds of the daemon, and room for a machine that is busy


def listed(trunks: Trunks, carrier: str) -> dict[str, Any]:
    """`carriers list --json`: the carrier's trunks by name."""
    found = json.loads(trunks.stack.command("carriers", "list", "--json").stdout)["carriers"]
    (entry,) = [one for one in found if one["name"] == carrier]
    return {trunk["name"]: trunk for trunk in entry["trunks"]}


async def in_use(trunks: Trunks, trunk: str) -> int | None:
    """What Kamailio counts, mended; None while it does not run."""
    try:
        dump = await KamailioRpc(trunks.stack.home.kamailio_rpc).ask("htable.dump", "trunks")
    except (KamailioGoneError, RpcError):
        return None
    told = counts(dump)
    return told.get(trunk, 0) + told.get(f"mend:{trunk}", 0)


async def until_in_use(trunks: Trunks, trunk: str, wanted: int) -> None:
    give_up = time.monotonic() + MENDED_S
    while (found := await in_use(trunks, trunk)) != wanted:
        assert time.monotonic() < give_up, f"{trunk}: {found} are counted, {wanted} are up"
        await asyncio.sleep(0.1)


async def test_a_full_trunk_is_passed_over(trunks: Trunks) -> None:
    await until_in_use(trunks, "ural_link/ufa", 0)
    async with (
        trunks.trunk("ural ufa") as narrow,
        trunks.trunk("ekaterinburg") as wide,
        trunks.pbx_calling() as one,
        trunks.pbx_calling("old second") as two,
    ):
        first = await one.calls("89161234567", from_=UFA)
        assert await first.until_final() == 200
        second = await two.calls("89161234568", from_=UFA)
        assert await second.until_final() == 200
        assert (len(narrow.legs), len(wide.legs)) == (1, 1)
        shown = listed(trunks, "ural_link")
        await first.bye()
        await second.bye()
    record = await trunks.record(second)
    assert (record["trunk"], record["attempts"]) == ("ekaterinburg", 1)
    assert ["full", "ural_link, trunk ufa: its only channel is in use"] in record["rules"]
    used = {name: trunk["channels_used"] for name, trunk in shown.items()}
    assert used == {"ufa": 1, "ekaterinburg": 1}
    assert {name: trunk["channels"] for name, trunk in shown.items()} == {
        "ufa": 1,
        "ekaterinburg": 2,
    }


async def test_a_channel_is_free_as_soon_as_its_call_is_over(trunks: Trunks) -> None:
    await until_in_use(trunks, "ural_link/ufa", 0)
    async with trunks.trunk("ural ufa") as narrow, trunks.pbx_calling() as pbx:
        for number in range(1, 4):
            call = await pbx.calls("89161234567", from_=UFA)
            assert await call.until_final() == 200
            far = await narrow.call(number)
            await (far if number == 2 else call).bye()
            await call.until_over()
            assert await in_use(trunks, "ural_link/ufa") == 0


async def test_when_every_trunk_is_full_the_caller_is_asked_to_come_again(trunks: Trunks) -> None:
    """Calls that the carrier brings count too, and are never refused for it."""
    await until_in_use(trunks, "ural_link/ufa", 0)
    await until_in_use(trunks, "ural_link/ekaterinburg", 0)
    async with (
        trunks.trunk("ekaterinburg"),
        trunks.pbx_calling("old second") as one,
        trunks.pbx_calling("new") as two,
        trunks.pbx("old"),
        trunks.brings("ural ufa") as carrier,
    ):
        inbound = await carrier.sends("73472660008", "79160000001")
        assert await inbound.until_final() == 200
        first = await one.calls("89161234567", from_=UFA)
        second = await two.calls("89161234568", from_=UFA)
        assert [await first.until_final(), await second.until_final()] == [200, 200]
        await first.bye()
        await second.bye()
        first = await one.calls("89161234567", from_=UFA)
        second = await two.calls("89161234568", from_=UFA)
        assert [await first.until_final(), await second.until_final()] == [200, 200]
        async with trunks.pbx_calling("new", port=5070) as three:
            refused = await three.calls("89161234569", from_=UFA)
            assert await refused.until_final() == 503
            await refused.until_over()
        for call in (first, second, inbound):
            await call.bye()
    assert refused.final is not None
    assert refused.final.header("Retry-After") == "5"
    record = await trunks.record(refused)
    assert record["cause"].endswith(
        "(refused: 503: ural_link, trunk ekaterinburg: all 2 channels are in use)"
    )
    assert (record["end_how"], record["attempts"]) == ("reject", 0)


async def test_so_many_calls_a_second_and_no_more(trunks: Trunks) -> None:
    async with trunks.trunk("cloud", "busy") as cloud, trunks.pbx_calling() as pbx:
        began, calls = time.monotonic(), []
        while time.monotonic() < began + 2.5:
            calls.append(await pbx.calls("89161234567", from_=RESOLD))
            await calls[-1].until_over()
        took = time.monotonic() - began
    came = len(cloud.legs)
    # No second has more than two, so so many seconds have no more than twice as many. When each
    # came is not asked: a busy machine notes that late.
    assert 4 <= came <= 2 * math.ceil(took)
    refused = [call for call in calls if call.final_status == 503]
    assert len(refused) == len(calls) - came > 0
    record = await trunks.record(refused[0])
    assert "oblako_resale, trunk cloud: it takes 2 calls a second" in record["cause"]


async def test_a_kill_of_kamailio_makes_no_trunk_empty_and_none_full(
    trunk_stack: Trunks,
) -> None:
    trunks = trunk_stack
    await until_in_use(trunks, "ural_link/ufa", 0)
    async with (
        trunks.trunk("ural ufa") as narrow,
        trunks.trunk("ekaterinburg") as wide,
        trunks.pbx_calling() as one,
        trunks.pbx_calling("old second") as two,
    ):
        first = await one.calls("89161234567", from_=UFA)
        assert await first.until_final() == 200
        await kill_kamailio(trunks)
        await until_in_use(trunks, "ural_link/ufa", 1)
        second = await two.calls("89161234568", from_=UFA)
        assert await second.until_final() == 200
        assert (len(narrow.legs), len(wide.legs)) == (1, 1)
        await second.bye()
        await first.bye()
        await until_in_use(trunks, "ural_link/ufa", 0)
    trunks.stack.new_complaints()  # its death is one


async def kill_kamailio(trunks: Trunks) -> None:
    """Until another one runs, which knows nothing."""
    rpc = KamailioRpc(trunks.stack.home.kamailio_rpc)
    before = (await rpc.ask("core.psx"))[0]["PID"]
    os.kill(int(before), signal.SIGKILL)
    async with asyncio.timeout(MENDED_S):
        while True:
            with suppress(KamailioGoneError):
                if (await rpc.ask("core.psx"))[0]["PID"] != before:
                    return
            await asyncio.sleep(0.05)


async def test_a_call_that_nobody_hangs_up_fills_no_trunk_for_good(trunks: Trunks) -> None:
    await until_in_use(trunks, "ural_link/ufa", 0)
    async with trunks.trunk("ural ufa") as narrow, trunks.pbx_calling() as pbx:
        call = await pbx.calls("89161234567", from_=UFA)
        assert await call.until_final() == 200
        far = await narrow.call()
        call.voice.mute()
        far.voice.mute()
        await call.until_received("BYE", within=20)
        await until_in_use(trunks, "ural_link/ufa", 0)
