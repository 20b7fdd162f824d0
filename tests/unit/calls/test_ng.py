"""bencode, and an rtpengine that answers late, not at all, or with nonsense."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import rtpengine_ng
from gateway.rtpengine_ng import Ng, NgError, NgTimeoutError, decode, encode

values = st.recursive(
    st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert decode(encode(value)) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except NgError as refused:
        assert str(refused)


def test_keys_are_written_in_order() -> None:
    assert encode({"b": 1, "a": [b"x", "y"]}) == b"d1:al1:x1:ye1:bi1ee"


class Relay(asyncio.DatagramProtocol):
    """Answers the n-th datagram by the n-th reply, in which COOKIE is replaced; None is silence."""

    def __init__(self, *replies: bytes | None) -> None:
        self.replies, self.heard = list(replies), list[bytes]()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard.append(data)
        reply = self.replies.pop(0) if self.replies else None
        if reply is not None:
            self.transport.sendto(reply.replace(b"COOKIE", data.split()[0]), addr)


async def ask(relay: Relay) -> list[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: relay, local_addr=("127.0.0.1", 0))
    try:
        async with Ng(*transport.get_extra_info("sockname")) as ng:
            return await ng.calls()
    finally:
        transport.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtpengine_ng, "TRY_S", (0.05, 0.05, 0.05))


@pytest.mark.asyncio
async def test_a_lost_datagram_is_sent_again_under_the_same_cookie() -> None:
    relay = Relay(None, b"COOKIE d5:callsl1:ae6:result2:oke")

    assert await ask(relay) == ["a"]
    assert len(relay.heard) == 2
    assert relay.heard[0] == relay.heard[1]


@pytest.mark.asyncio
async def test_an_answer_to_something_else_is_not_taken() -> None:
    relay = Relay(b"other d6:result2:oke", b"COOKIE d5:callsle6:result2:oke")

    assert await ask(relay) == []


@pytest.mark.asyncio
async def test_silence_is_told_from_refusal() -> None:
    with pytest.raises(NgTimeoutError, match="does not answer"):
        await ask(Relay())
    with pytest.raises(NgError, match="Unknown call"):
        await ask(Relay(b"COOKIE d12:error-reason12:Unknown call6:result5:errore"))
    with pytest.raises(NgError, match="not bencode"):
        await ask(Relay(b"COOKIE <html>"))
    with pytest.raises(NgError, match="list"):
        await ask(Relay(b"COOKIE i1e"))
