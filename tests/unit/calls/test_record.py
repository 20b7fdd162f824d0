"""What a person reads of a call."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from gateway.calls.events import Event
from gateway.calls.fold import fold_all
from gateway.calls.record import Record, at, record
from tests.unit.calls.story import T0, answer, answered_call, end, ring, start, tried


def row(*events: Event) -> Record:
    return record(fold_all(None, events))


def test_an_answered_call_tells_who_when_and_how_long() -> None:
    found = row(*answered_call())

    assert (found.phase, found.direction, found.carrier, found.pbx) == (
        "ended", "in", "northline", "old",
    )  # fmt: skip
    assert (found.pdd_ms, found.talk_ms, found.final_status) == (1000, 10_000, 200)
    assert (found.end_side, found.cause) == ("a", "the caller hung up")
    assert found.started_at == at(T0)
    assert json.loads(found.rules) == [["number", "is in service"]]
    assert (found.attempts, found.destination) == (1, "sip:127.9.9.21:5060")


def test_microseconds_become_a_time_in_utc_exactly() -> None:
    assert at(1_790_000_000_000_001) == datetime(2026, 9, 21, 14, 13, 20, 1, tzinfo=UTC)


def test_a_call_out_names_the_carrier_it_left_by() -> None:
    found = row(start(dir="out", src="old", kind="carrier", to="northline", trunk=""))

    assert (found.source, found.target, found.carrier, found.pbx) == (
        "old", "northline", "northline", "old",
    )  # fmt: skip


def test_fail_over_shows_in_attempts_and_destination() -> None:
    found = row(start(), tried(status=503), answer(addr="127.9.9.22:5060/udp"))

    assert (found.attempts, found.destination) == (2, "sip:127.9.9.22:5060")


def test_each_attempt_is_told_with_the_reason_for_the_next() -> None:
    out = start(dir="out", src="old", trunk="", kind="carrier", to="northline", trunk2="moscow")
    second = tried(1, 2, to="northline", trunk2="spare", status=500, q850=34)
    third = tried(2, 3, to="volga_city", trunk2="kazan", dst="sip:127.9.9.12:5060")
    found = row(out, second, third, end("b", "failed", 3, status=503, q850=41))

    assert (found.carrier, found.trunk, found.target) == ("volga_city", "kazan", "volga_city")
    told = [(one["trunk"], one["status"], one["q850"]) for one in json.loads(found.tries)]
    assert told == [("moscow", 500, 34), ("spare", 0, 0), ("kazan", 503, 41)]


def test_one_attempt_is_told_by_the_record_itself() -> None:
    assert row(*answered_call()).tries == "[]"


def test_a_gateway_that_was_given_up_and_answers_all_the_same_has_the_call() -> None:
    out = start(dir="out", src="old", trunk="", kind="carrier", to="northline", trunk2="moscow")
    second = tried(1, 2, to="volga_city", trunk2="kazan", status=408)
    found = row(out, second, answer(addr="127.9.9.21:5060/udp"))

    assert (found.carrier, found.trunk, found.attempts) == ("northline", "moscow", 2)
    assert found.destination == "sip:127.9.9.21:5060"


def test_a_refused_call_gives_a_whole_record_at_once_and_says_which_rule() -> None:
    found = row(start(kind="reject", to="", status=404, rules=(("number", "is not ours"),)))

    assert (found.phase, found.end_how, found.final_status) == ("ended", "reject", 404)
    assert found.cause == "refused before it was sent on (number: is not ours)"
    assert found.ended_at == found.started_at


@pytest.mark.parametrize(
    ("last", "status", "words"),
    [
        (end("b", "failed", 5, status=486), 486, "the called party is busy"),
        (end("gw", "timeout", 60, status=408), 408, "nobody answered in time"),
        (end("a", "cancel", 5, status=487), 487, "the caller hung up before an answer"),
        (end("b", "failed", 5, status=699), 699, "the far side refused with 699"),
        (
            end("gw", "failed", 90, reason="nothing was heard"), 408,
            "the call could not be set up: nothing was heard",
        ),
    ],
)  # fmt: skip
def test_a_failed_call_says_why(last: Event, status: int, words: str) -> None:
    found = row(start(), ring(), last)

    assert (found.final_status, found.cause, found.talk_ms) == (status, words, None)


def test_a_call_ended_by_the_gateway_says_so_with_the_reason() -> None:
    found = row(*answered_call()[:3], end("gw", "timeout", 70, reason="no audio"))

    assert found.cause == "the gateway ended the call: no audio"
    assert found.final_status == 200


def test_a_clock_set_back_in_the_middle_makes_nothing_negative() -> None:
    found = row(start(), ring(-3600), answer(-3599), end(after_s=-3000))

    assert (found.pdd_ms, found.talk_ms) == (0, 0)
    assert found.started_at == found.answered_at == found.ended_at


def test_a_call_whose_start_is_not_known_yet_has_a_record() -> None:
    found = row(answer())

    assert (found.phase, found.direction, found.verdict) == ("live", None, None)
    assert found.started_at == found.answered_at
