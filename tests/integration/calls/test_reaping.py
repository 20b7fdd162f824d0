"""A BYE that never comes: noticed through a real rtpengine, ended on both sides, recorded once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest

from gateway.calls import reaper as reaper_module
from gateway.calls.control import Control
from gateway.calls.dialog import CSEQ_AHEAD
from gateway.calls.duty import reap
from gateway.calls.events import Event, line
from gateway.calls.fold import Call
from gateway.calls.ingest import Ingest
from gateway.calls.journal import Writer
from gateway.calls.live import Live
from gateway.calls.reaper import ROUND_S, YOUNG_S, Ending, Limits, Memory, Reaper
from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.rtpengine_ng import Ng, NgError, NgTimeoutError
from gateway.settings import Calls, Media, Settings
from tests.integration.calls import scenarios
from tests.integration.calls.real import (
    Kamailio,
    bound,
    free_port,
    kamailio,
    rtpengine,
    sipp,
    went_well,
)
from tests.integration.calls.test_control import SIP_CALL_ID, T, _is_up, answered, recorded
from tests.integration.calls.test_ingest import running, worker_file
from tests.integration.calls.tools import append, call_id, database, until

pytestmark = pytest.mark.asyncio
ID = call_id(1)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {} RTP/AVP 8\r\n"
)


async def relays(ng: Ng, id: str = ID) -> None:
    """Let rtpengine have a call."""
    await ng.ask("offer", call_id=id, from_tag="a", sdp=SDP.format(6000))
    await ng.ask("answer", call_id=id, from_tag="a", to_tag="b", sdp=SDP.format(6002))


async def test_what_we_know_of_rtpengine_holds() -> None:
    with rtpengine() as relay:
        async with Ng("127.0.0.1", relay.port) as ng:
            with pytest.raises(NgTimeoutError):
                await ng.ping()
            await relay.start()
            assert await ng.calls() == []
            await relays(ng)
            assert await ng.calls() == [ID]
            assert await ng.knows(ID)
            assert not await ng.knows(call_id(2))
            assert (await ng.query(ID))["tags"].keys() == {"a", "b"}
            await ng.delete(ID)
            await ng.delete(ID)
            assert await ng.calls() == []
            with pytest.raises(NgError, match="Unrecognized"):
                await ng.ask("make tea")


async def test_rtpengine_forgets_a_call_without_packets() -> None:
    with rtpengine(timeout_s=1) as relay:
        await relay.start()
        async with Ng("127.0.0.1", relay.port) as ng:
            await relays(ng)
            assert await ng.knows(ID)

            await until(ng.calls, lambda calls: calls == [], "the time-out")


class Clock:
    def __init__(self) -> None:
        self.now = T / 1e6

    def __call__(self) -> float:
        return self.now


async def rounds(reaper: Reaper, clock: Clock, most: int) -> list[Ending]:
    """Let time pass in rounds until something was ended."""
    for _ in range(most):
        clock.now += ROUND_S
        if done := await reaper.round():
            return done
    return []


async def test_a_call_that_rtpengine_lost_is_ended_on_both_sides_and_recorded_once(
    tmp_path: Path, dsn: str
) -> None:
    near, folder, clock, live = free_port(), tmp_path / "journal", Clock(), Live()
    with kamailio() as sip, rtpengine() as relay:
        await sip.start()
        await relay.start()
        call = _with_media(answered(near, sip))
        append(worker_file(folder), b"".join(line(event) for event in _events(call)))
        ingest = Ingest(folder, dsn, live.opened, live.folded)
        async with running(ingest), Ng("127.0.0.1", relay.port) as ng, _talking(near, sip) as sides:
            writer = Writer(folder)
            control = Control(sip.rpc, ng, writer)
            reaper = Reaper(
                lambda: live.calls, control, ng, Limits(14_400, 210), Memory(clock, clock)
            )
            await _until_known(live)
            await relays(ng)
            assert await rounds(reaper, clock, int(YOUNG_S)) == []

            relay.service.kill()
            await relay.start()

            (ending,) = await rounds(reaper, clock, 3)
            assert ending.why == "no media"
            for side in sides:
                await went_well(side)
            row = await until(lambda: _row(dsn), lambda row: row["phase"] == "ended", "the end")
            assert await rounds(reaper, clock, 3) == []
            writer.close()

    assert (row["end_side"], row["end_how"], row["final_status"]) == ("gw", "timeout", 200)
    assert row["cause"] == "the gateway ended the call: no audio from either side any more"
    assert row["ends"] == 1


async def test_the_longest_call_is_ended_and_its_audio_deleted(tmp_path: Path) -> None:
    near, clock = free_port(), Clock()
    with kamailio() as sip, rtpengine() as relay:
        await sip.start()
        await relay.start()
        calls = {ID: _with_media(answered(near, sip))}
        async with Ng("127.0.0.1", relay.port) as ng, _talking(near, sip) as sides:
            await relays(ng)
            writer = Writer(tmp_path)
            control = Control(sip.rpc, ng, writer)
            limits = Limits(longest_s=60, set_up_s=210)
            reaper = Reaper(lambda: calls, control, ng, limits, Memory(clock, clock))

            (ending,) = await rounds(reaper, clock, 40)

            for side in sides:
                await went_well(side)
            assert ending.why == "longest"
            assert await ng.calls() == []
            writer.close()


async def test_while_kamailio_is_away_the_call_waits_to_be_ended(tmp_path: Path) -> None:
    near, clock = free_port(), Clock()
    with kamailio() as sip:
        calls = {ID: answered(near, sip)}
        writer = Writer(tmp_path)
        control = Control(sip.rpc, None, writer)
        reaper = Reaper(lambda: calls, control, None, Limits(4, 210), Memory(clock, clock))

        assert await rounds(reaper, clock, 5) == []
        await sip.start()
        assert [ending.why for ending in await rounds(reaper, clock, 1)] == ["longest"]
        writer.close()


class There(Home):
    """A home whose Kamailio is the test's."""

    rpc_socket = Path()

    @property
    def kamailio_rpc(self) -> Path:
        return There.rpc_socket


