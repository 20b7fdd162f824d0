"""A limit is crossed by what is really worse, and never by chance, by few calls, by the night or by
the weekend.
"""

from __future__ import annotations

import random

import pytest

from number_registry.call_quality import (
    Limits,
    Tally,
    as_json,
    by_hour_of_week,
    cause,
    crossings,
    of_json,
    total,
    verdict,
    wilson,
)

START = 168 * 2900  # an hour since 1970 at which a week begins
WEEKS = 4


def calls(
    dice: random.Random, count: int, asr: float = 0.7, failing: float = 0.02, talk: float = 90.0
) -> Tally:
    found = Tally()
    for _ in range(count):
        luck = dice.random()
        if luck < asr:
            seconds = dice.expovariate(1 / talk)
            found += Tally(1, 1, 0, 1, seconds, seconds * seconds, 900, 1)
        elif luck > 1 - failing:
            found += Tally(1, 0, 1, causes={"out_of_service": 1})
        else:
            found += Tally(1, causes={"no_answer": 1})
    return found


def open_hour(hour: int) -> bool:
    return hour % 168 < 120 and 9 <= hour % 24 < 19


def week(dice: random.Random, first: int, hours: int, **how: float) -> dict[int, Tally]:
    """A showroom: 4 calls an hour when it is open, a few that nobody answers otherwise."""
    return {
        hour: calls(dice, 4, **how) if open_hour(hour) else calls(dice, 1, 0.05)
        for hour in range(first, first + hours)
    }


def baseline(dice: random.Random) -> dict[int, Tally]:
    return by_hour_of_week(week(dice, START - 168 * WEEKS, 168 * WEEKS))


def told(now: dict[int, Tally], hour: int, before: dict[int, Tally]) -> set[str]:
    return {one.limit for one in crossings(Limits(), before, now, hour)}


def test_a_pbx_as_good_as_the_old_one_is_never_stopped_in_a_month() -> None:
    """Looked at every hour for four weeks, in twenty cities: no night or weekend counts."""
    for city in range(20):
        dice = random.Random(city)
        before, now = baseline(dice), week(dice, START, 168 * 4)
        for hour in range(START, START + 168 * 4, 3):
            seen = {at: one for at, one in now.items() if at <= hour}
            assert told(seen, hour, before) == set(), f"city {city}, hour {hour - START}"


def test_a_showroom_with_a_few_calls_a_day_is_never_stopped_by_bad_luck() -> None:
    for city in range(150):
        dice = random.Random(city)
        a_day = {START - 168 * WEEKS + day * 24 + hour: calls(dice, 1)
                 for day in range(7 * 2 * WEEKS) for hour in (9, 12, 14, 17)}  # fmt: skip
        before = by_hour_of_week({at: one for at, one in a_day.items() if at < START})
        for hour in range(START, START + 168 * WEEKS, 6):
            seen = {at: one for at, one in a_day.items() if START <= at <= hour}
            assert told(seen, hour, before) == set(), f"city {city}, hour {hour - START}"


def test_a_small_city_whose_pbx_is_dead_is_found_with_its_tenth_call() -> None:
    before = {START % 168: calls(random.Random(2), 100)}
    for count in range(1, 12):
        dead = {START: Tally(count, 0, count, causes={"unreachable": count})}
        assert ("failure_rise" in told(dead, START, before)) == (count >= 10)


@pytest.mark.parametrize(
    ("how", "limit", "within"),
    [
        ({"failing": 0.3, "asr": 0.6}, "failure_rise", 48),
        ({"failing": 1.0, "asr": 0.0}, "failure_rise", 6),
        ({"asr": 0.3}, "asr_drop", 72),
        ({"talk": 8.0}, "acd_drop", 72),
    ],
    ids=["fails", "is dead", "nobody answers", "calls are short"],
)
def test_a_pbx_that_is_worse_is_found(how: dict[str, float], limit: str, within: int) -> None:
    for city in range(20):
        dice = random.Random(city)
        before, now = baseline(dice), week(dice, START, 168, **how)
        first = 9
        found = next(
            (
                hour
                for hour in range(first, 168)
                if limit in told({at: one for at, one in now.items() if at <= START + hour},
                                 START + hour, before)
            ),
            None,
        )  # fmt: skip
        assert found is not None and found - first <= within, f"city {city}: {found}"


