"""Tones, G.711, RTP and the ear that judges them: what is heard is really there."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoints import g711, rtp, tone
from gateway.endpoints.ear import ENOUGH_FRAMES, Ear

HERE = ("127.0.0.1", 4000)


def packets(hz: int, count: int, ssrc: int = 1, first: int = 0) -> list[bytes]:
    payload = g711.encode(g711.PCMA, tone.frame(hz))
    return [
        rtp.RtpPacket(g711.PCMA, (first + n) & 0xFFFF, 160 * n, ssrc, payload).pack()
        for n in range(count)
    ]


def listen(data: list[bytes]) -> Ear:
    ear = Ear()
    for one in data:
        ear.feed(one, HERE)
    return ear


@pytest.mark.parametrize("codec", [g711.PCMA, g711.PCMU])
@pytest.mark.parametrize("hz", tone.TONES)
def test_a_tone_is_named_after_a_codec(codec: int, hz: int) -> None:
    assert tone.name(g711.decode(codec, g711.encode(codec, tone.frame(hz)))) == hz


@pytest.mark.parametrize("codec", [g711.PCMA, g711.PCMU])
def test_g711_is_as_near_as_eight_bits_allow(codec: int) -> None:
    for sample in (-30000, -8000, -100, 0, 100, 8000, 30000):
        [back] = g711.decode(codec, g711.encode(codec, [sample]))
        assert abs(back - sample) <= max(16, abs(sample) / 16)


def test_silence_noise_and_other_tones_are_nobodys() -> None:
    noise = random.Random(7)
    assert tone.name([0] * tone.FRAME) is None
    assert tone.name([noise.randint(-8000, 8000) for _ in range(tone.FRAME)]) is None
    assert tone.name(tone.frame(700)) is None


def test_two_voices_at_once_are_neither() -> None:
    both = [a + b for a, b in zip(tone.frame(450), tone.frame(1050), strict=True)]
    assert tone.name(both) is None


def test_goertzel_gives_the_share_of_energy() -> None:
    assert tone.share(tone.frame(450), 450) == pytest.approx(1.0, abs=0.01)
    assert tone.share(tone.frame(450), 1050) == pytest.approx(0.0, abs=0.01)
    assert math.isclose(tone.share([], 450), 0.0)


def test_enough_of_the_right_tone_is_heard_and_one_frame_less_is_not() -> None:
    assert listen(packets(450, ENOUGH_FRAMES)).heard(450)
    assert not listen(packets(450, ENOUGH_FRAMES - 1)).heard(450)
    assert not listen(packets(1050, 100)).heard(450)


def test_frames_of_two_sources_do_not_add_up() -> None:
    half = packets(450, 15, ssrc=1) + packets(450, 15, ssrc=2)
    assert not listen(half).heard(450)


def test_audio_with_holes_is_not_heard() -> None:
    whole = packets(450, 60)
    assert not listen([one for n, one in enumerate(whole) if n % 2]).heard(450)


def test_a_sequence_number_that_wraps_is_no_loss() -> None:
    ear = listen(packets(450, 30, first=0xFFF0))
    assert ear.heard(450)
    assert ear.streams[0].lost == 0


def test_after_forgetting_it_counts_anew() -> None:
    ear = listen(packets(450, 30))
    ear.forget()
    assert not ear.heard(450)
    assert ear.packets == 0


def test_a_key_press_of_many_packets_is_one_digit() -> None:
    ear = Ear()
    ear.telephone_event = 101
    sequence = 0
    for number, digit in enumerate("55#"):
        for payload in rtp.event_payloads(digit):
            packet = rtp.RtpPacket(101, sequence, 1000 * number, 9, payload)
            ear.feed(packet.pack(), HERE)
            sequence += 1
    assert ear.digits == "55#"


def test_noise_on_the_port_is_counted_and_not_heard() -> None:
    ear = listen([b"", b"\x00" * 40, b"\x80\xc8" + bytes(20)])
    assert ear.other_packets == 3
    assert ear.packets == 0


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_none_and_never_an_error(data: bytes) -> None:
    packet = rtp.parse(data)
    assert packet is None or len(packet.payload) <= len(data)


@given(
    st.integers(0, 127).filter(lambda kind: not 72 <= kind <= 79),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=200),
    st.booleans(),
)
def test_a_packet_comes_back_as_it_was(
    kind: int, sequence: int, timestamp: int, payload: bytes, marker: bool
) -> None:
    packet = rtp.RtpPacket(kind, sequence, timestamp, 77, payload, marker)
    assert rtp.parse(packet.pack()) == packet
