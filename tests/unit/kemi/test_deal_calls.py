"""Calls by deals through the router: how they are written for a SIM, what is tried after what, and
what is recorded.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kemi.plan import CORRELATION
from number_registry.conversations import MOST_AGAIN
from number_registry.deals import Deal
from tests.unit.core.deal_company import (
    CITY,
    CLIENT,
    CLIENT_OFFICE,
    MARAT,
    STRANGER,
    company,
)
from tests.unit.kemi.conftest import US, Gateway, invite
from tests.unit.kemi.test_new_calls import NORTHLINE, PBX_OLD, header

SIMS = ("198.51.100.162", 5060)
AUTO = Deal("9001", "203", CITY, ((STRANGER,),), auto_connect=True)


def shown_in_from(data: bytes) -> str:
    """Without the tag, which is one of ours."""
    return header(data, "From").partition(";tag=")[0]


@pytest.fixture
def deals(gateway: Gateway) -> Gateway:
    """The gateway with a company that has agents and deals."""
    directory = company(AUTO)
    gateway.router.worker.directory = lambda: directory  # type: ignore[method-assign]
    return gateway


def user_of(data: bytes) -> str:
    """Of the Request-URI."""
    return data.split(b" ", 2)[1].decode().partition(":")[2].partition("@")[0]


def sent_by(gateway: Gateway, raw: str, source: tuple[str, int]) -> bytes:
    (sent,) = gateway.receives(raw, source).sent
    return sent.data


def refused(gateway: Gateway, raw: str, source: tuple[str, int]) -> int:
    ksr = gateway.receives(raw, source)
    assert not ksr.sent
    return ksr.replies[-1].status


def on_sim(called: str) -> str:
    asserted = f"P-Asserted-Identity: <sip:{MARAT.plus}@{SIMS[0]}>"
    return invite(called, MARAT.plus, asserted, host=SIMS[0])


@pytest.mark.parametrize("dialled", ["203*4711", "203%2A4711", "203*4711*2"])
def test_a_client_is_put_through_by_the_sims_trunk_and_the_deal_is_all_that_is_shown(
    deals: Gateway, dialled: str
) -> None:
    diversion = f"Diversion: <sip:{CITY.plus}@pbx>"
    raw = invite(dialled, CLIENT.plus, diversion, host=PBX_OLD[0], display='"Client" ')
    data = sent_by(deals, raw, PBX_OLD)
    assert user_of(data) == MARAT.plus
    assert shown_in_from(data) == f"<sip:4711@{US}>"
    assert header(data, "P-Asserted-Identity") == f"<sip:4711@{US}>"
    assert header(data, "Diversion") is None and header(data, CORRELATION) is None
    assert b"Client" not in data
    (start,) = deals.events()
    assert (start["kind"], start["to"], start["trunk2"]) == ("sim", "steppe_mobile", "sims")
    assert (start["deal"], start["agent"], start["shown"]) == ("4711", "203", "4711")


def test_an_agent_dials_a_deal_and_it_leaves_by_the_city_numbers_carrier(deals: Gateway) -> None:
    data = sent_by(deals, on_sim("4711*2"), SIMS)
    assert (user_of(data), shown_in_from(data)) == (
        "+79162222222",
        f"<sip:{CITY.plus}@{US}>",
    )
    assert MARAT.encode() not in data
    (start,) = deals.events()
    assert (start["kind"], start["deal"], start["agent"]) == ("carrier", "4711", "203")
    assert (start["caller"], start["called"]) == (MARAT.plus, "4711*2")


@pytest.mark.parametrize("status", [404, 408, 480, 503])
def test_the_next_number_of_a_client_is_tried_where_the_first_cannot_be_reached(
    deals: Gateway, status: int
) -> None:
    first = sent_by(deals, on_sim("4711"), SIMS)
    deals.fails(status)
    assert [user_of(one.data) for one in deals.ksr.sent] == [CLIENT.plus, CLIENT_OFFICE.plus]
    assert user_of(first) == CLIENT.plus
    deals.fails(status)
    assert len(deals.ksr.sent) == 2
    assert [event["e"] for event in deals.events()] == ["start", "try", "end"]


@pytest.mark.parametrize("status", [486, 603, 600])
def test_a_persons_no_is_not_carried_to_their_other_number(deals: Gateway, status: int) -> None:
    sent_by(deals, on_sim("4711"), SIMS)
    deals.fails(status)
    assert len(deals.ksr.sent) == 1


RINGS = "SIP/2.0 180 Ringing"


def rings(gateway: Gateway) -> None:
    """The far side of the attempt at hand rings."""
    sent = gateway.ksr.sent[-1].data.decode()
    kept = ("Via:", "From:", "To:", "Call-ID:", "CSeq:")
    lines = [line for line in sent.split("\r\n") if line.startswith(kept)]
    gateway.replies("\n".join([RINGS, *lines, "Content-Length: 0", "", ""]))


@pytest.mark.parametrize("status", [404, 408, 480, 486, 503, 603])
@pytest.mark.parametrize("before", [lambda gateway: None, rings])
def test_whatever_becomes_of_the_agents_phone_the_client_reaches_operators(
    deals: Gateway, status: int, before: Callable[[Gateway], None]
) -> None:
    data = sent_by(deals, invite(CITY.plus, STRANGER.plus), NORTHLINE)
    assert (user_of(data), shown_in_from(data)) == (MARAT.plus, f"<sip:9001@{US}>")
    before(deals)
    deals.fails(status)
    instead = deals.ksr.sent[-1].data
    assert user_of(instead) == CITY.plus and len(deals.ksr.sent) == 2
    assert (header(instead, "From") or "").startswith(f"<sip:{STRANGER.plus}@")
    assert header(instead, "P-Asserted-Identity") is None
    assert header(instead, CORRELATION)
    deals.fails(486)
    assert len(deals.ksr.sent) == 2
    start, *_ = deals.events()
    assert (start["kind"], start["deal"]) == ("sim", "9001")


def test_a_client_who_gives_up_is_not_carried_to_operators(deals: Gateway) -> None:
    sent_by(deals, invite(CITY.plus, STRANGER.plus), NORTHLINE)
    deals.fails(487, cancelled=True)
    assert len(deals.ksr.sent) == 1


def test_the_agents_phone_rings_for_a_shorter_time_where_operators_wait(deals: Gateway) -> None:
    def patience() -> int:
        return int(deals.ksr.did("tm.t_set_fr")[-1].arguments[0])

    sent_by(deals, invite(CITY.plus, STRANGER.plus), NORTHLINE)
    rings(deals)
    assert patience() == 20000
    deals.fails(408)
    rings(deals)
    assert patience() == 120000
    sent_by(deals, invite("203*4711", CLIENT.plus, host=PBX_OLD[0]), PBX_OLD)
    rings(deals)
    assert patience() == 120000


@pytest.mark.parametrize(
    ("dialled", "status"), [("0815", 410), ("555", 410), ("9999", 404), ("89161111111", 403)]
)
def test_what_connects_nobody_is_refused_and_recorded(
    deals: Gateway, dialled: str, status: int
) -> None:
    assert refused(deals, on_sim(dialled), SIMS) == status
    (start,) = deals.events()
    assert (start["kind"], start["status"], start["agent"]) == ("reject", status, "203")


def test_an_extension_is_dialled_at_its_pbx_and_sees_an_extension(deals: Gateway) -> None:
    data = sent_by(deals, on_sim("121"), SIMS)
    assert user_of(data) == "121"
    assert (shown_in_from(data), header(data, "To")) == (
        f"<sip:203@{US}>",
        f"<sip:121@{US}>",
    )


def test_a_phone_that_forwards_in_a_circle_is_cut(deals: Gateway) -> None:
    for _ in range(MOST_AGAIN):
        sent_by(deals, on_sim("4711"), SIMS)
    assert refused(deals, on_sim("4711"), SIMS) == 482
    sent_by(deals, on_sim("4711*2"), SIMS)
