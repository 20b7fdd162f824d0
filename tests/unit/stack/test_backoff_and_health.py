"""How soon a dead service comes back, and what doctor makes of readings."""

from __future__ import annotations

from math import inf

import pytest
from msgspec import structs

from gateway.stack.backoff import DELAYS_S, WINDOW_S, delay
from gateway.stack.health import Away, Readings, judge


def test_the_first_death_is_mended_at_once() -> None:
    assert delay([100.0], 100.0) == 0


def test_a_service_that_keeps_dying_waits_longer_each_time_up_to_a_limit() -> None:
    deaths: list[float] = []
    waited = []
    for number in range(10):
        deaths.append(float(number))
        waited.append(delay(deaths, float(number)))
    assert waited == [*DELAYS_S, *[DELAYS_S[-1]] * 3]


def test_an_old_death_is_forgotten() -> None:
    assert delay([0.0, 1.0, 2.0, 3 + WINDOW_S], 3 + WINDOW_S) == 0


GOOD = Readings(
    states={"redis": "running"}, heartbeat_s=0.01, numbers=40, feed_behind_ms=3,
    journal_backlog=0, journal_rejects=0, shared_memory_free=0.9, clock_synchronised=True,
)  # fmt: skip


def test_a_well_stack_has_nothing_to_mend() -> None:
    findings = judge(GOOD)
    assert all(finding.ok and not finding.mend for finding in findings)
    assert {"redis", "snapshot", "publishing", "journal", "disk"} <= {f.name for f in findings}


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"states": {"redis": "not answering"}}, "redis"),
        ({"restarts": {"redis": 9}}, "redis"),
        ({"states": {}}, "stack"),
        ({"heartbeat_s": 3.0}, "snapshot"),
        ({"heartbeat_s": inf}, "snapshot"),
        ({"feed_behind_ms": 5000}, "publishing"),
        ({"journal_backlog": 2**21}, "journal"),
        ({"journal_rejects": 1}, "journal lines"),
        ({"shared_memory_free": 0.05}, "Kamailio's shared memory"),
        ({"disk_free": 10}, "disk"),
        ({"receive_buffer": 212992}, "receive buffer"),
        ({"descriptors": 1024}, "open files"),
        ({"clock_synchronised": False}, "clock"),
        ({"waves_stopped": ("migration 1 is held: Omsk: 40 % failed",)}, "waves"),
        ({"pbxs_away": (Away("shop", "is not registered", 0, 2),)}, "PBX"),
        ({"pbxs_suspended": ("old is suspended: callers of its 35 numbers reach nobody",)}, "PBX"),
    ],
)
def test_each_bad_reading_is_found_with_its_mend(changed: dict[str, object], name: str) -> None:
    values = {field: getattr(GOOD, field) for field in GOOD.__struct_fields__} | changed
    (bad,) = [finding for finding in judge(Readings(**values)) if not finding.ok]
    assert bad.name == name
    assert bad.mend


def test_a_pbx_that_is_away_is_a_fault_once_numbers_ring_there_and_a_note_before() -> None:
    fault, note = (
        judge(structs.replace(GOOD, pbxs_away=(Away("shop", "is not registered", numbers, 0),)))
        for numbers in (35, 0)
    )
    (lost,) = [one for one in fault if not one.ok]
    assert lost.seen == "shop is not registered: callers of its 35 numbers reach nobody"
    assert not lost.note and "./portgate pbx check shop" in lost.mend
    (waiting,) = [one for one in note if not one.ok]
    assert waiting.seen == "shop is not registered" and waiting.note


def test_what_cannot_be_read_is_not_judged() -> None:
    names = {finding.name for finding in judge(Readings(states={"redis": "running"}))}
    assert names == {"redis", "disk", "receive buffer", "open files"}
