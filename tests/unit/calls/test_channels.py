"""Channels in use, out of the calls that are up; and what is done about workers' counts."""

from __future__ import annotations

from gateway.calls.channels import agreed, counts, used_at, uses, wrong
from gateway.calls.fold import Call, fold_all
from tests.unit.calls.story import SECOND, T0, answer, end, start, tried


def out(*more: object) -> Call:
    first = start(dir="out", src="old", trunk="", kind="carrier", to="northline", trunk2="moscow")
    return fold_all(None, [first, *more])  # type: ignore[list-item]


def used(call: Call, after_s: float) -> dict[str, int]:
    return dict(used_at([call], T0 + int(after_s * SECOND)))


def test_a_call_uses_the_trunk_it_leaves_by_until_it_ends() -> None:
    call = out(answer(3), end(after_s=13, status=200))
    assert [used(call, at) for at in (-1, 0, 12, 13)] == [
        {}, {"northline/moscow": 1}, {"northline/moscow": 1}, {},
    ]  # fmt: skip


def test_a_call_that_goes_on_elsewhere_leaves_its_channel_behind() -> None:
    call = out(tried(2, 2, to="volga_city", trunk2="kazan", status=503))
    assert [used(call, at) for at in (1, 2)] == [{"northline/moscow": 1}, {"volga_city/kazan": 1}]


def test_two_gateways_of_one_trunk_are_one_channel() -> None:
    call = out(tried(2, 2, to="northline", trunk2="moscow", status=503))
    assert used(call, 1) == used(call, 2) == {"northline/moscow": 1}


def test_a_call_in_uses_the_trunk_it_came_by() -> None:
    assert used(fold_all(None, [start()]), 1) == {"northline/moscow": 1}


def test_a_refused_call_uses_none() -> None:
    assert list(uses(fold_all(None, [start(kind="reject", to="", status=404)]))) == []


def test_only_what_was_seen_twice_is_a_mistake() -> None:
    before = wrong(["a", "b", "c"], {"a": 3, "b": 1}, {"a": 1, "b": 2, "mend:c": 1})
    now = wrong(["a", "b", "c"], {"a": 2, "b": 2}, {"a": 1, "b": 2, "mend:c": 1})
    assert before == {"a": 2, "b": -1, "c": -1}
    assert agreed(before, now) == {"a": 1, "c": -1}


def test_what_kamailio_says_of_its_table() -> None:
    dump = [
        {"entry": 3, "size": 1, "slot": [{"name": "a/b", "value": 2, "type": "int"}]},
        {"entry": 5, "size": 1, "slot": [{"name": "mend:a/b", "value": -1, "type": "int"}]},
    ]
    assert counts(dump) == {"a/b": 2, "mend:a/b": -1}
    assert counts(None) == {}
