"""What a plan says, step by step, for the days an engineer has."""

from __future__ import annotations

import dataclasses

import msgspec

from gateway.network.declared import HandOff, Leg, legs
from gateway.network.faults import faults
from gateway.network.plan import Plan, plan, towards
from gateway.network.things import TABLES, Address, Device, Link, Route, Rule, Seen, Thing
from tests.unit.network.model import Model, rules

ALPHA = HandOff("eth1", "10.20.0.2/30", "10.20.0.1", sip=("10.0.0.0/8",))
BETA = HandOff("eth2", "10.20.0.6/30", "10.20.0.5", sip=("10.0.0.0/8",))
TAGGED = msgspec.structs.replace(ALPHA, vlan=120)


def only(alpha: HandOff) -> tuple[Leg, ...]:
    return legs({"alpha": {"kazan": alpha}})


def both() -> tuple[Leg, ...]:
    return legs({"alpha": {"kazan": ALPHA}, "beta": {"ufa": BETA}})


def machine(*others: Thing) -> Model:
    return Model({name: Device(name) for name in ("lo", "eth1", "eth2")}, others=set(others))


def done(model: Model, wanted: tuple[Leg, ...]) -> Plan:
    found = plan(wanted, model.seen())
    assert found.troubles == ()
    for change in found.changes:
        model.take(change)
    return found


def lines(found: Plan) -> list[str]:
    return [" ".join(str(change).split()) for change in found.changes]


def said(wanted: tuple[Leg, ...], seen: Seen) -> list[str]:
    return [trouble.what for trouble in plan(wanted, seen).troubles]


def test_a_new_way_is_whole_before_its_rule_sends_anything_there() -> None:
    assert lines(done(machine(), only(ALPHA))) == [
        "+ address 10.20.0.2 on eth1",
        "+ route 10.20.0.0/30 on eth1, table 21000",
        "+ route everything else is refused, table 21000",
        "+ route 10.0.0.0/8 through 10.20.0.1 on eth1, table 21000",
        "+ rule from 10.20.0.2, table 21000",
    ]


def test_a_hand_off_no_longer_declared_goes_rule_first_and_the_other_stays() -> None:
    model = machine()
    done(model, both())

    found = done(model, legs({"beta": {"ufa": BETA}}))

    assert lines(found)[0] == "- rule from 10.20.0.2, table 21000"
    assert lines(found)[-1] == "- address 10.20.0.2 on eth1"
    assert rules(model.mine) == {"10.20.0.6": 21001}


def test_a_new_gateway_is_one_replaced_route() -> None:
    model = machine()
    done(model, only(ALPHA))
    moved = msgspec.structs.replace(ALPHA, gateway="192.0.2.1")

    assert lines(plan(only(moved), model.seen())) == [
        "+ route 192.0.2.1/32 on eth1, table 21000",
        "~ route 10.0.0.0/8 through 192.0.2.1 on eth1, table 21000 (now through 10.20.0.1 on eth1)",
    ]


def test_an_address_moves_to_another_interface_and_is_never_away() -> None:
    model = machine()
    done(model, only(ALPHA))

    found = lines(done(model, only(msgspec.structs.replace(ALPHA, interface="eth2"))))

    assert found[0] == "+ address 10.20.0.2 on eth2"
    assert found[-1] == "- address 10.20.0.2 on eth1"
    assert not any("rule" in line for line in found)


def test_a_vlan_device_is_made_first_and_removed_last() -> None:
    model = machine()

    made = lines(done(model, only(TAGGED)))
    gone = lines(done(model, ()))

    assert made[0] == "+ link eth1.120: VLAN 120 of eth1"
    assert made[1] == "+ address 10.20.0.2 on eth1.120"
    assert gone[-1] == "- link eth1.120: VLAN 120 of eth1"


def test_our_own_vlan_device_that_is_off_is_switched_on() -> None:
    model = machine()
    done(model, only(TAGGED))
    off = dataclasses.replace(model.devices["eth1.120"], up=False)
    model.devices["eth1.120"] = off

    assert lines(plan(only(TAGGED), model.seen())) == [
        "~ link eth1.120: VLAN 120 of eth1 (now switched off)"
    ]


def test_somebody_elses_vlan_device_and_address_serve_and_stay_theirs() -> None:
    device, address = Link("eth1.120", "eth1", 120), Address("eth1.120", "10.20.0.2")
    model = machine(device, address)
    model.devices["eth1.120"] = Device("eth1.120", parent="eth1", vlan=120)

    made = lines(done(model, only(TAGGED)))
    gone = lines(done(model, ()))

    assert not any("link" in line or "address" in line for line in made + gone)
    assert model.others == {device, address}


