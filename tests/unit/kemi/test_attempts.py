"""The order and the patience of attempts, and what is kept of a call between them; as values."""

from __future__ import annotations

import pytest

from kemi.attempts import LEAST_MS, Pending, in_turn, share
from kemi.ksr_message import cause_in
from kemi.plan import Plan
from number_registry.model import Address
from tests.unit.kemi.conftest import Gateway

NOBODY: frozenset[str] = frozenset()


def plan(trunk: str, *hosts: str) -> Plan:
    addresses = tuple(Address(host) for host in hosts)
    asserted = (("P-Asserted-Identity", '<sip:1@us>;note="a|b"'),)
    return Plan("north", trunk, "8495", "8495", "7", "sip:7@us", "h", asserted, addresses, "+7",
                False, True)  # fmt: skip


def hosts(steps: tuple[tuple[int, Address], ...]) -> list[str]:
    return [address.host for _, address in steps]


PLANS = (plan("a", "192.0.2.1", "192.0.2.2"), plan("b", "192.0.2.3"))


def test_trunks_are_tried_one_after_the_other() -> None:
    assert in_turn(PLANS, NOBODY) == (
        (0, Address("192.0.2.1")), (0, Address("192.0.2.2")), (1, Address("192.0.2.3")),
    )  # fmt: skip


def test_what_is_down_comes_last_of_all_trunks() -> None:
    down = frozenset({Address("192.0.2.1").uri})
    assert hosts(in_turn(PLANS, down)) == ["192.0.2.2", "192.0.2.3", "192.0.2.1"]


def test_patience_is_shared_by_those_that_live() -> None:
    steps = in_turn(PLANS, NOBODY)
    assert share(5000, steps[1:], NOBODY) == 2500
    assert share(5000, steps[1:], frozenset({Address("192.0.2.3").uri})) == 5000
    assert share(100, steps[1:], NOBODY) == LEAST_MS
    assert share(3000, steps[2:], frozenset({Address("192.0.2.3").uri})) == 3000


@pytest.mark.parametrize("plans", [(), PLANS])
def test_what_is_kept_of_a_call_is_read_as_it_was(plans: tuple[Plan, ...]) -> None:
    left = in_turn(PLANS, NOBODY)[1:]
    pending = Pending(
        "ab", "sip:a@b", "", "north", "a", "8495", left, plans, "sip:192.0.2.1:5060", 2, 77
    )
    read = Pending.read(pending.text())
    assert read._replace(plans=()) == pending._replace(plans=())
    written = [(*one[:7], list(map(list, one.headers)), *one[9:]) for one in plans]
    assert [(*one[:7], one.headers, *one[9:]) for one in read.plans] == written


def test_nothing_left_is_read_as_nothing_left() -> None:
    assert Pending.read(Pending("ab", "", "", "old", "", "7", ()).text()).left == ()


@pytest.mark.parametrize(
    ("reasons", "cause"),
    [
        ("", 0),
        ("Q.850;cause=34", 34),
        ('q.850 ; text="No circuit" ; cause = 34', 34),
        ('SIP;cause=500;text="x, Q.850;cause=1",Q.850;cause=16;text="bye"', 16),
        ("SIP;cause=503", 0),
        ("Q.850;text=none,SIP;cause=500", 0),
        ("XQ.850;cause=34", 0),
        ("Q.850;cause=999", 127),
        ("Q.850;" + ";" * 5000, 0),
    ],
)
def test_the_cause_in_reasons(gateway: Gateway, reasons: str, cause: int) -> None:
    assert cause_in(reasons) == cause
