"""A hang-up of our own, through a real Kamailio, judged by SIPp on both sides."""

from __future__ import annotations

import asyncio
from pathlib import Path
from socket import AF_UNIX, SOCK_DGRAM, socket

import pytest

from gateway.calls.control import Control
from gateway.calls.dialog import CSEQ_AHEAD
from gateway.calls.events import Answer, End, Ring, Start, parse
from gateway.calls.fold import Call, fold_all
from gateway.calls.journal import Writer
from gateway.kamailio_rpc import KamailioGoneError, KamailioRpc, RpcError
from tests.integration.calls import scenarios
from tests.integration.calls.real import Kamailio, bound, free_port, kamailio, sipp, went_well
from tests.integration.calls.tools import call_id

pytestmark = pytest.mark.asyncio
SIP_CALL_ID = "hang-up-1@near.example"
T = 1_790_000_000_000_000


def answered(near: int, relay: Kamailio) -> Call:
    """The call of the scenarios as the journal would tell it."""
    ids = {"c": call_id(1)}
    us = f"udp:127.0.0.1:{relay.port}"
    uris = {"fu": "sip:caller@near.example", "tu": "sip:called@near.example"}
    return fold_all(None, [
        Start(**ids, t=T, dir="in", src="northline", cid=SIP_CALL_ID, ft="from-1", cseq=7,
              kind="pbx", to="old", ctc=f"sip:caller@127.0.0.1:{near}",
              addr=f"127.0.0.1:{near}/udp", sock=us, **uris),
        Ring(**ids, t=T + 1),
        Answer(**ids, t=T + 2, tt="to-1", ctc=f"sip:called@127.0.0.1:{relay.far}",
               addr=f"127.0.0.1:{relay.far}/udp", sock=us),
    ])  # fmt: skip


def recorded(folder: Path) -> list[End]:
    data = b"".join(path.read_bytes() for path in folder.iterdir())
    return [event for line in data.splitlines() if isinstance(event := parse(line)[0], End)]


@pytest.mark.parametrize("restarted", [False, True], ids=["", "after a restart of Kamailio"])
@pytest.mark.parametrize("far_answer", ["200 OK", "481 Gone"])
async def test_a_hang_up_ends_both_sides_and_is_recorded_once(
    tmp_path: Path, restarted: bool, far_answer: str
) -> None:
    near = free_port()
    ours = scenarios.called(7 + CSEQ_AHEAD, answer=far_answer)
    theirs = scenarios.caller(SIP_CALL_ID, CSEQ_AHEAD, answer=far_answer)
    with kamailio() as relay:
        await relay.start()
        async with sipp(ours, relay.far) as far:
            await bound(relay.far)
            async with sipp(
                theirs, near, f"127.0.0.1:{relay.port}", "-cid_str", SIP_CALL_ID
            ) as caller:
                await _is_up(caller, far)
                if restarted:
                    await relay.restart()
                writer = Writer(tmp_path)
                call = answered(near, relay)
                await Control(relay.rpc, None, writer).hang_up(call, "a person asked for it")
                await went_well(caller)
                await went_well(far)

    (end,) = recorded(tmp_path)
    assert (end.side, end.how, end.reason) == ("gw", "bye", "a person asked for it")
    ended = fold_all(call, [end])
    await Control(relay.rpc, None, writer).hang_up(ended, "again")
    assert recorded(tmp_path) == [end]
    writer.close()


async def _is_up(*sides: asyncio.subprocess.Process) -> None:
    """Return when both sides have seen the ACK."""
    for _ in range(2000):
        logs = [side.folder / "messages" for side in sides]  # type: ignore[attr-defined]
        texts = [log.read_text() if log.exists() else "" for log in logs]
        if all("ACK sip:" in text for text in texts):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("\n".join(texts))


async def test_a_call_that_still_rings_is_cancelled(tmp_path: Path) -> None:
    near = free_port()
    with kamailio() as relay:
        await relay.start()
        async with sipp(scenarios.called(0, rings_only=True), relay.far) as far:
            await bound(relay.far)
            scenario = scenarios.caller_cancelled(SIP_CALL_ID)
            async with sipp(
                scenario, near, f"127.0.0.1:{relay.port}", "-cid_str", SIP_CALL_ID
            ) as caller:
                await _rings(caller)
                writer = Writer(tmp_path)
                call = answered(near, relay)
                ringing = fold_all(None, [event for event in (call.start, call.ring) if event])
                await Control(relay.rpc, None, writer).hang_up(ringing, "too long")
                await went_well(caller)
                await went_well(far)

    (end,) = recorded(tmp_path)
    assert (end.side, end.how, end.status) == ("gw", "cancel", 487)
    writer.close()


async def _rings(side: asyncio.subprocess.Process) -> None:
    log: Path = side.folder / "messages"  # type: ignore[attr-defined]
    for _ in range(2000):
        if log.exists() and "180 Ringing" in log.read_text():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it does not ring")


async def test_without_kamailio_nothing_is_recorded(tmp_path: Path) -> None:
    with kamailio() as relay:
        writer = Writer(tmp_path)
        with pytest.raises(KamailioGoneError):
            await Control(relay.rpc, None, writer).hang_up(answered(5999, relay), "too long")

    assert recorded(tmp_path) == []


async def test_kamailio_says_what_it_refuses() -> None:
    with kamailio() as relay:
        await relay.start()
        with pytest.raises(RpcError, match="not found"):
            await relay.rpc.ask("tm.cancel", "nobody@nowhere", "1")
        assert (await relay.rpc.ask("core.echo", "a", 1)) == ["a", "1"]


async def test_nobody_else_can_answer_for_kamailio(tmp_path: Path) -> None:
    """The asking socket is connected: Linux lets no other socket send to it."""
    with socket(AF_UNIX, SOCK_DGRAM) as kamailio_here, socket(AF_UNIX, SOCK_DGRAM) as imposter:
        kamailio_here.bind(str(tmp_path / "rpc.sock"))
        asked = asyncio.create_task(KamailioRpc(tmp_path / "rpc.sock").ask("core.uptime"))
        request, asking = await asyncio.to_thread(kamailio_here.recvfrom, 4096)
        with pytest.raises(PermissionError):
            imposter.sendto(b'{"result":"mine"}', asking)
        assert b"core.uptime" in request
        kamailio_here.sendto(b'{"result":"true"}', asking)

        assert await asked == "true"


async def test_5_6_3_still_doubles_the_from_tag_without_the_mend(tmp_path: Path) -> None:
    """Tells when the block in kamailio.cfg can go: this fails on a release that is mended."""
    near = free_port()
    with kamailio(mend="") as relay:
        await relay.start()
        received: asyncio.Queue[bytes] = asyncio.Queue()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Ear(received), local_addr=("127.0.0.1", near)
        )
        writer = Writer(tmp_path)
        await Control(relay.rpc, None, writer).hang_up(answered(near, relay), "x")
        request = (await asyncio.wait_for(received.get(), 5)).decode()
        transport.close()
        writer.close()

    (sender,) = [line for line in request.split("\r\n") if line.startswith("From:")]
    assert sender.count(";tag=") == 2


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, received: asyncio.Queue[bytes]) -> None:
        self.received = received

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait(data)