def test_a_table_that_somebody_else_uses_is_left_to_them() -> None:
    theirs = Route(TABLES[0], "192.0.2.0/24", "", "eth2", "")
    asks = Rule("192.0.2.5", TABLES[1], 300)
    model = machine(theirs, asks)

    done(model, only(ALPHA))

    assert rules(model.mine) == {"10.20.0.2": TABLES[2]}
    assert model.others == {theirs, asks}


def test_when_somebody_puts_a_route_into_our_table_we_move_out() -> None:
    model = machine()
    done(model, only(ALPHA))
    theirs = Route(TABLES[0], "10.99.0.0/16", "", "eth2", "")
    model.others.add(theirs)

    done(model, only(ALPHA))

    assert rules(model.mine) == {"10.20.0.2": TABLES[1]}
    assert model.others == {theirs}


def test_an_address_that_somebodys_route_leans_on_is_not_taken_from_under_it() -> None:
    model = machine()
    done(model, only(ALPHA))
    model.others.add(Route(254, "203.0.113.0/24", "", "eth1", "10.20.0.2"))

    (trouble,) = plan((), model.seen()).troubles

    assert "address 10.20.0.2 on eth1 cannot go" in trouble.what
    assert "203.0.113.0/24" in trouble.what


def test_a_device_of_ours_that_somebody_uses_is_not_removed() -> None:
    model = machine()
    done(model, only(TAGGED))
    for theirs in (Address("eth1.120", "192.0.2.1"), Link("macvlan0", "eth1.120", 0)):
        model.others = {theirs}

        (trouble,) = plan((), model.seen()).troubles

        assert trouble.what.startswith("link eth1.120: VLAN 120 of eth1 cannot go")
        assert str(theirs) in trouble.what


def test_what_stands_in_the_way_is_said_all_at_once() -> None:
    model = machine(Address("eth2", "10.20.0.2"))
    model.devices["eth2"] = Device("eth2", up=False)
    found = said(both(), model.seen())

    assert found == [
        "10.20.0.2 is an address of `eth2`, which Portgate did not put there",
        "the interface `eth2` is switched off",
    ]
    del model.devices["eth1"]
    assert said(only(ALPHA), model.seen()) == ["there is no interface `eth1`"]


def test_a_device_of_the_vlans_name_that_is_another_is_told() -> None:
    model = machine()
    model.devices["eth1.120"] = Device("eth1.120", parent="eth2", vlan=120)

    assert said(only(TAGGED), model.seen()) == ["`eth1.120` is there and is not VLAN 120 of eth1"]


def test_the_number_of_tables_has_an_end_and_it_is_told() -> None:
    model = machine(*(Rule("192.0.2.5", table, 300) for table in TABLES))

    assert said(only(ALPHA), model.seen()) == ["all tables 21000 to 21999 are in use by others"]


def test_the_same_steps_have_the_same_id() -> None:
    seen = machine().seen()

    assert plan(both(), seen).id == plan(both(), seen).id != plan(only(ALPHA), seen).id


def test_the_way_back_may_be_to_nothing() -> None:
    model = machine()
    done(model, both())

    for change in towards(frozenset(), model.seen()).changes:
        model.take(change)

    assert model.mine == set()


def test_a_lost_link_is_told_once_for_all_that_goes_with_it() -> None:
    model = machine()
    done(model, both())
    model.devices["eth1"] = Device("eth1", carrier=False)
    model.mine = {thing for thing in model.mine if not isinstance(thing, Route)}

    found = faults(both(), model.seen())

    told = [(fault.kind, fault.interface, fault.names) for fault in found]
    assert told[0] == ("link", "eth1", ("alpha.kazan",))
    assert {interface for kind, interface, _ in told if kind == "route"} == {"eth2"}


def test_each_thing_that_vanishes_is_told_with_its_hand_off() -> None:
    model = machine()
    done(model, both())
    assert faults(both(), model.seen()) == ()
    for thing in sorted(model.mine, key=str):
        spoilt = machine()
        spoilt.mine = model.mine - {thing}
        if isinstance(thing, Rule):
            continue  # without its rule the table is given anew: told below

        (fault,) = faults(both(), spoilt.seen())

        assert str(thing) in fault.what
        assert (fault.names, fault.address) in (
            (("alpha.kazan",), "10.20.0.2"),
            (("beta.ufa",), "10.20.0.6"),
        )
        assert "network apply" in fault.mend

    model.mine = {thing for thing in model.mine if not isinstance(thing, Rule)}
    kinds = {fault.kind for fault in faults(both(), model.seen())}
    assert kinds == {"rule"}
