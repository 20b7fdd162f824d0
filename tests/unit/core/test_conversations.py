"""Legs through a PBX: what a leg tells of its conversation, which number a forwarded call shows,
and when a call is going in circles.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from number_registry.call import Call, Reject, ToCarrier, ToPbx
from number_registry.conversations import (
    AHEAD_S,
    FORGED,
    LONGEST_S,
    MOST_AGAIN,
    MOST_AT_ONCE,
    MOST_ROUNDS,
    RETURNED,
    STALE,
    Behind,
    Correlation,
    behind,
    packed,
    unpacked,
)
from number_registry.directory import NumberRoute
from number_registry.e164 import E164
from number_registry.model import State
from number_registry.routing import decide
from tests.unit.core.test_routing import KAZAN, MOSCOW, NEW, NORTHLINE, OLD, company

CLIENT, MOBILE = E164("79160000001"), E164("79160000002")
ID = "0123456789abcdef" * 2
NOW = 1_790_000_000
SAID = Correlation(ID, MOSCOW, CLIENT.plus, 0, NOW)


def forwards(**leg: object) -> Call:
    """PBX `old` sends a call of the client on to a mobile."""
    facts: dict[str, object] = {"called": MOBILE, "caller": CLIENT.plus}
    return Call(OLD, **{**facts, **leg})  # type: ignore[arg-type]


# -- what a leg tells --------------------------------------------------------------------------


@given(
    st.integers(10**6, 10**15 - 1),
    st.integers(0, 255),
    st.text(max_size=20) | st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True),
)
def test_a_correlation_comes_back_whole_to_its_own_pbx_only(
    did: int, rounds: int, client: str
) -> None:
    data = packed(ID, str(did), client, rounds, NOW, "old")
    number = E164.maybe(client[1:]) if client[:1] == "+" else None
    read = unpacked(data, "old")
    assert read is not None and read[:2] == (ID, str(did)) and read.rounds == rounds
    if number is not None:
        assert read.client == number.plus
    assert unpacked(data, "new") is None
    assert unpacked(data[:-1], "old") is None


def test_the_client_is_the_one_of_the_correlation_then_of_from_then_of_the_asserted_identity() -> (
    None
):
    """A PBX that overwrites From returns the correlation; one that does neither may assert."""
    overwritten = behind(SAID, True, NOW, MOSCOW, None, ())
    assert (overwritten.client, overwritten.mark) == (CLIENT.plus, RETURNED)
    assert behind(None, False, NOW, CLIENT, MOBILE, ()).client == CLIENT.plus
    assert behind(None, False, NOW, None, CLIENT, ()).client == CLIENT.plus
    assert behind(None, False, NOW, None, None, ()) == Behind()


@pytest.mark.parametrize(
    ("said", "now", "mark"),
    [
        (SAID, NOW + LONGEST_S, RETURNED),
        (SAID, NOW + LONGEST_S + 1, STALE),
        (SAID, NOW - AHEAD_S, RETURNED),
        (SAID, NOW - AHEAD_S - 1, STALE),
        (None, NOW, FORGED),
    ],
)
def test_a_stale_or_forged_correlation_says_nothing(
    said: Correlation | None, now: int, mark: str
) -> None:
    found = behind(said, True, now, None, None, ())
    assert found.mark == mark
    assert bool(found.conversation) is bool(found.came_by) is (mark == RETURNED)


def test_what_was_ignored_stands_in_the_trace() -> None:
    verdict = decide(forwards(caller="101", behind=Behind(mark=FORGED)), company())
    assert isinstance(verdict, ToCarrier)
    assert any(rule == "conversation" and "ignored" in said for rule, said in verdict.trace)


# -- what a forwarded call shows ---------------------------------------------------------------


def test_a_forwarded_call_shows_the_number_by_which_its_conversation_came_in() -> None:
    verdict = decide(forwards(behind=Behind(ID, KAZAN, CLIENT.plus, mark=RETURNED)), company())
    assert isinstance(verdict, ToCarrier)
    assert (verdict.shown, verdict.carrier, verdict.forwarded) == (KAZAN, "volga_city", True)
    assert ("forwarded", f"the conversation came in by {KAZAN.plus}") in verdict.trace


def test_or_the_last_number_of_this_pbx_that_diverted_it() -> None:
    """A number that is elsewhere, or nobody's, proves nothing."""
    told = (MOBILE, KAZAN, MOSCOW)
    verdict = decide(forwards(called=CLIENT, behind=Behind(diverted=told)), company())
    assert isinstance(verdict, ToCarrier)
    assert (verdict.shown, verdict.forwarded) == (MOSCOW, True)


