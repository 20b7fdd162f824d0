"""A clock that is moved by an hour ends nothing at once; what it does slowly is followed."""

from __future__ import annotations

from number_registry.steady_clock import BELIEVED_AFTER_S, SteadyClock


class Machine:
    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000.0, 5000.0

    def runs(self, seconds: float, drift: float = 0.0) -> None:
        self.wall += seconds + drift
        self.steady += seconds


def _clock(machine: Machine) -> SteadyClock:
    return SteadyClock(lambda: machine.wall, lambda: machine.steady)


def test_time_passes_as_on_the_wall() -> None:
    machine = Machine()
    clock = _clock(machine)
    machine.runs(100)
    assert clock() == 1_700_000_100


def test_a_step_of_an_hour_moves_nothing_at_once_and_is_believed_after_an_hour() -> None:
    for step in (3600.0, -3600.0):
        machine = Machine()
        clock = _clock(machine)
        machine.wall += step
        assert clock() == 1_700_000_000
        machine.runs(BELIEVED_AFTER_S - 1)
        assert clock() == 1_700_000_000 + BELIEVED_AFTER_S - 1
        machine.runs(1)
        assert clock() == 1_700_000_000 + BELIEVED_AFTER_S + step


def test_a_step_that_is_taken_back_was_none() -> None:
    machine = Machine()
    clock = _clock(machine)
    machine.wall += 3600
    clock()
    machine.runs(1800)
    machine.wall -= 3600
    assert clock() == 1_700_001_800
    machine.wall += 3600
    machine.runs(1800)
    assert clock() == 1_700_003_600


def test_a_clock_that_is_put_right_slowly_is_followed() -> None:
    machine = Machine()
    clock = _clock(machine)
    for _ in range(60):
        machine.runs(60, drift=0.5)
        clock()
    assert clock() == 1_700_003_630