def test_a_pbx_that_dies_after_three_good_weeks_is_found_within_two_hours() -> None:
    dice = random.Random(1)
    before, now = baseline(dice), week(dice, START, 168 * 3)
    dead = START + 168 * 3 + 9
    now |= {dead: calls(dice, 15, 0.0, 1.0), dead + 1: calls(dice, 15, 0.0, 1.0)}
    assert "failure_rise" in told(now, dead + 1, before)


def test_few_calls_say_nothing_however_bad_they_are() -> None:
    bad = Tally(9, 0, 9, causes={"out_of_service": 9})
    good = by_hour_of_week({START - 1: calls(random.Random(1), 500)})
    assert crossings(Limits(), good, {START: bad}, START) == []
    assert verdict(Limits(), total(good.values()), bad, []) == "too_few_calls"
    few = Tally(10, 8, 2)
    assert crossings(Limits(), good, {START: few}, START) == [], "two of ten may be chance"
    assert verdict(Limits(), total(good.values()), few, []) == "ok"


def test_without_a_baseline_only_the_ceiling_holds() -> None:
    (one, *_) = crossings(
        Limits(), {}, {START: Tally(30, 5, 25, causes={"unreachable": 25})}, START
    )
    assert one.limit == "failure_ceiling" and "83 % of 30 calls failed" in one.told
    assert "unreachable" in one.told and "no baseline" in one.told
    assert crossings(Limits(), {}, {START: Tally(30, 5, 2)}, START) == []
    assert verdict(Limits(), Tally(), Tally(30, 5, 2), []) == "no_baseline"


def test_long_calls_that_go_on_make_no_hour_look_bad() -> None:
    """Half an hour after the move: what failed and what was short is over, the rest still talks."""
    dice = random.Random(5)
    before = by_hour_of_week({START: calls(dice, 400, talk=1800.0)})
    now = {START: Tally(60, 45, 1, 30, 3000.0, 400000.0, causes={"out_of_service": 1})}
    assert crossings(Limits(), before, now, START) == []
    assert "acd_drop" in told(now, START + 2, before), "two hours later it is what it is"


def test_a_limit_can_be_switched_off_and_no_calls_cross_none() -> None:
    off = Limits(None, None, None, None)
    dead = {START: Tally(500, 0, 500)}
    good = {START % 168: Tally(500, 400, 0, 400, 40000.0, 4e6)}
    assert crossings(off, good, dead, START) == []
    assert crossings(Limits(), good, {}, START) == []
    assert verdict(Limits(), total(good.values()), Tally(), []) == "too_few_calls"


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662), (0, 0, 0.0, 1.0)],
)
def test_wilsons_interval_as_it_is_printed(hits: int, of: int, low: float, high: float) -> None:
    """81 of 263: Newcombe 1998, table I."""
    assert wilson(hits, of, 1.959964) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("status", "how", "verdict", "rang", "said"),
    [
        (486, "failed", "pbx", True, "busy"), (603, "failed", "pbx", True, "declined"),
        (487, "cancel", "pbx", True, "given_up"), (487, "cancel", "pbx", False, "given_up"),
        (408, "timeout", "pbx", True, "no_answer"), (480, "failed", "pbx", True, "no_answer"),
        (408, "failed", "pbx", False, "unreachable"), (480, "failed", "pbx", False, "unreachable"),
        (404, "failed", "pbx", False, "unknown_number"),
        (503, "failed", "pbx", False, "out_of_service"),
        (488, "failed", "pbx", False, "no_common_codec"),
        (403, "failed", "pbx", False, "not_allowed"),
        (480, "reject", "reject", False, "refused_here"), (None, None, None, False, "other"),
    ],
)  # fmt: skip
def test_every_end_has_its_cause(
    status: int | None, how: str | None, verdict: str | None, rang: bool, said: str
) -> None:
    assert cause(status, how, verdict, rang) == said


def test_what_is_kept_of_a_baseline_is_what_it_was() -> None:
    hours = baseline(random.Random(3))
    assert of_json(as_json(hours)) == hours