def test_a_number_that_two_pbxs_share_is_on_either() -> None:
    directory = company()
    route = NumberRoute((("northline", State.IN_SERVICE),), "new", other_pbx="old", percent=10)
    directory.numbers = {MOSCOW: route}
    call = forwards(behind=Behind(diverted=(MOSCOW,)))
    assert isinstance(decide(call, directory), ToCarrier)
    directory.numbers = {MOSCOW: route._replace(percent=0, other_pbx="")}
    assert isinstance(decide(call, directory), Reject)


@pytest.mark.parametrize("diverted", [(), (KAZAN,), (MOBILE,)])
def test_where_no_number_is_known_it_is_refused_and_the_trace_says_the_mend(
    diverted: tuple[E164, ...],
) -> None:
    verdict = decide(forwards(behind=Behind("", "", CLIENT.plus, 0, diverted)), company())
    assert isinstance(verdict, Reject) and verdict.status == 403
    assert any(rule == "forwarded" and said.startswith("let the PBX return") for rule, said
               in verdict.trace)  # fmt: skip


@given(
    st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True) | st.sampled_from(["", "anonymous"]),
    st.lists(st.sampled_from([MOSCOW, KAZAN, CLIENT, MOBILE]), max_size=4).map(tuple),
    st.sampled_from(["", MOSCOW, KAZAN, CLIENT]),
)
def test_the_phone_network_never_sees_the_callers_number(
    caller: str, diverted: tuple[E164, ...], came_by: str
) -> None:
    directory = company()
    conversation = ID if came_by else ""
    stands = Behind(conversation, came_by, CLIENT.plus, 0, diverted)
    verdict = decide(forwards(caller=caller, behind=stands), directory)
    if isinstance(verdict, ToCarrier):
        assert verdict.shown in directory.numbers


def test_an_extension_and_a_number_of_ours_are_no_forwarding() -> None:
    for caller in ("101", MOSCOW.plus):
        verdict = decide(forwards(caller=caller, behind=Behind(ID, KAZAN)), company())
        assert isinstance(verdict, ToCarrier)
        assert (verdict.shown, verdict.forwarded) == (MOSCOW, False)


def test_an_extension_without_a_number_to_show_shows_none_of_a_conversation_either() -> None:
    verdict = decide(forwards(caller="301", behind=Behind(ID, MOSCOW)), company())
    assert isinstance(verdict, Reject) and verdict.status == 403


def test_a_call_forwarded_to_a_number_of_ours_stays_inside_and_its_caller_is_told_there() -> None:
    verdict = decide(forwards(called=KAZAN, behind=Behind(ID, MOSCOW)), company())
    assert isinstance(verdict, ToPbx)
    assert (verdict.pbx, verdict.did, verdict.caller) == ("new", KAZAN, CLIENT.plus)


def test_emergency_comes_before_all_of_it() -> None:
    call = Call(OLD, "112", CLIENT.plus, behind=Behind(ID, MOSCOW, rounds=200), again=999)
    verdict = decide(call, company())
    assert isinstance(verdict, ToCarrier) and verdict.emergency and not verdict.forwarded


# -- circles -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leg", "cut"),
    [
        ({"behind": Behind(ID, MOSCOW, rounds=MOST_ROUNDS - 1)}, False),
        ({"behind": Behind(ID, MOSCOW, rounds=MOST_ROUNDS)}, True),
        ({"behind": Behind(diverted=(MOSCOW,)), "again": MOST_AGAIN}, False),
        ({"behind": Behind(diverted=(MOSCOW,)), "again": MOST_AGAIN + 1}, True),
        # a queue that closes forwards all who wait, whose conversations are known
        ({"behind": Behind(ID, MOSCOW), "again": 50, "at_once": MOST_AT_ONCE}, False),
        ({"behind": Behind(ID, MOSCOW), "at_once": MOST_AT_ONCE + 1}, True),
        ({"caller": "201", "again": MOST_AGAIN + 1}, True),
        ({"behind": Behind(diverted=(MOSCOW,) * 10)}, False),
        ({"behind": Behind(diverted=(MOSCOW,) * 11)}, True),
        # a number that a whole company shows: many people may call at once
        ({"caller": MOSCOW.plus, "again": 50, "at_once": MOST_AT_ONCE}, False),
        ({"caller": MOSCOW.plus, "again": 50, "at_once": MOST_AT_ONCE + 1}, True),
    ],
)
def test_a_call_between_pbxs_of_ours_that_goes_in_circles_is_cut(
    leg: dict[str, object], cut: bool
) -> None:
    verdict = decide(forwards(called=KAZAN, **leg), company())
    if cut:
        assert isinstance(verdict, Reject) and verdict.status == 482
        assert "in circles" in verdict.reason
    else:
        assert isinstance(verdict, ToPbx)