async def test_the_daemons_duty_ends_a_call_that_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper_module, "ROUND_S", 0.05)
    near, live, stop, trustworthy = free_port(), Live(), asyncio.Event(), asyncio.Event()
    home, ports = There(tmp_path), InternalPorts(free_port(), 10000, 10100, "127.9.9")
    home.journal.mkdir()
    settings = Settings(calls=Calls(longest_s=1), media=Media(relay=False))
    with kamailio() as sip:
        monkeypatch.setattr(There, "rpc_socket", sip.rpc_path)
        await sip.start()
        live.opened({ID: answered(near, sip)})
        async with _talking(near, sip) as sides:
            duty = asyncio.create_task(reap(home, settings, ports, live, trustworthy, stop))
            assert list(home.journal.iterdir()) == []
            trustworthy.set()
            for side in sides:
                await went_well(side)
            stop.set()
            await asyncio.wait_for(duty, 5)

    assert [end.reason for end in recorded(home.journal)][:1] == ["longer than 1 s"]


def _with_media(call: Call) -> Call:
    assert call.start is not None
    return msgspec.structs.replace(call, start=msgspec.structs.replace(call.start, media=1))


def _events(call: Call) -> list[Event]:
    return [event for event in (call.start, call.ring, call.answer) if event is not None]


@asynccontextmanager
async def _talking(near: int, sip: Kamailio) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Two SIPps in an answered call, to be ended by the gateway's time-out."""
    far_side = scenarios.called(7 + CSEQ_AHEAD, cause=102)
    near_side = scenarios.caller(SIP_CALL_ID, CSEQ_AHEAD, cause=102)
    where = f"127.0.0.1:{sip.port}"
    async with sipp(far_side, sip.far) as called:
        await bound(sip.far)
        async with sipp(near_side, near, where, "-cid_str", SIP_CALL_ID) as caller:
            await _is_up(caller, called)
            yield [caller, called]


async def _until_known(live: Live) -> None:
    async def look() -> dict[str, Call]:
        return live.calls

    await until(look, lambda calls: ID in calls, "the call is known")


async def _row(dsn: str) -> asyncpg.Record:
    async with database(dsn) as connection:
        return await connection.fetchrow(
            "SELECT *, (SELECT count(*) FROM call_events WHERE kind = 'end') AS ends FROM calls"
        )
