"""What is answered to somebody who is to hear an announcement."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gateway.stack.announcements import WORDS
from kemi.announce import FILES, answer_to, sendrecv
from kemi.ng import Ng, NgError, decode, encode

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
AMR = "m=audio 4000 RTP/AVP 97 8 101\r\na=rtpmap:97 AMR/8000\r\na=rtpmap:8 PCMA/8000\r\n"
VIDEO = "m=video 4002 RTP/AVP 31\r\n"


def test_there_is_a_file_for_every_announcement() -> None:
    assert set(FILES) == set(WORDS)


def test_the_first_codec_that_the_relay_can_play_in_is_taken() -> None:
    made = answer_to(HEAD + AMR, "192.0.2.1")
    assert "m=audio 9 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendonly\r\n" in made
    assert "192.0.2.9" not in made


def test_each_line_of_the_offer_is_answered() -> None:
    made = answer_to(HEAD + VIDEO + AMR, "192.0.2.1")
    media = [line for line in made.splitlines() if line.startswith("m=")]
    assert media == ["m=video 0 RTP/AVP 31", "m=audio 9 RTP/AVP 8"]


@pytest.mark.parametrize(
    "offer",
    [
        "",
        HEAD,
        HEAD + VIDEO,
        HEAD + "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\n",
        HEAD + "m=audio 0 RTP/AVP 8\r\n",
        HEAD + "m=audio 4000 udptl t38\r\n",
        HEAD + "m=\r\nm=audio\r\nm=audio 4000\r\nm=audio 4000 \r\n",
    ],
)
def test_where_nothing_can_be_played_nothing_is_made(offer: str) -> None:
    assert answer_to(offer, "192.0.2.1") == ""


def test_a_static_number_needs_no_name() -> None:
    assert "m=audio 9 RTP/AVP 0\r\na=sendonly" in answer_to(
        HEAD + "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n", "192.0.2.1"
    )


def test_the_caller_is_let_speak_so_that_address_translation_opens() -> None:
    assert sendrecv("m=audio 1 RTP/AVP 8\r\na=sendonly\r\n").endswith("a=sendrecv\r\n")


def test_bencode_there_and_back() -> None:
    value = {"command": "offer", "flags": ["a", "bc"], "n": -3, "deep": {"z": [{}, []]}}
    assert decode(encode(value)) == value


@pytest.mark.parametrize("bad", [b"", b"x", b"5:ab", b"i1", b"l1:a", b"d1:ae", b"99999:a"])
def test_what_is_no_bencode_is_an_error(bad: bytes) -> None:
    with pytest.raises(NgError):
        decode(bad)


@pytest.fixture
def relay() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        yield one


def test_a_relay_that_does_not_answer_is_asked_twice_and_not_waited_for_again(
    relay: socket.socket,
) -> None:
    ng = Ng(f"udp:127.0.0.1:{relay.getsockname()[1]}")
    for _ in range(3):
        with pytest.raises(NgError):
            ng.ask("ping", {})
    relay.setblocking(False)
    first, second = relay.recv(1000), relay.recv(1000)
    assert first == second  # the same question, by its cookie
    assert first.endswith(b" d7:command4:pinge")
    with pytest.raises(BlockingIOError):
        relay.recv(1000)
    ng.close()