def test_a_call_that_left_and_comes_back_through_a_carrier_is_cut() -> None:
    again = Call(NORTHLINE, MOSCOW, KAZAN.plus, again=MOST_AGAIN)
    assert isinstance(decide(again, company()), ToPbx)
    verdict = decide(again._replace(again=MOST_AGAIN + 1), company())
    assert isinstance(verdict, Reject) and verdict.status == 482


# -- between our own numbers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ((State.IN_SERVICE,), "inside"),
        ((State.PORTING_IN,), "inside"),
        ((State.PORTING_OUT,), "inside"),
        ((State.PORTING_OUT, State.PORTING_IN), "inside"),
        ((State.SUSPENDED, State.PORTING_IN), "inside"),
        ((State.RELEASED, State.IN_SERVICE), "inside"),
        ((State.SUSPENDED,), "refused"),
        ((State.RELEASED, State.SUSPENDED), "refused"),
        ((State.RESERVED,), "outside"),
        ((State.RELEASED,), "outside"),
        ((State.COOLING,), "outside"),
        ((), "outside"),
    ],
)
def test_a_call_to_a_number_of_ours_stays_inside_unless_it_has_left_us(
    states: tuple[State, ...], outcome: str
) -> None:
    """Where it is not here yet, or no more, the phone network knows who answers for it."""
    directory = company()
    tenancies = tuple(zip(("middleman", "northline"), states, strict=False))
    directory.numbers = {**directory.numbers, MOBILE: NumberRoute(tenancies, "new")}
    verdict = decide(Call(OLD, MOBILE, "101"), directory)
    kinds = {"inside": ToPbx, "refused": Reject, "outside": ToCarrier}
    assert isinstance(verdict, kinds[outcome])
    if isinstance(verdict, Reject):
        assert verdict.status == 404
    if isinstance(verdict, ToPbx):
        assert (verdict.pbx, verdict.caller) == ("new", MOSCOW.plus)


def test_inside_the_share_of_two_pbxs_holds_as_outside() -> None:
    directory = company()
    shared = NumberRoute((("volga_city", State.IN_SERVICE),), "new", other_pbx="old", percent=30)
    directory.numbers = {**directory.numbers, KAZAN: shared}
    rung = [decide(Call(OLD, KAZAN, "101", lot=lot), directory) for lot in (29, 30)]
    assert [one.pbx for one in rung if isinstance(one, ToPbx)] == ["old", "new"]


def test_inside_a_number_on_no_pbx_is_not_available_rather_than_sent_outside() -> None:
    directory = company()
    route = NumberRoute((("northline", State.IN_SERVICE),), "")
    directory.numbers = {**directory.numbers, KAZAN: route}
    verdict = decide(Call(OLD, KAZAN, "101"), directory)
    assert isinstance(verdict, Reject) and verdict.status == 480


def test_a_sim_of_ours_reaches_a_number_of_another_carrier_inside() -> None:
    sim = Call(NORTHLINE, KAZAN, "+79160000009", from_sim=True)
    verdict = decide(sim, company())
    assert isinstance(verdict, ToPbx) and verdict.pbx == "new"
    assert isinstance(decide(sim._replace(from_sim=False), company()), Reject)


@pytest.mark.parametrize("digits", ["201", "0890", "4711"])
def test_a_short_number_is_none_of_ours_and_does_not_leave(digits: str) -> None:
    verdict = decide(Call(NEW, digits, "201"), company())
    assert isinstance(verdict, Reject) and verdict.status == 404
