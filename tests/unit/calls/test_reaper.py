"""Which calls are ended because nobody else will."""

from __future__ import annotations

from gateway.calls.events import Event
from gateway.calls.fold import Call, fold_all
from gateway.calls.reaper import MISSED, Ending, Limits, Memory, endings
from tests.unit.calls.story import ID, T0, answer, ring, start, update

LIMITS = Limits(longest_s=14_400, set_up_s=210)
T0_S = T0 / 1e6


class Clock:
    """A wall clock that people move, and a steady one that they cannot."""

    def __init__(self) -> None:
        self.wall, self.steady = T0_S, 1000.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class Watch:
    """A reaper's eyes on one call, a round every two seconds."""

    def __init__(self, *events: Event) -> None:
        self.clock = Clock()
        self.memory = Memory(lambda: self.clock.wall, lambda: self.clock.steady)
        self.calls = {ID: fold_all(None, events)}

    def hears(self, *events: Event) -> None:
        self.calls = {ID: fold_all(self.calls[ID], events)}

    def rounds(self, seconds: float, relay: set[str] | None) -> list[Ending]:
        """Look for so long, or until an ending is due. `relay` None: rtpengine is silent."""
        until = self.clock.steady + seconds
        while self.clock.steady < until:
            self.clock.passes(2)
            seen = self.memory.look(self.calls)
            if relay is not None:
                self.memory.relay(self.calls, relay)
            found = endings(self.calls, seen, LIMITS)
            if found:
                return found
        return []


def live() -> Watch:
    return Watch(start(), ring(0), answer(0))


def test_a_call_that_rtpengine_has_goes_on_to_its_longest_time_and_not_beyond() -> None:
    watch = live()

    assert watch.rounds(14_399, {ID}) == []
    (ending,) = watch.rounds(10, {ID})
    assert (ending.why, ending.reason) == ("longest", "longer than 14400 s")


def test_a_call_that_rtpengine_has_forgotten_is_ended_after_a_second_look() -> None:
    watch = live()
    watch.rounds(20, {ID})
    began = watch.clock.steady

    (ending,) = watch.rounds(60, set())

    assert ending.why == "no media"
    assert watch.clock.steady - began == 2 * MISSED


def test_one_look_without_the_call_between_a_bye_and_its_record_is_nothing() -> None:
    watch = live()
    watch.rounds(20, {ID})

    assert watch.rounds(2, set()) == []
    assert watch.rounds(60, {ID}) == []
    assert watch.rounds(2, set()) == []


def test_a_silent_rtpengine_proves_nothing() -> None:
    watch = live()
    watch.rounds(20, {ID})

    assert watch.rounds(3600, None) == []


def test_a_call_whose_audio_never_passed_rtpengine_is_none_of_its_business() -> None:
    assert live().rounds(3600, set()) == []
    plain = Watch(start(media=0), answer(0))
    assert plain.rounds(3600, set()) == []


def test_a_call_found_old_by_a_new_daemon_and_unknown_to_rtpengine_is_ended() -> None:
    watch = live()
    watch.clock.passes(600)

    (ending,) = watch.rounds(60, set())

    assert ending.why == "no media"


def test_an_emergency_call_is_never_ended_for_an_audio_that_was_never_relayed() -> None:
    watch = Watch(start(rules=(("emergency", "112"),)), answer(0))
    watch.clock.passes(600)

    assert watch.rounds(3600, set()) == []


def test_a_moved_clock_ends_nothing() -> None:
    watch = live()
    watch.rounds(20, {ID})
    watch.clock.wall += 100 * 3600

    assert watch.rounds(600, {ID}) == []
    watch.clock.wall -= 200 * 3600
    assert watch.rounds(600, {ID}) == []


def test_a_call_answered_in_the_future_is_as_old_as_we_have_known_it() -> None:
    watch = live()
    watch.clock.wall -= 3600

    assert watch.rounds(14_390, {ID}) == []
    assert watch.rounds(20, {ID})[0].why == "longest"


def test_a_set_up_that_everybody_forgot_is_closed() -> None:
    watch = Watch(start(), ring(0))

    assert watch.rounds(208, set()) == []
    (ending,) = watch.rounds(10, set())
    assert ending.why == "lost"


def test_a_set_up_that_goes_on_is_not_forgotten() -> None:
    watch = Watch(start())
    watch.rounds(200, set())
    watch.hears(update("a", 8, after_s=200, m="PRACK"))

    assert watch.rounds(200, set()) == []


def test_what_is_over_is_forgotten() -> None:
    watch = live()
    watch.rounds(20, {ID})
    before: dict[str, Call] = watch.calls
    watch.calls = {}
    assert watch.memory.look(watch.calls) == {}
    watch.calls = before

    assert not watch.memory.look(watch.calls)[ID].relayed
