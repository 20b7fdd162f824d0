"""Calls to and from the SIMs of our people, but for deals."""

from __future__ import annotations

import pytest

from number_registry.call import Call, Reject, ToCarrier, ToPbx, ToSim, Verdict
from number_registry.e164 import E164
from number_registry.routing import decide
from tests.unit.core.deal_company import (
    AD,
    ADS,
    BOSS,
    CITY,
    CLIENT,
    LENA,
    MARAT,
    NOBODYS_SIM,
    NORTHLINE,
    OTHER_CITY,
    OWN,
    SIMS,
    STRANGER,
    SUSPENDED,
    company,
    dials,
    sends,
)


def refusal(verdict: Verdict) -> tuple[int, str]:
    assert isinstance(verdict, Reject), verdict
    return verdict.status, verdict.announce


def rung(verdict: Verdict) -> tuple[str, str, str, str]:
    """PBX, what is dialled there, who it sees, whose call it is; a masked call."""
    assert isinstance(verdict, ToPbx), verdict
    assert verdict.masked
    return verdict.pbx, verdict.extension or verdict.did, verdict.caller, verdict.agent


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [
        ("121", ("old", "121", "203", "203")),
        ("122", ("new", "122", "203", "203")),
        ("131", ("old", "131", "203", "203")),
        ("111", ("old", OWN, "203", "203")),  # who has a number of their own is rung there
        (CITY, ("old", CITY, "203", "203")),
        (OTHER_CITY, ("new", OTHER_CITY, "203", "203")),
        (AD, ("new", AD, "203", "203")),  # its own operator's number
    ],
)
def test_an_agent_reaches_colleagues_and_numbers_of_ours_inside_seen_by_extension(
    dialled: str, expected: tuple[str, str, str, str]
) -> None:
    assert rung(decide(dials(MARAT, dialled), company())) == expected


@pytest.mark.parametrize("dialled", ["110", BOSS])
def test_a_supervisor_with_a_sim_is_rung_there(dialled: str) -> None:
    verdict = decide(dials(MARAT, dialled), company())
    assert isinstance(verdict, ToSim)
    assert (verdict.called, verdict.shown, verdict.agent) == (BOSS, "203", "110")


@pytest.mark.parametrize("dialled", ["204", LENA, "205"])
def test_an_agent_does_not_ring_an_agent(dialled: str) -> None:
    assert refusal(decide(dials(MARAT, dialled), company())) == (403, "not_allowed")


def test_an_operator_rings_an_agent_and_a_controller_does_not() -> None:
    verdict = decide(sends("203", "121"), company())
    assert isinstance(verdict, ToSim) and verdict.shown == "121"
    assert refusal(decide(sends("203", "131"), company())) == (403, "not_allowed")


def test_outside_is_for_whom_their_role_allows_it() -> None:
    assert refusal(decide(dials(MARAT, CLIENT), company())) == (403, "not_allowed")
    verdict = decide(dials(LENA, CLIENT), company())
    assert isinstance(verdict, ToCarrier)
    assert (verdict.carrier, verdict.shown, verdict.called) == ("northline", CITY, CLIENT)
    assert verdict.masked and verdict.agent == "204"


def test_a_supervisor_shows_their_own_number() -> None:
    verdict = decide(dials(BOSS, CLIENT), company())
    assert isinstance(verdict, ToCarrier) and verdict.shown == OWN
    from_desk = decide(sends(CLIENT, "111"), company())
    assert isinstance(from_desk, ToCarrier) and from_desk.shown == OWN and not from_desk.masked
    operators = decide(sends(CLIENT, "121"), company())
    assert isinstance(operators, ToCarrier) and operators.shown == CITY


def test_a_number_of_ours_that_is_suspended_is_not_looked_for_outside() -> None:
    assert refusal(decide(dials(LENA, SUSPENDED), company())) == (404, "")


@pytest.mark.parametrize("caller", [CLIENT, STRANGER])
@pytest.mark.parametrize("peer", [SIMS, ADS])
def test_whoever_calls_a_sim_from_outside_gets_operators(caller: E164, peer: object) -> None:
    call = Call(SIMS, MARAT, caller.plus, from_sim=peer is SIMS)
    assert rung(decide(call, company())) == ("old", CITY, caller.plus, "")


def test_so_does_a_pbx_that_dials_its_number_for_somebody_outside() -> None:
    verdict = decide(sends(MARAT, STRANGER.plus), company())
    assert isinstance(verdict, ToPbx) and (verdict.pbx, verdict.did) == ("old", CITY)


def test_a_withheld_caller_stays_one_before_operators() -> None:
    call = Call(SIMS, MARAT, "", withheld=True, from_sim=True)
    verdict = decide(call, company())
    assert isinstance(verdict, ToPbx) and verdict.withheld


def test_a_sim_called_by_another_carrier_is_none_of_its() -> None:
    assert refusal(decide(Call(NORTHLINE, MARAT, CLIENT.plus), company())) == (404, "")


@pytest.mark.parametrize("dialled", ["4711", "203", CLIENT, "203*4711"])
@pytest.mark.parametrize("caller", [NOBODYS_SIM.plus, "", "0890"])
def test_a_sim_that_is_nobodys_may_ring_what_rings_for_everybody_and_nothing_else(
    dialled: str, caller: str
) -> None:
    call = Call(SIMS, dialled, caller, from_sim=True)
    assert refusal(decide(call, company())) == (403, "not_allowed")
    verdict = decide(call._replace(called=CITY), company())
    assert isinstance(verdict, ToPbx) and verdict.did == CITY


def test_who_withholds_their_sims_number_is_shown_inside_by_extension_all_the_same() -> None:
    inside = decide(dials(MARAT, "121")._replace(withheld=True), company())
    assert isinstance(inside, ToPbx) and not inside.withheld and inside.caller == "203"


@pytest.mark.parametrize("digits", ["112", "101", "104"])
def test_emergency_comes_before_everything_and_leaves_by_the_site_of_whose_sim_it_is(
    digits: str,
) -> None:
    for sim, carrier in ((MARAT, "northline"), (NOBODYS_SIM, "volga_city")):
        verdict = decide(dials(sim, digits, again=99), company())
        assert isinstance(verdict, ToCarrier) and verdict.emergency
        assert (verdict.carrier, verdict.masked) == (carrier, False)
