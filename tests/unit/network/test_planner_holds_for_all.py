"""Whatever was there, whoever put it there, and wherever it was stopped: a plan leads to what is
declared, and to nothing else.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from gateway.network.apply import ApplyError, Notes, apply, undo
from gateway.network.declared import HandOff, Leg, legs
from gateway.network.plan import plan
from gateway.network.things import (
    TABLES,
    Address,
    Device,
    Link,
    Route,
    Rule,
    Thing,
    last_resort,
)
from gateway.network.wanted import want
from tests.unit.network.model import KilledError, Model

INTERFACES = ("eth0", "eth1", "eth2")
OURS = [f"10.20.{net}.{host}" for net in (0, 1) for host in (2, 3, 4)]
THEIRS = ("10.0.0.0/8", "10.128.0.0/9", "10.20.0.0/30", "10.20.1.1/32", "0.0.0.0/0")
HOPS = ("", "10.20.0.1", "10.20.1.1", "192.0.2.1")
NEAR_TABLES = (254, TABLES[0], TABLES[1], TABLES[2], 7000)

theirs = st.lists(st.sampled_from(THEIRS), max_size=3, unique=True).map(tuple)


@st.composite
def declared(draw: st.DrawFn) -> tuple[Leg, ...]:
    """Up to three carriers, each with addresses of ours that are its own."""
    pool = draw(st.permutations(OURS))
    networks: dict[str, dict[str, HandOff]] = {}
    for carrier in ("alpha", "beta", "gamma")[: draw(st.integers(0, 3))]:
        apart = draw(st.booleans())
        hand_off = HandOff(
            interface=draw(st.sampled_from(INTERFACES)),
            vlan=draw(st.sampled_from((0, 0, 7))),
            address=f"{pool.pop()}/{draw(st.sampled_from((24, 29, 32)))}",
            gateway=draw(st.sampled_from(HOPS)),
            sip=("172.16.0.0/12", *draw(theirs)),
            rtp=draw(theirs),
            rtp_address=f"{pool.pop()}/29" if apart else "",
            rtp_gateway=draw(st.sampled_from(HOPS)) if apart else "",
            rtp_interface=draw(st.sampled_from(("", *INTERFACES))) if apart else "",
        )
        networks[carrier] = {"main": hand_off}
    return legs(networks)


foreign_routes = st.builds(
    Route,
    table=st.sampled_from(NEAR_TABLES),
    network=st.sampled_from(THEIRS),
    gateway=st.sampled_from(HOPS),
    interface=st.sampled_from(INTERFACES),
    source=st.just(""),
    metric=st.sampled_from((0, 100)),
)
foreign_rules = st.builds(
    Rule,
    source=st.sampled_from(("", *OURS)),
    table=st.sampled_from(NEAR_TABLES),
    priority=st.sampled_from((100, TABLES[0], TABLES[1])),
)
foreign_addresses = st.builds(
    Address, interface=st.sampled_from(INTERFACES), address=st.sampled_from((*OURS, "192.0.2.9"))
)
foreign = st.sets(foreign_routes | foreign_rules | foreign_addresses, max_size=6)


def machine(others: set[Thing]) -> Model:
    return Model({name: Device(name) for name in ("lo", *INTERFACES)}, others=set(others))


def planned_and_done(model: Model, wanted: tuple[Leg, ...], most: int | None = None) -> bool:
    """False where something stands in the way; then nothing may be done."""
    found = plan(wanted, model.seen())
    if found.troubles:
        return False
    for change in found.changes[:most]:
        model.take(change)
    return True


@st.composite
def lived_in(draw: st.DrawFn) -> Model:
    """A machine with others' things on it, where earlier plans were done, cut short, and spoilt."""
    model = machine(set())
    for _ in range(draw(st.integers(0, 2))):
        planned_and_done(model, draw(declared()), draw(st.none() | st.integers(0, 20)))
    spoilt = st.lists(st.sampled_from(sorted(model.mine, key=str)), max_size=3)
    for thing in draw(spoilt) if model.mine else ():
        if thing in model.mine:
            model.remove(thing)
    taken = {thing.key for thing in model.mine if isinstance(thing, Route)}
    for thing in draw(foreign) - model.mine:
        if not isinstance(thing, Route) or thing.key not in taken:
            model.others.add(thing)
    return model


