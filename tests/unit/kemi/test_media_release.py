"""The end of a call as the media relay hears of it: one datagram, whose answer nobody awaits."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gateway.rtpengine_ng import decode
from kemi.media_release import MediaRelease

CALL = "ab" * 16


@pytest.fixture
def relay() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
        relay.bind(("127.0.0.1", 0))
        relay.settimeout(5)
        yield relay


def test_the_relay_is_told_in_its_own_language(relay: socket.socket) -> None:
    release = MediaRelease(f"udp:127.0.0.1:{relay.getsockname()[1]}", print)
    release.release(CALL)
    release.release(CALL)
    first, second = relay.recv(2000).split(b" ", 1), relay.recv(2000).split(b" ", 1)
    release.close()
    assert decode(first[1]) == {"command": "delete", "call-id": CALL}
    assert first[0] != second[0], "a cookie used again would be taken for a repetition"


def test_answers_that_nobody_reads_do_not_pile_up_and_stop_nothing(relay: socket.socket) -> None:
    said: list[str] = []
    release = MediaRelease(f"udp:127.0.0.1:{relay.getsockname()[1]}", said.append)
    for _ in range(200):
        release.release(CALL)
        _, worker = relay.recvfrom(2000)
        relay.sendto(b"x" * 2000, worker)
    release.close()
    assert said == []


def test_a_relay_that_is_down_is_said_with_the_count_and_stops_no_call() -> None:
    said: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    release = MediaRelease(f"udp:127.0.0.1:{port}", said.append)
    for _ in range(4):
        release.release(CALL)
    release.close()
    assert release.lost >= 1
    assert f"{release.lost} releases were lost" in said[-1]


def test_of_a_forked_call_only_the_answer_that_was_hung_up_is_released(
    relay: socket.socket,
) -> None:
    release = MediaRelease(f"udp:127.0.0.1:{relay.getsockname()[1]}", print)
    release.release(CALL, "called-1")
    told = decode(relay.recv(2000).split(b" ", 1)[1])
    release.close()
    assert told == {"command": "delete", "call-id": CALL, "from-tag": "called-1"}
