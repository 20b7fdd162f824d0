"""The last good answer stays; lives have bounds; calls in progress keep the place they are with."""

from __future__ import annotations

from gateway.names.book import Book
from gateway.names.lookup import Found
from number_registry.names import Answer, Target, hosts_before

KEY = "sip:gw.test;transport=udp"
ONE = (Target("sip:192.0.2.1:5060;transport=udp"),)
TWO = (Target("sip:192.0.2.2:5060;transport=udp"),)


def book() -> Book:
    made = Book(shortest_s=10, longest_s=3600, again_s=5, call_s=14400)
    made.follow([KEY])
    return made


def test_a_new_name_is_asked_at_once() -> None:
    assert book().asking(0.0) == [KEY]


def test_a_life_has_a_floor_and_a_ceiling() -> None:
    made = book()
    made.found(KEY, Found(ONE, 0), 100.0)
    assert (made.asking(109.0), made.asking(110.0)) == ([], [KEY])
    made.found(KEY, Found(ONE, 10**9), 200.0)
    assert made.asking(3799.0) == []
    assert made.asking(3800.0) == [KEY]


def test_the_last_good_answer_survives_failures() -> None:
    made = book()
    assert made.found(KEY, Found(ONE, 60), 100.0)
    assert made.failed(KEY, "no answer", 160.0), "news"
    assert not made.failed(KEY, "no answer", 165.0), "no news"
    said = made.answers[KEY]
    assert (said.targets, said.at, said.failing, said.why) == (ONE, 100.0, 160.0, "no answer")
    assert not made.found(KEY, Found(ONE, 60), 170.0)
    assert made.answers[KEY].failing == 0.0


def test_a_place_that_was_left_is_remembered_for_the_longest_call() -> None:
    made = book()
    made.found(KEY, Found(ONE, 60), 100.0)
    assert made.found(KEY, Found(TWO, 60), 200.0)
    assert made.answers[KEY].past == (("192.0.2.1", 14600.0),)
    made.found(KEY, Found(TWO, 60), 14601.0)
    assert hosts_before(made.names) == frozenset()


def test_a_name_that_nobody_wants_any_more_is_forgotten() -> None:
    made = book()
    made.found(KEY, Found(ONE, 60), 100.0)
    made.follow([])
    assert made.answers == {}
    assert made.asking(10**9) == []


def test_a_failure_before_any_answer_leads_nowhere() -> None:
    made = book()
    made.failed(KEY, "no answer", 7.0)
    assert made.answers[KEY] == Answer(failing=7.0, why="no answer")
