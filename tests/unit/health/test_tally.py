"""When a gateway is believed to be down, and when to be back."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.health import options
from gateway.health.tally import ANSWERS, MISSES, Tally, heard
from number_registry.model import Address, Transport


def after(*answers: bool) -> str:
    story = enumerate(answers)
    return reduce(lambda tally, one: heard(tally, one[1], float(one[0])), story, Tally()).state


def test_one_lost_question_accuses_nobody() -> None:
    assert after(True, False) == "up"
    assert after(False) == "unknown"


def test_a_silent_gateway_is_down_and_comes_back_by_itself() -> None:
    assert after(True, *[False] * MISSES) == "down"
    assert after(True, *[False] * MISSES, *[True] * (ANSWERS - 1)) == "down"
    assert after(True, *[False] * MISSES, *[True] * ANSWERS) == "up"


@given(st.lists(st.booleans(), max_size=40))
def test_down_needs_misses_in_a_row_and_up_an_answer(answers: list[bool]) -> None:
    tally = Tally()
    for number, answer in enumerate(answers):
        before, tally = tally, heard(tally, answer, float(number))
        if tally.state != before.state:
            assert tally.since == number
        if tally.state == "down" and before.state != "down":
            assert answers[max(0, number - MISSES + 1) : number + 1] == [False] * MISSES
        if tally.state == "up" and before.state != "up":
            assert answer


@pytest.mark.parametrize(
    ("transport", "target"),
    [
        (Transport.UDP, b"sip:192.0.2.2:5060 "),
        (Transport.TCP, b"sip:192.0.2.2:5060;transport=tcp "),
    ],
)
def test_a_question_is_a_whole_request_and_its_answer_is_recognised(
    transport: Transport, target: bytes
) -> None:
    address = Address("192.0.2.2", 5060, transport)
    question = options.request(address, "192.0.2.100:40000", "ab" * 16)
    assert question.startswith(b"OPTIONS " + target)
    assert question.endswith(b"\r\n\r\n")
    answer = question.replace(question.split(b"\r\n")[0], b"SIP/2.0 404 Not Found")
    assert options.answer(answer) == ("ab" * 16, 404)


@given(st.binary(max_size=300))
def test_no_bytes_at_all_disturb_the_reader(datagram: bytes) -> None:
    assert options.answer(datagram) is None


def test_a_provisional_answer_is_none_and_out_of_service_is_not_there() -> None:
    assert options.answer(b"SIP/2.0 100 Trying\r\nCall-ID: a\r\n\r\n") is None
    assert not options.is_there(503)
    assert options.is_there(403), "who refuses is there"
