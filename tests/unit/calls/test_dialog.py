"""A BYE of our own looks to each side as if the other had sent it."""

from __future__ import annotations

import pytest

from gateway.calls.dialog import CSEQ_AHEAD, NoDialogError, Request, bye
from gateway.calls.events import Event
from gateway.calls.fold import fold_all
from tests.unit.calls.story import answer, answered_call, end, ring, start, update


def sent(towards: str, *events: Event) -> tuple[Request, dict[str, str]]:
    request = bye(fold_all(None, events or answered_call()[:3]), towards, 16)  # type: ignore[arg-type]
    assert request.headers.endswith("\r\n")
    headers = dict(line.split(": ", 1) for line in request.headers[:-2].split("\r\n"))
    return request, headers


def test_the_caller_sees_the_called_side_hang_up() -> None:
    request, headers = sent("a")

    assert request.uri == request.next_hop == "sip:carrier@127.9.9.11:5060"
    assert request.socket == "udp:127.0.0.1:5060"
    assert headers == {
        "From": "<sip:+74951230000@127.0.0.1>;tag=to-1",
        "To": "<sip:+79161112233@127.9.9.11>;tag=from-1",
        "Call-ID": "abc@carrier",
        "CSeq": f"{CSEQ_AHEAD} BYE",
        "Reason": "Q.850;cause=16",
    }


def test_the_called_side_sees_the_caller_hang_up_under_the_shown_identity() -> None:
    request, headers = sent("b")

    assert request.uri == "sip:pbx@127.9.9.21:5060"
    assert headers["From"] == "<sip:+79161112233@127.0.0.1>;tag=from-1"
    assert headers["To"] == "<sip:+74951230000@127.0.0.1>;tag=to-1"
    assert headers["CSeq"] == f"{7 + CSEQ_AHEAD} BYE"


def test_the_cseq_is_above_any_that_the_side_has_used() -> None:
    talk = [*answered_call()[:3], update("a", 31), update("b", 900, m="INFO")]

    assert sent("a", *talk)[1]["CSeq"] == f"{900 + CSEQ_AHEAD} BYE"
    assert sent("b", *talk)[1]["CSeq"] == f"{31 + CSEQ_AHEAD} BYE"


def test_routes_towards_the_caller_keep_the_order_of_the_invite() -> None:
    """RFC 3261, 12.1.1."""
    request, headers = sent("a", start(rr=("<sip:p2;lr>", "<sip:p1;lr>")), answer())

    assert headers["Route"] == "<sip:p2;lr>, <sip:p1;lr>"
    assert (request.uri, request.next_hop) == ("sip:carrier@127.9.9.11:5060", "sip:p2;lr")


def test_routes_towards_the_called_side_are_those_of_the_200_turned_round() -> None:
    """RFC 3261, 12.1.2."""
    request, headers = sent("b", start(), answer(rr=("<sip:p4;lr>", "<sip:p3;lr=on>")))

    assert headers["Route"] == "<sip:p3;lr=on>, <sip:p4;lr>"
    assert request.next_hop == "sip:p3;lr=on"


def test_a_strict_router_becomes_the_request_uri_and_the_target_goes_last() -> None:
    """RFC 3261, 12.2.1.1."""
    request, headers = sent("a", start(rr=("<sip:strict>", "<sip:p1;lr>")), answer())

    assert (request.uri, request.next_hop) == ("sip:strict", "sip:strict")
    assert headers["Route"] == "<sip:p1;lr>, <sip:carrier@127.9.9.11:5060>"


@pytest.mark.parametrize(
    ("contact", "addr", "next_hop"),
    [
        ("sip:b@10.0.0.5:5060", "198.51.100.7:40000/udp", "sip:198.51.100.7:40000;transport=udp"),
        ("sip:b@pbx.example", "198.51.100.7:5060/tcp", "sip:198.51.100.7:5060;transport=tcp"),
        ("sip:b@8.8.4.4", "198.51.100.7:5060/udp", "sip:b@8.8.4.4"),
        ("sip:b@198.51.100.7:5062", "198.51.100.7:5060/udp", "sip:b@198.51.100.7:5062"),
        ("sip:b@10.0.0.5", "", "sip:b@10.0.0.5"),
    ],
)
def test_a_contact_that_leads_nowhere_is_reached_where_it_spoke_from(
    contact: str, addr: str, next_hop: str
) -> None:
    request, _ = sent("b", start(), answer(ctc=contact, addr=addr))

    assert (request.uri, request.next_hop) == (contact, next_hop)


@pytest.mark.parametrize(
    "events",
    [
        [start(), ring()],
        [answer()],
        [start(), answer(ctc="")],
        [start(), answer(tt="x\r\nX-Injected: 1")],
        [start(), answer(ctc="sip:b@127.0.0.1\r\nX-Injected: 1")],
        [start(), answer(rr=("<sip:p!!;lr>",))],
        [start(), end("b", "failed", status=486)],
    ],
)
def test_no_bye_is_made_from_too_little_or_from_what_would_add_a_header(
    events: list[Event],
) -> None:
    with pytest.raises(NoDialogError):
        sent("b", *events)
