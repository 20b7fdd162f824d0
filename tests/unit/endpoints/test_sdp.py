"""The audio line of an SDP, as offers, holds and odd ones have it."""

from __future__ import annotations

from gateway.endpoints import sdp

OFFER = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


def test_where_audio_goes_and_how() -> None:
    assert sdp.audio(OFFER) == sdp.Audio("192.0.2.1", 4000, "sendrecv", (8, 0, 101), 101)


def test_an_address_of_the_stream_comes_before_that_of_the_session() -> None:
    found = sdp.audio(OFFER + "c=IN IP4 192.0.2.9\r\n")
    assert found is not None
    assert found.address == "192.0.2.9"


def test_hold_in_its_three_spellings() -> None:
    for change in (("a=sendrecv", "a=sendonly"), ("a=sendrecv", "a=inactive"),
                   ("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0")):  # fmt: skip
        found = sdp.audio(OFFER.replace(*change))
        assert found is not None
        assert not found.wants_audio


def test_a_side_that_only_receives_still_wants_audio() -> None:
    found = sdp.audio(OFFER.replace("a=sendrecv", "a=recvonly"))
    assert found is not None
    assert found.wants_audio


def test_a_direction_of_the_session_counts_for_the_stream() -> None:
    found = sdp.audio(OFFER.replace("a=sendrecv\r\n", "").replace("t=0 0", "t=0 0\r\na=inactive"))
    assert found is not None
    assert found.direction == "inactive"


def test_no_audio_is_none() -> None:
    assert sdp.audio("") is None
    assert sdp.audio(OFFER.replace("m=audio", "m=image")) is None
