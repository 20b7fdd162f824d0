"""CSeq numbers with room for repetitions: in order, never twice, left alone where no room is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kemi.pace import MOST_TRIES, STEP, Pace

firsts = st.integers(0, 2**20)


@given(firsts, st.lists(st.tuples(st.integers(1, 9), st.integers(0, MOST_TRIES)), max_size=30))
def test_numbers_rise_whatever_was_repeated(first: int, sent: list[tuple[int, int]]) -> None:
    """RFC 3261, section 12.2.1.1: each new request has a higher CSeq than the one before."""
    pace = Pace("b", "city", "north", first)
    near, last = first, first + MOST_TRIES
    for step, tries in sent:
        near += step
        assert pace.far(near) > last
        last = pace.far(near) + tries


@given(firsts)
def test_the_invite_keeps_its_own_number(first: int) -> None:
    assert Pace("b", "city", "north", first).far(first) == first


@given(firsts, st.integers(0, MOST_TRIES), st.integers(0, MOST_TRIES))
def test_an_ack_has_the_number_of_the_invite_that_was_taken(
    first: int, tries: int, later: int
) -> None:
    """The first INVITE's repetitions stand in the token, those of a later one are noted."""
    pace = Pace("b", "city", "north", first, tries)
    assert pace.acknowledged(first, 0) == first + tries
    assert pace.acknowledged(first + 1, later) == first + STEP + later


def test_who_never_sent_an_invite_begins_anywhere() -> None:
    pace = Pace("a", "city", "north")
    assert [pace.far(near) for near in (0, 1, 2)] == [3, 7, 11]
    assert pace.acknowledged(0, 2) == 5


def test_numbers_too_high_for_room_stay_as_they_are() -> None:
    highest = 2**31 - 1
    assert Pace("a", "city", "north").far(highest) == highest
    assert Pace("b", "city", "north", highest - 1).far(highest) == highest


def test_it_concerns_the_way_to_the_side_that_asks() -> None:
    towards_b, towards_a = Pace("b", "city", "north", 1), Pace("a", "city", "north")
    assert [towards_b.concerns(True), towards_b.concerns(False)] == [True, False]
    assert [towards_a.concerns(True), towards_a.concerns(False)] == [False, True]
