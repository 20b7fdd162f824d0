"""A migration in waves goes only along its ways, whoever asks for what, in whatever order, at
whatever time: properties over made-up stories, without a database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from number_registry import waves
from number_registry.errors import BadValueError, RefuseError
from number_registry.waves import HOLD, ROLL_BACK, Migration, Rules, Wave, turned

T0 = datetime(2026, 3, 1, tzinfo=UTC)
CITIES = ("Kazan", "Ufa", "Perm", "Omsk")
DAY = timedelta(days=1)


def planned(cities: tuple[str, ...] = CITIES, on_limit: str = HOLD) -> Migration:
    return Migration("old", "new", tuple(map(Wave, cities)), Rules(on_limit=on_limit))


def at_new(migration: Migration) -> list[str]:
    return [one.city for one in migration.waves if one.at_new]


cities = st.sampled_from(CITIES)
steps = st.one_of(
    st.just(("start", waves.start)),
    st.builds(
        lambda city, anyway: ("go", lambda m, t: waves.go(m, t, city, anyway=anyway)),
        st.none() | cities,
        st.booleans(),
    ),
    st.just(("hold", lambda m, t: waves.hold(m, t, "asked to"))),
    st.just(("resume", waves.resume)),
    st.builds(
        lambda some: ("rollback", lambda m, t: waves.roll_back(m, t, some)),
        st.none() | st.lists(cities, min_size=1, unique=True),
    ),
    st.builds(
        lambda city, back: ("stop", lambda m, t: waves.stop(m, t, {city: "fails"}, back=back)),
        cities,
        st.booleans(),
    ),
    st.builds(lambda city: ("skip", lambda m, t: waves.skip(m, city)), cities),
    st.builds(lambda keep: ("cancel", lambda m, t: waves.cancel(m, keep=keep)), st.booleans()),
)
hours = st.integers(0, 24 * 40)


@settings(max_examples=400)
@given(st.lists(st.tuples(steps, hours), max_size=30))
def test_whatever_is_asked_only_a_persons_step_moves_a_city_and_only_when_it_may(
    story: list[tuple[tuple[str, Callable[[Migration, datetime], Migration]], int]],
) -> None:
    migration, now = planned(), T0
    for (verb, step), later in story:
        now += timedelta(hours=later)
        before = migration
        try:
            migration = step(before, now)
        except RefuseError:
            continue
        forward, back = turned(before, migration)
        assert len(forward) <= 1, "one city at a time"
        assert not forward or verb in ("start", "go")
        assert not back or verb in ("rollback", "stop")
        assert not forward or before.state in ("planned", "running"), "what is held moves nothing"
        assert sum(one.state == "watching" for one in migration.waves) <= 1
        assert (migration.state == "held") == (migration.held_at is not None)
        assert all(one.moved_at for one in migration.waves if one.at_new)
        if before.state in ("cancelled",):
            assert migration == before
        if migration.state == "finished" and before.state != "finished":
            assert verb == "go" and migration.next is None
        if migration.state == "cancelled":
            assert not turned(before, migration)[1], "a cancelled one moves nothing by itself"
        if verb in ("rollback", "stop", "start", "hold", "resume", "skip", "cancel"):
            again = step(migration, now) if verb != "rollback" or at_new(migration) else migration
            assert at_new(again) == at_new(migration), "asked twice is asked once"


@given(st.lists(st.tuples(steps, hours), max_size=12))
def test_no_city_goes_before_the_one_that_is_watched_has_had_its_days(
    story: list[tuple[tuple[str, Callable[[Migration, datetime], Migration]], int]],
) -> None:
    migration, now = waves.start(planned(), T0), T0
    assert migration.watched is not None and migration.watched.watch_until == T0 + 30 * DAY
    early = T0 + timedelta(hours=min(24 * 29, sum(later for _, later in story)))
    with pytest.raises(RefuseError, match="Kazan is watched until 2026-03-31 00:00 UTC"):
        waves.go(migration, early)
    assert at_new(waves.go(migration, now + 30 * DAY)) == ["Kazan", "Ufa"]
    assert at_new(waves.go(migration, early, "Perm", anyway=True)) == ["Kazan", "Perm"]


def test_the_pilot_goes_first_then_the_least_loaded() -> None:
    load = {"Moscow": 900.0, "Kazan": 40.0, "Ufa": 40.0, "Perm": 0.0, "Omsk": 7.5}
    assert waves.in_order("Kazan", load) == ["Kazan", "Perm", "Omsk", "Ufa", "Moscow"]
    with pytest.raises(RefuseError, match="no number of Tver is at that PBX"):
        waves.in_order("Tver", load)


def test_the_rest_goes_within_its_days() -> None:
    migration = waves.start(planned(), T0)
    due = migration.due(T0)
    assert due == {"Ufa": T0 + 30 * DAY, "Perm": T0 + 40 * DAY, "Omsk": T0 + 50 * DAY}
    late = migration.due(T0 + 35 * DAY)
    assert late["Ufa"] == T0 + 35 * DAY, "nobody is early after the fact"


def test_all_cities_one_after_the_other_and_a_last_go_ends_it() -> None:
    migration, now = waves.start(planned(), T0), T0
    for city in CITIES[1:]:
        now = migration.watched.watch_until if migration.watched else now  # type: ignore[assignment]
        migration = waves.go(migration, now)
        assert migration.watched is not None and migration.watched.city == city
        assert waves.go(migration, now, city) is migration, "told again it does nothing"
    migration = waves.go(migration, now + 10 * DAY)
    assert migration.state == "finished" and at_new(migration) == list(CITIES)
    with pytest.raises(RefuseError, match="is finished"):
        waves.go(migration, now + 11 * DAY)


def test_a_crossed_limit_holds_and_what_was_mended_is_measured_anew() -> None:
    migration = waves.go(waves.start(planned(), T0), T0 + 30 * DAY)
    stopped = waves.stop(migration, T0 + 32 * DAY, {"Ufa": "40 % failed"}, back=False)
    assert (stopped.state, stopped.held_why) == ("held", "Ufa: 40 % failed")
    assert at_new(stopped) == ["Kazan", "Ufa"]
    assert waves.stop(stopped, T0 + 33 * DAY, {"Ufa": "41 % failed"}, back=False) is stopped
    with pytest.raises(RefuseError, match="it is held"):
        waves.go(stopped, T0 + 60 * DAY, anyway=True)

    resumed = waves.resume(stopped, T0 + 35 * DAY)

    ufa, kazan = resumed.wave("Ufa"), resumed.wave("Kazan")
    assert (ufa.trouble, ufa.measured_from) == ("", T0 + 35 * DAY)
    assert ufa.watch_until == T0 + 43 * DAY, "the three days that it was held are added"
    assert kazan.measured_from == T0


def test_a_limit_rolls_that_city_back_where_the_rules_say_so() -> None:
    migration = waves.go(waves.start(planned(on_limit=ROLL_BACK), T0), T0 + 30 * DAY)
    stopped = waves.stop(migration, T0 + 32 * DAY, {"Ufa": "fails"}, back=True)
    assert at_new(stopped) == ["Kazan"] and stopped.state == "held"
    again = waves.go(waves.resume(stopped, T0 + 33 * DAY), T0 + 33 * DAY)
    assert at_new(again) == ["Kazan", "Ufa"] and again.wave("Ufa").trouble == ""


def test_rolling_back_takes_the_last_city_once_or_all_of_them() -> None:
    migration = waves.go(waves.start(planned(), T0), T0 + 30 * DAY)
    once = waves.roll_back(migration, T0 + 31 * DAY)
    assert at_new(once) == ["Kazan"] and once.state == "held"
    assert waves.roll_back(once, T0 + 31 * DAY) is once, "twice takes no more back"
    everything = waves.roll_back(migration, T0 + 31 * DAY, CITIES)
    assert at_new(everything) == []
    with pytest.raises(RefuseError, match="new answers for Kazan, Ufa"):
        waves.cancel(migration)
    assert at_new(waves.cancel(migration, keep=True)) == ["Kazan", "Ufa"]


@pytest.mark.parametrize(
    "wrong",
    [{"watch_days": -1}, {"rest_days": 400}, {"baseline_days": 10}, {"on_limit": "pray"}],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadValueError):
        Rules(**wrong)  # type: ignore[arg-type]
