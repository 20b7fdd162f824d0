"""Where calls go and why: each rule of the decision as a story over a directory in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from number_registry.call import Call, Drop, Peer, Reject, Side, ToCarrier, ToPbx, lot_of
from number_registry.directory import MemoryDirectory, NumberRoute
from number_registry.e164 import E164
from number_registry.model import Address, Pbx, PbxState, Person, Site, State
from number_registry.routing import decide

MOSCOW, KAZAN, LEAVING = E164("74951230001"), E164("78431230001"), E164("74951230002")
NORTHLINE, VOLGA = (
    Peer(Side.CARRIER, "northline", "moscow"),
    Peer(Side.CARRIER, "volga_city", "kazan"),
)
OLD, NEW = Peer(Side.PBX, "old"), Peer(Side.PBX, "new")
FIRST, SECOND = Address("198.51.100.21", priority=0), Address("198.51.100.22", priority=5)


def company(**changes: NumberRoute) -> MemoryDirectory:
    numbers = {
        MOSCOW: NumberRoute((("northline", State.IN_SERVICE),), "old"),
        KAZAN: NumberRoute((("volga_city", State.IN_SERVICE),), "new"),
        LEAVING: NumberRoute(
            (("middleman", State.PORTING_OUT), ("northline", State.PORTING_IN)), "old"
        ),
    }
    return MemoryDirectory(
        numbers=numbers,
        pbxs={"old": Pbx("old", (SECOND, FIRST)), "new": Pbx("new", (Address("198.51.100.31"),))},
        people={
            "101": Person("101", "Anna", "operator", MOSCOW, "moscow", "old"),
            "201": Person("201", "Rail", "operator", KAZAN, "kazan", ""),
            "301": Person("301", "Agent", "agent", None, "moscow", ""),
        },
        sites={
            "moscow": Site("moscow", "northline", E164("74951230000")),
            "kazan": Site("kazan", "volga_city", E164("78431230000")),
        },
    )


def test_a_call_to_a_number_rings_its_pbx_first_address_first() -> None:
    verdict = decide(Call(NORTHLINE, MOSCOW, "+79160000001"), company())
    assert isinstance(verdict, ToPbx)
    assert (verdict.pbx, verdict.did, verdict.caller) == ("old", MOSCOW, "+79160000001")
    assert verdict.addresses == (FIRST, SECOND)


def test_while_a_number_moves_calls_from_both_carriers_are_answered() -> None:
    for carrier in ("middleman", "northline"):
        verdict = decide(Call(Peer(Side.CARRIER, carrier, "t"), LEAVING), company())
        assert isinstance(verdict, ToPbx), carrier


def test_while_a_number_moves_it_is_shown_only_where_it_is_still_vouched_for() -> None:
    directory = company()
    verdict = decide(Call(OLD, E164("79160000002"), LEAVING.plus), directory)
    assert isinstance(verdict, ToCarrier)
    assert verdict.carrier == "middleman"


def test_in_service_is_preferred_to_the_carrier_being_left() -> None:
    directory = company()
    directory.numbers = {
        LEAVING: NumberRoute(
            (("middleman", State.PORTING_OUT), ("northline", State.IN_SERVICE)), "old"
        )
    }
    verdict = decide(Call(OLD, E164("79160000002"), LEAVING.plus), directory)
    assert isinstance(verdict, ToCarrier)
    assert verdict.carrier == "northline"


@pytest.mark.parametrize("state", [State.RESERVED, State.SUSPENDED, State.RELEASED, State.COOLING])
def test_a_number_out_of_service_neither_rings_nor_is_shown(state: State) -> None:
    directory = company()
    directory.numbers = {MOSCOW: NumberRoute((("northline", state),), "old")}
    assert _status(decide(Call(NORTHLINE, MOSCOW), directory)) == 404
    assert _status(decide(Call(OLD, E164("79160000002"), "101"), directory)) == 403


def test_another_carriers_number_is_refused() -> None:
    assert _status(decide(Call(VOLGA, MOSCOW), company())) == 404


def test_an_extension_shows_the_number_of_its_person() -> None:
    verdict = decide(Call(OLD, E164("79160000002"), "201"), company())
    assert isinstance(verdict, ToCarrier)
    assert (verdict.carrier, verdict.shown) == ("volga_city", KAZAN)


def test_an_extension_of_another_pbx_is_not_believed() -> None:
    assert _status(decide(Call(NEW, E164("79160000002"), "101"), company())) == 403


def test_somebody_without_a_number_to_show_cannot_call_out() -> None:
    assert _status(decide(Call(OLD, E164("79160000002"), "301"), company())) == 403


def test_a_suspended_pbx_is_not_rung() -> None:
    directory = company()
    directory.pbxs = {"old": Pbx("old", (FIRST,), state=PbxState.SUSPENDED)}
    assert _status(decide(Call(NORTHLINE, MOSCOW), directory)) == 480


def shared(percent: int, **changes: PbxState) -> MemoryDirectory:
    directory = company()
    route = NumberRoute((("northline", State.IN_SERVICE),), "old", other_pbx="new", percent=percent)
    directory.numbers = {MOSCOW: route}
    states = {"old": PbxState.IN_SERVICE, "new": PbxState.IN_SERVICE} | changes
    directory.pbxs = {name: Pbx(name, (FIRST,), state=state) for name, state in states.items()}
    return directory


@given(st.integers(0, 100), st.text())
def test_a_shared_number_rings_its_second_pbx_for_so_many_lots_and_always_the_same(
    percent: int, call_id: str
) -> None:
    directory = shared(percent)
    calls = [Call(NORTHLINE, MOSCOW, lot=lot) for lot in range(100)]
    rung = [verdict.pbx for call in calls if isinstance(verdict := decide(call, directory), ToPbx)]
    assert rung == ["new"] * percent + ["old"] * (100 - percent)
    lot = lot_of(call_id)
    assert 0 <= lot < 100 and lot == lot_of(call_id)


def test_the_lot_and_what_it_meant_stand_in_the_trace() -> None:
    for lot, pbx in ((19, "new"), (20, "old")):
        verdict = decide(Call(NORTHLINE, MOSCOW, lot=lot), shared(20))
        assert isinstance(verdict, ToPbx) and verdict.pbx == pbx
        (said,) = [said for rule, said in verdict.trace if rule == "share"]
        assert said.startswith(f"lot {lot}: PBX new takes those below 20")


def test_a_second_pbx_that_takes_no_calls_leaves_its_share_to_the_first() -> None:
    verdict = decide(Call(NORTHLINE, MOSCOW, lot=0), shared(100, new=PbxState.SUSPENDED))
    assert isinstance(verdict, ToPbx) and verdict.pbx == "old"


def test_lots_are_spread_evenly_over_call_ids() -> None:
    lots = [lot_of(f"{n}-4711@192.0.2.1") for n in range(10_000)]
    assert all(
        1800 < sum(lot < 20 for lot in lots[at:]) * 10_000 / len(lots[at:]) < 2200 for at in (0, 1)
    )


@pytest.mark.parametrize("digits", ["112", "101", "102", "103", "104", "1-1-2"])
def test_emergency_numbers_come_before_everything_even_for_a_stranger_on_the_pbx(
    digits: str,
) -> None:
    verdict = decide(Call(OLD, digits, "nobody"), company())
    assert isinstance(verdict, ToCarrier)
    assert verdict.emergency
    assert verdict.shown in (E164("74951230000"), E164("78431230000"))


def test_an_emergency_call_shows_the_callers_own_number_where_the_carrier_vouches_for_it() -> None:
    verdict = decide(Call(OLD, "112", "101"), company())
    assert isinstance(verdict, ToCarrier)
    assert verdict.shown == E164("74951230000"), (
        "an extension has no number of its own: the site's call-back number"
    )


@pytest.mark.parametrize("digits", ["112", "101", "1-1-2"])
def test_an_emergency_call_of_a_sim_leaves_by_the_main_site(digits: str) -> None:
    """Where the SIM is nobody here knows; the operator that hands it over is not the one to be
    asked again.
    """
    verdict = decide(Call(NORTHLINE, digits, "+79160000001", from_sim=True), company())
    assert isinstance(verdict, ToCarrier)
    assert verdict.emergency
    site = company().site("")
    assert site is not None
    assert (verdict.carrier, verdict.shown) == (site.carrier, site.callback)


def test_any_other_call_of_a_sim_that_is_nobodys_is_judged_as_one_from_outside() -> None:
    sim = Call(NORTHLINE, MOSCOW, "+79160000001", from_sim=True)
    assert decide(sim, company()) == decide(sim._replace(from_sim=False), company())
    for dialled in ("4711", E164("79160000002")):
        verdict = decide(sim._replace(called=dialled), company())
        assert isinstance(verdict, Reject)
        assert (verdict.status, verdict.announce) == (403, "not_allowed")


def test_extension_101_cannot_be_mistaken_for_the_fire_brigade_by_a_carrier() -> None:
    """A carrier calls numbers, never emergency services: the emergency rule is for callers behind a
    PBX.
    """
    assert _status(decide(Call(NORTHLINE, "101"), company())) == 404


@given(
    st.sampled_from([NORTHLINE, VOLGA, OLD, NEW]),
    st.text(max_size=30) | st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True),
    st.text(max_size=30) | st.sampled_from(["101", "201", MOSCOW.plus]),
    st.booleans(),
)
def test_every_call_gets_a_verdict_with_a_trace(
    peer: Peer, called: str, caller: str, withheld: bool
) -> None:
    verdict = decide(Call(peer, E164.maybe(called) or called, caller, withheld), company())
    assert not isinstance(verdict, Drop)
    assert verdict.trace
    assert decide(Call(peer, E164.maybe(called) or called, caller, withheld), company()) == verdict


@given(st.sampled_from([OLD, NEW]), st.integers(10**9, 10**15 - 1), st.text(max_size=20))
def test_nothing_leaves_without_showing_a_number_of_ours(
    peer: Peer, called: int, caller: str
) -> None:
    directory = company()
    verdict = decide(Call(peer, E164(str(called)), caller), directory)
    if isinstance(verdict, ToCarrier):
        assert verdict.shown in directory.numbers


def _status(verdict: object) -> int:
    assert isinstance(verdict, Reject)
    return verdict.status
