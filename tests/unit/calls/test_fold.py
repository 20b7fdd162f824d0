"""What is known of a call does not depend on the order in which it was heard."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.events import Event
from gateway.calls.fold import Call, Target, fold, fold_all, last_cseq, target
from gateway.calls.record import record
from tests.unit.calls.story import answer, answered_call, end, ring, start, tried, update

seconds = st.integers(-5, 60)
text = st.sampled_from(["", "sip:x@192.0.2.1", "sip:y@192.0.2.2"])
anything: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda s, k: start(t=start().t + s * 1_000_000, kind=k, status=404 * (k == "reject")),
              seconds, st.sampled_from(["pbx", "carrier", "reject"])),
    st.builds(lambda s, n: tried(s, n), seconds, st.integers(2, 4)),
    st.builds(lambda s, status: ring(s, status=status), seconds, st.sampled_from([180, 183])),
    st.builds(lambda s, tag, ctc: answer(s, tt=tag, ctc=ctc), seconds, st.sampled_from("xy"), text),
    st.builds(lambda s, tag: answer(s, tt=tag, late=1), seconds, st.sampled_from("xyz")),
    st.builds(lambda side, n, s, ctc, m: update(side, n, s, ctc=ctc, m=m), st.sampled_from("ab"),
              st.integers(1, 20), seconds, text, st.sampled_from(["INVITE", "UPDATE", "INFO"])),
    st.builds(lambda side, how, s, status, tag: end(side, how, s, status=status, tt=tag),
              st.sampled_from(["a", "b", "gw"]),
              st.sampled_from(["bye", "cancel", "reject", "failed", "timeout"]), seconds,
              st.sampled_from([0, 408, 486, 503]), st.sampled_from(["", "x", "y"])),
)  # fmt: skip
several = st.lists(anything, min_size=1, max_size=12)


@given(several, st.data())
def test_any_order_and_any_repetition_give_the_same_call(heard: list[Event], data: Any) -> None:
    again = heard + data.draw(st.lists(st.sampled_from(heard), max_size=6))
    shuffled = data.draw(st.permutations(again))

    assert fold_all(None, shuffled) == fold_all(None, heard)


@given(several, several)
def test_a_call_goes_on_from_what_was_stored(first: list[Event], then: list[Event]) -> None:
    stored = msgspec.json.encode(fold_all(None, first))

    again = fold_all(msgspec.json.decode(stored, type=Call), then)

    assert again == fold_all(None, first + then)


@given(several)
def test_a_record_never_has_a_negative_duration_nor_times_out_of_order(heard: list[Event]) -> None:
    row = record(fold_all(None, heard))

    times = [time for time in (row.started_at, row.answered_at, row.ended_at) if time is not None]
    assert times == sorted(times)
    assert row.ring_at is None or row.ring_at >= row.started_at
    assert row.pdd_ms is None or row.pdd_ms >= 0
    assert row.talk_ms is None or row.talk_ms >= 0
    assert (row.phase == "ended") == (row.ended_at is not None)
    assert row.phase != "ended" or (row.cause and row.end_how and row.end_side)


def test_a_call_passes_through_its_phases() -> None:
    phases, call = [], None
    for event in answered_call():
        call = fold(call, event)
        phases.append(call.phase)

    assert phases == ["setup", "ringing", "live", "ended"]


def test_a_refused_call_is_over_at_once() -> None:
    assert fold(None, start(kind="reject", status=404)).ended


def test_a_retransmission_after_a_restart_is_the_same_call() -> None:
    later = start().t + 4_000_000
    call = fold_all(None, [*answered_call(), start(t=later, to="new")])

    assert call.start == start()


def test_a_cancel_that_crossed_with_the_answer_leaves_the_call_up_until_its_bye() -> None:
    crossed = [start(), end("a", "cancel", 2.9, status=487), answer(3)]

    assert fold_all(None, crossed).phase == "live"
    assert fold_all(None, [*crossed, end("b", "bye", 9)]).end == end("b", "bye", 9)


def test_the_first_of_two_hang_ups_counts() -> None:
    ours, theirs = end("gw", "timeout", 60, reason="no audio"), end("a", "bye", 59)

    assert fold_all(None, [*answered_call()[:3], ours, theirs]).end == theirs


def test_a_set_up_that_timed_out_does_not_end_a_call_that_was_answered() -> None:
    late = end("gw", "timeout", 2.9, status=408)

    assert fold_all(None, [start(), late]).ended
    assert fold_all(None, [start(), late, answer()]).phase == "live"


def test_the_highest_cseq_of_each_side_is_remembered() -> None:
    call = fold_all(None, [*answered_call(), update("a", 9), update("a", 8), update("b", 3)])

    assert last_cseq(call, "a") == 9
    assert last_cseq(call, "b") == 3
    assert last_cseq(fold_all(None, answered_call()), "a") == 7, "that of the INVITE"
    assert last_cseq(fold_all(None, answered_call()), "b") == 0


def test_only_a_target_refresh_request_moves_the_target() -> None:
    moved = update("b", 5, ctc="sip:b@192.0.2.9", addr="192.0.2.9:5060/udp")
    calm = update("b", 6, 6, m="INFO", ctc="sip:b@192.0.2.77", addr="192.0.2.77:5060/udp")
    call = fold_all(None, [*answered_call()[:3], moved, calm])

    assert target(call, "b") == Target("sip:b@192.0.2.9", "192.0.2.9:5060/udp")
    assert target(call, "a") == Target("sip:carrier@127.9.9.11:5060", "127.9.9.11:5060/udp")


def test_a_call_answered_twice_lasts_until_its_last_answer_is_hung_up() -> None:
    """The far side forked; the caller keeps one answer (RFC 3261, 13.2.2.4)."""
    twice = [start(), answer(3, tt="x"), answer(3.1, tt="y")]
    surplus, real = end("a", "bye", 3.2, tt="x"), end("b", "bye", 40, tt="y")

    kept = fold_all(None, [*twice, surplus])

    assert (kept.phase, kept.answer) == ("live", answer(3.1, tt="y"))
    assert fold_all(kept, [real]).end == real
    assert fold_all(None, [*twice, end("a", "bye", 9, tt="y")]).answer == answer(3, tt="x")
    assert fold_all(kept, [end("gw", "timeout", 30)]).end == end("gw", "timeout", 30)


def test_an_early_dialog_that_is_given_up_ends_no_other() -> None:
    given_up = [start(), ring(), end("a", "bye", 2, tt="early"), answer(3, tt="y")]

    assert fold_all(None, given_up).phase == "live"


def test_a_late_answer_of_an_attempt_given_up_is_none_of_the_call() -> None:
    """Neither it nor its BYE, whichever is heard first."""
    late, its_bye = answer(3, tt="late", late=1), end("b", "bye", 4, tt="late")
    ringing = fold_all(None, [its_bye, start(), late, ring(2)])
    assert (ringing.phase, ringing.answer) == ("ringing", None)
    up = fold(ringing, answer(6, tt="taken"))
    assert up.phase == "live" and up.answer is not None and up.answer.tt == "taken"
    assert fold(up, end("a", "bye", 9, tt="taken")).ended
    assert fold_all(None, [start(), end("gw", "timeout", 5, status=408), late]).ended
