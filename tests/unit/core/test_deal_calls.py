"""Calls by deals, as stories: whose phone rings and what it shows; who is called and what they see;
and what each bad input comes to.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from number_registry.call import Call, Reject, ToCarrier, ToPbx, ToSim, Verdict
from number_registry.conversations import MOST_AGAIN, NOBODY, RETURNED, Behind
from number_registry.deals import Deal
from number_registry.e164 import E164
from number_registry.routing import decide
from tests.unit.core.deal_company import (
    AD,
    CITY,
    CLIENT,
    CLIENT_OFFICE,
    ID,
    LENA,
    MARAT,
    NEW,
    NOON,
    NORTHLINE,
    OTHER_CITY,
    OWN,
    OWNER,
    SIMS,
    STRANGER,
    company,
    dials,
    sends,
)

AUTO = Deal("9001", "203", CITY, ((STRANGER,),), auto_connect=True)


def sim(verdict: Verdict) -> tuple[E164, str, str]:
    assert isinstance(verdict, ToSim), verdict
    return verdict.called, verdict.shown, verdict.deal


def refusal(verdict: Verdict) -> tuple[int, str]:
    assert isinstance(verdict, Reject), verdict
    return verdict.status, verdict.announce


def knows(client: E164, rounds: int = 0) -> Behind:
    return Behind(ID, CITY, client.plus, rounds, mark=RETURNED)


# -- 203*4711 at a PBX -------------------------------------------------------------------------


@pytest.mark.parametrize("dialled", ["203*4711", "203%2A4711", "203*4711*2"])
def test_an_operator_puts_a_client_through_and_the_agents_phone_shows_the_deal(
    dialled: str,
) -> None:
    verdict = decide(sends(dialled), company())
    assert sim(verdict) == (MARAT, "4711", "4711")
    assert isinstance(verdict, ToSim) and verdict.carrier == "steppe_mobile"
    assert (verdict.agent, verdict.operators) == ("203", None)


def test_any_pbx_of_ours_may_put_through() -> None:
    assert sim(decide(sends("203*4711", CLIENT.plus, pbx=NEW), company()))[1] == "4711"


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [
        ("203*9999", (404, "deal_unknown")),
        ("204*4711", (404, "deal_unknown")),
        ("999*4711", (404, "deal_unknown")),
        ("203*4711*3", (404, "deal_unknown")),
        ("203*0815", (410, "deal_closed")),
        ("203*555", (410, "deal_expired")),
        ("205*7001", (480, "")),
    ],
)
def test_what_an_operator_hears_of_a_deal_that_connects_nobody(
    dialled: str, expected: tuple[int, str]
) -> None:
    assert refusal(decide(sends(dialled), company())) == expected


def test_a_deal_ends_when_its_time_is_up() -> None:
    assert sim(decide(sends("203*555"), company(now=NOON - 1)))[2] == "555"


def test_a_pbx_that_puts_through_in_a_circle_is_cut() -> None:
    again = sends("203*4711")._replace(again=MOST_AGAIN + 1)
    assert refusal(decide(again, company())) == (482, "")
    rounds = sends("203*4711", behind=knows(CLIENT, rounds=9))
    assert refusal(decide(rounds, company())) == (482, "")


# -- 203 at a PBX ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "leg",
    [
        sends("203", CLIENT.plus, Behind(client=CLIENT.plus)),  # kept by the PBX
        sends("203", "121", knows(CLIENT)),  # overwritten, and our correlation returned
        sends("203", CITY.plus, knows(CLIENT)),
        sends("203", "anonymous", knows(CLIENT)),  # withheld from everybody but us
    ],
)
def test_a_client_who_asks_for_their_agent_gets_them_by_their_deal(leg: Call) -> None:
    assert sim(decide(leg, company())) == (MARAT, "4711", "4711")


def test_of_two_deals_between_the_same_two_people_the_newest_counts() -> None:
    newer = Deal("4712", "203", CITY, ((CLIENT,),))
    assert sim(decide(sends("203", "121", knows(CLIENT)), company(newer)))[1] == "4712"
    assert sim(decide(sends("203*4711", "121", knows(CLIENT)), company(newer)))[1] == "4711"


def test_a_client_of_two_agents_gets_the_one_asked_for() -> None:
    assert sim(decide(sends("204", "121", knows(CLIENT)), company())) == (LENA, "6001", "6001")


@pytest.mark.parametrize(
    ("behind", "did"),
    [
        (knows(STRANGER), CITY),  # known, with a closed and an expired deal
        (Behind(client=OWN.plus[:-1] + "7"), CITY),
        (Behind(diverted=(OTHER_CITY,)), OTHER_CITY),
        (NOBODY, CITY),
    ],
)
def test_without_a_deal_the_call_goes_to_the_operators_of_the_number_it_came_by(
    behind: Behind, did: E164
) -> None:
    caller = behind.client or "anonymous"
    verdict = decide(sends("203", caller, behind), company())
    assert isinstance(verdict, ToPbx)
    assert (verdict.did, verdict.caller, verdict.masked) == (did, caller, False)
    assert verdict.pbx == {CITY: "old", OTHER_CITY: "new"}[did]


def test_operators_are_not_asked_for_ever() -> None:
    legs = [sends("203", "121", knows(STRANGER, rounds)) for rounds in range(4)]
    verdicts = [decide(leg, company()) for leg in legs]
    assert [type(one) for one in verdicts] == [ToPbx, ToPbx, Reject, Reject]
    assert refusal(verdicts[2]) == (480, "")
    again = sends("203", STRANGER.plus, Behind(client=STRANGER.plus))
    again = again._replace(again=MOST_AGAIN + 1)
    assert refusal(decide(again, company())) == (482, "")


def test_where_the_pbx_says_nothing_of_the_client_one_that_is_live_there_is_meant() -> None:
    for caller in ("121", CITY.plus, "anonymous"):
        leg = sends("203", caller, Behind(client=caller if caller[0] == "+" else ""))
        assert sim(decide(leg._replace(waiting=("4711",)), company()))[1] == "4711"


@pytest.mark.parametrize("waiting", [("4711", "8002"), ("0815",), ("6001",), ("9999",)])
def test_two_that_are_live_or_one_whose_deal_is_over_or_anothers_are_not(
    waiting: tuple[str, ...],
) -> None:
    leg = sends("203", CITY.plus, Behind(client=CITY.plus))._replace(waiting=waiting)
    assert isinstance(decide(leg, company()), ToPbx)


def test_a_client_who_is_known_is_not_taken_for_another_one_who_is_live() -> None:
    leg = sends("203", "121", knows(STRANGER))._replace(waiting=("4711",))
    assert isinstance(decide(leg, company()), ToPbx)


# -- 4711 on the mobile ------------------------------------------------------------------------


def test_an_agent_dials_a_deal_and_the_client_sees_the_city_number() -> None:
    verdict = decide(dials(MARAT, "4711"), company())
    assert isinstance(verdict, ToCarrier)
    assert (verdict.carrier, verdict.called, verdict.shown) == ("northline", CLIENT, CITY)
    assert (verdict.others, verdict.masked, verdict.deal) == ((CLIENT_OFFICE,), True, "4711")
    assert not any(secret in str(verdict.trace) for secret in (CLIENT, CLIENT_OFFICE, MARAT))


@pytest.mark.parametrize("dialled", ["4711*2", "4711%2a2"])
def test_the_second_party_is_dialled_with_a_star(dialled: str) -> None:
    verdict = decide(dials(MARAT, dialled), company())
    assert isinstance(verdict, ToCarrier)
    assert (verdict.called, verdict.others) == (OWNER, ())


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [
        ("4711*3", (404, "deal_unknown")),
        ("9999", (404, "deal_unknown")),
        ("6001", (404, "deal_unknown")),  # another agent's: as if there were none
        ("203*4711", (404, "deal_unknown")),  # that is dialled at a PBX
        ("47#11", (404, "deal_unknown")),
        ("0815", (410, "deal_closed")),
        ("555", (410, "deal_expired")),
        ("8003", (403, "")),  # its city number is suspended: nothing may be shown
    ],
)
def test_what_an_agent_hears_of_a_deal_that_connects_nobody(
    dialled: str, expected: tuple[int, str]
) -> None:
    assert refusal(decide(dials(MARAT, dialled), company())) == expected


def test_a_strangers_deal_sounds_and_reads_as_none_to_its_dialler() -> None:
    theirs, none = (decide(dials(LENA, one), company()) for one in ("4711", "9999"))
    assert refusal(theirs) == refusal(none)


def test_the_agent_may_dial_the_deal_at_a_desk_too_and_nobody_else() -> None:
    assert isinstance(decide(sends("4711", "203"), company()), ToCarrier)
    assert refusal(decide(sends("4711", "111"), company())) == (404, "deal_unknown")
    assert refusal(decide(sends("4711", CLIENT.plus), company())) == (404, "")
    assert refusal(decide(sends("9999", "203"), company())) == (404, "")


def test_an_agent_redials_as_people_do_and_a_phone_that_forwards_in_a_circle_is_cut() -> None:
    assert isinstance(decide(dials(MARAT, "4711", again=MOST_AGAIN), company()), ToCarrier)
    assert refusal(decide(dials(MARAT, "4711", again=MOST_AGAIN + 1), company())) == (482, "")


def test_a_deal_that_leads_to_a_number_of_ours_stays_inside() -> None:
    verdict = decide(dials(MARAT, "8001"), company())
    assert isinstance(verdict, ToPbx)
    assert (verdict.pbx, verdict.did, verdict.caller) == ("old", OWN, CITY.plus)
    assert (verdict.masked, verdict.deal) == (True, "8001")


def test_a_client_who_is_an_agent_sees_the_city_number_on_their_sim() -> None:
    assert sim(decide(dials(MARAT, "8002"), company())) == (LENA, CITY.plus, "8002")


def test_a_number_of_ours_counts_only_where_the_party_has_no_other() -> None:
    both = Deal("8004", "203", CITY, ((OWN, CLIENT),))
    verdict = decide(dials(MARAT, "8004"), company(both))
    assert isinstance(verdict, ToCarrier) and (verdict.called, verdict.others) == (CLIENT, ())


def test_a_client_who_is_an_agent_asks_for_theirs_and_is_known_by_their_sim() -> None:
    assert sim(decide(sends("203", "204", knows(LENA)), company()))[1] == "8002"
    # without a deal between them: an agent who asks for an agent
    assert refusal(decide(sends("204", "203", knows(MARAT)), company())) == (403, "not_allowed")


# -- auto_connect ------------------------------------------------------------------------------


def test_a_client_whose_deal_connects_by_itself_gets_the_agent_and_operators_after() -> None:
    verdict = decide(Call(NORTHLINE, CITY, STRANGER.plus), company(AUTO))
    assert sim(verdict) == (MARAT, "9001", "9001")
    assert isinstance(verdict, ToSim) and verdict.operators is not None
    instead = verdict.operators
    assert (instead.pbx, instead.did, instead.caller) == ("old", CITY, STRANGER.plus)
    assert instead.masked and instead.deal == "9001"


@pytest.mark.parametrize(
    "call",
    [
        Call(NORTHLINE, CITY, CLIENT.plus),  # their deal does not
        Call(NORTHLINE, OWN, STRANGER.plus),  # a supervisor's own number: perhaps about the agent
        Call(NORTHLINE, CITY, ""),  # nobody knows who
        Call(NORTHLINE, CITY, "0890"),
    ],
)
def test_everybody_else_gets_the_pbx_as_ever(call: Call) -> None:
    verdict = decide(call, company(AUTO))
    assert isinstance(verdict, ToPbx) and not verdict.masked
    without = decide(call, company())
    assert isinstance(without, ToPbx) and without == verdict


def test_a_client_who_withholds_their_number_is_known_by_what_the_carrier_asserts() -> None:
    call = Call(NORTHLINE, CITY, STRANGER.plus, withheld=True)
    verdict = decide(call, company(AUTO))
    assert sim(verdict)[1] == "9001"
    assert isinstance(verdict, ToSim) and verdict.operators and verdict.operators.withheld


def test_an_agent_without_a_sim_leaves_it_to_operators() -> None:
    none = Deal("9002", "205", CITY, ((STRANGER,),), auto_connect=True)
    assert isinstance(decide(Call(NORTHLINE, CITY, STRANGER.plus), company(none)), ToPbx)


@pytest.mark.parametrize("ended", [{"closed": True}, {"expires": NOON}])
def test_a_deal_that_is_over_connects_nobody(ended: dict[str, int]) -> None:
    over = AUTO._replace(**ended)
    assert isinstance(decide(Call(NORTHLINE, CITY, STRANGER.plus), company(over)), ToPbx)


# -- of all calls ------------------------------------------------------------------------------

DIGITS = st.sampled_from(
    ["4711", "4711*2", "203*4711", "203", "205", "111", "122", "0815", "9001", "8001", "8002",
     "112", "9", AD, CITY, CLIENT, MARAT, LENA, STRANGER]
)  # fmt: skip


@given(DIGITS, st.sampled_from([MARAT, LENA]), st.booleans())
def test_nobody_outside_and_no_phone_ever_sees_more_than_the_mask(
    called: str, caller: E164, withheld: bool
) -> None:
    """Whatever a SIM dials: what is shown is a number of ours, a deal or an extension."""
    verdict = decide(dials(caller, called)._replace(withheld=withheld), company(AUTO))
    if isinstance(verdict, ToCarrier):
        assert verdict.shown in company().numbers
        assert verdict.masked or verdict.emergency
    if isinstance(verdict, ToSim):
        assert verdict.shown in (CITY.plus, "203", "204") or verdict.shown in company(AUTO).deals
    if isinstance(verdict, ToPbx):
        assert verdict.masked
        assert verdict.caller in (CITY.plus, "203", "204")


@given(DIGITS, st.sampled_from(["111", "121", "203", CLIENT.plus, STRANGER.plus, CITY.plus, ""]))
def test_whatever_a_pbx_sends_an_agents_phone_never_shows_a_number_from_outside(
    called: str, caller: str
) -> None:
    behind = Behind(client=caller) if caller.startswith("+") else NOBODY
    verdict = decide(sends(called, caller, behind), company(AUTO))
    if isinstance(verdict, ToSim):
        assert verdict.shown in {*company(AUTO).deals, *company().people, CITY.plus}


def test_a_sim_is_known_by_its_own_operator_only() -> None:
    elsewhere = SIMS._replace(name="northline")
    verdict = decide(dials(MARAT, "4711")._replace(peer=elsewhere), company())
    assert refusal(verdict) == (403, "not_allowed")