@given(lived_in(), declared())
def test_a_plan_leads_to_what_is_declared_and_a_second_one_is_empty(
    model: Model, wanted: tuple[Leg, ...]
) -> None:
    others = set(model.others)

    done = planned_and_done(model, wanted)

    event(f"done: {done}")
    assume(done)
    assert plan(wanted, model.seen()).changes == ()
    found = want(wanted, model.seen()).things
    assert model.mine <= found
    assert {thing for thing in found - model.mine if thing not in others} == set()
    assert model.others == others


@given(lived_in(), declared())
def test_every_address_of_ours_has_a_table_that_is_its_own(
    model: Model, wanted: tuple[Leg, ...]
) -> None:
    assume(planned_and_done(model, wanted))

    rules = [thing for thing in model.mine if isinstance(thing, Rule)]
    assert {rule.source for rule in rules} == {leg.address for leg in wanted}
    assert len({rule.table for rule in rules}) == len(rules)
    for rule in rules:
        inside = {t for t in model.mine if isinstance(t, Route) and t.table == rule.table}
        assert last_resort(rule.table) in inside
        assert {route.source for route in inside} <= {rule.source, ""}
        used = {t.table for t in model.others if isinstance(t, Route | Rule)}
        assert rule.table not in used


@given(lived_in(), declared())
def test_what_others_made_is_in_no_plan(model: Model, wanted: tuple[Leg, ...]) -> None:
    for change in plan(wanted, model.seen()).changes:
        assert change.now is None or change.now in model.mine
        assert change.then is None or change.then not in model.others
        if isinstance(change.thing, Route | Rule):
            assert change.thing.table in TABLES
        if isinstance(change.thing, Link):
            assert change.thing.vlan


@given(lived_in(), declared(), st.integers(0, 30))
def test_a_plan_stopped_after_any_step_is_completed_by_the_next(
    model: Model, wanted: tuple[Leg, ...], steps: int
) -> None:
    others = set(model.others)
    assume(planned_and_done(model, wanted, steps))

    assert planned_and_done(model, wanted)

    assert plan(wanted, model.seen()).changes == ()
    assert model.others == others


@settings(deadline=None)
@given(lived_in(), declared(), st.integers(0, 30))
def test_an_apply_refused_at_any_step_leaves_all_as_it_was(
    model: Model, wanted: tuple[Leg, ...], step: int
) -> None:
    found = plan(wanted, model.seen())
    assume(not found.troubles and step < len(found.changes))
    mine, others, devices = set(model.mine), set(model.others), dict(model.devices)
    model.refuses_at = step
    with tempfile.TemporaryDirectory() as folder:
        notes = Notes(Path(folder))

        with pytest.raises(ApplyError, match="the kernel refused"):
            asyncio.run(apply(model, notes, lambda seen: plan(wanted, seen)))

        assert notes.read() is None
    assert (model.mine, model.others, model.devices) == (mine, others, devices)


@settings(deadline=None)
@given(lived_in(), declared(), st.integers(0, 30), st.booleans())
def test_an_apply_killed_at_any_step_is_completed_or_taken_back(
    model: Model, wanted: tuple[Leg, ...], step: int, onwards: bool
) -> None:
    found = plan(wanted, model.seen())
    assume(not found.troubles and step < len(found.changes))
    mine, others = set(model.mine), set(model.others)
    model.killed_at = step
    with tempfile.TemporaryDirectory() as folder:
        notes = Notes(Path(folder))
        with pytest.raises(KilledError):
            asyncio.run(apply(model, notes, lambda seen: plan(wanted, seen)))
        model.dead, model.killed_at = False, None
        note = notes.read()
        assert note is not None and note.state == "begun"

        if onwards:
            asyncio.run(apply(model, notes, lambda seen: plan(wanted, seen)))
            assert plan(wanted, model.seen()).changes == ()
        asyncio.run(undo(model, notes))

    assert (model.mine, model.others) == (mine, others)
