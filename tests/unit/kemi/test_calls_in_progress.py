"""Inside a call: the token in the Route is all that is needed, before and after a restart, in both
directions.
"""

from __future__ import annotations

import re

import pytest

from tests.unit.kemi.conftest import US, Gateway, invite, message

NORTHLINE = ("192.0.2.2", 5060)
PBX_OLD = ("198.51.100.21", 5060)
PBX_NEW = ("198.51.100.33", 5060)
STRANGER = ("203.0.113.7", 5060)
TO_TAG = "called-tag"


def reply(status: int, reason: str, *extra: str) -> str:
    return message(
        f"SIP/2.0 {status} {reason}",
        [
            f"Via: SIP/2.0/UDP {US};branch=z9hG4bK-gw",
            "Via: SIP/2.0/UDP 192.0.2.18:5060;branch=z9hG4bK-1",
            f"From: <sip:78431230001@{US}>;tag=caller-tag",
            f"To: <sip:x@{US}>;tag={TO_TAG}",
            "Call-ID: call-1@example",
            "CSeq: 7 INVITE",
            "Contact: <sip:pbx@198.51.100.21:5060>",
            *extra,
        ],
    )


def in_call(
    method: str, route: str, from_uri: str, from_tag: str, to_uri: str, to_tag: str, cseq: int = 8
) -> str:
    return message(
        f"{method} sip:someone@192.0.2.2:5060 SIP/2.0",
        [
            "Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK-2",
            f"From: <{from_uri}>;tag={from_tag}",
            f"To: <{to_uri}>;tag={to_tag}",
            f"Route: {route}",
            "Call-ID: call-1@example",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
        ],
    )


def established(gateway: Gateway) -> str:
    """A call from extension 201 by way of volga_city; gives our Record-Route."""
    ksr = gateway.receives(invite("89160000002", "201", host=PBX_NEW[0]), PBX_NEW)
    found = re.search(rb"Record-Route: (<.*?>)", ksr.sent[0].data)
    assert found is not None
    gateway.replies(reply(200, "OK"))
    return found.group(1).decode()


def lines(data: bytes) -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in data.decode().split("\r\n")[1:] if ": " in line)
    return {name: value for name, value in pairs}


CALLER_AS_SENT, CALLED_AS_SENT = f"sip:201@{PBX_NEW[0]}", f"sip:89160000002@{US}"
CALLER_AS_SHOWN = f"sip:88431230001@{US}"


def test_an_answer_gives_the_caller_its_own_from_back(gateway: Gateway) -> None:
    gateway.receives(invite("89160000002", "201", host=PBX_NEW[0]), PBX_NEW)
    out = lines(gateway.replies(reply(180, "Ringing")))
    assert out["From"] == f"<{CALLER_AS_SENT}>;tag=caller-tag"


def test_who_was_reached_is_not_told_inside_the_call_either(gateway: Gateway) -> None:
    route = established(gateway)
    ids = CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG
    gateway.receives(in_call("INVITE", route, *ids), PBX_NEW)
    who = 'P-Asserted-Identity: "Extension 102" <sip:102@pbx>'
    again = reply(200, "OK", who).replace("7 INVITE", "8 INVITE")
    assert "P-Asserted-Identity" not in lines(gateway.replies(again))


@pytest.mark.parametrize("restarted", [False, True])
def test_the_caller_hangs_up(gateway: Gateway, restarted: bool) -> None:
    route = established(gateway)
    if restarted:
        gateway.start()
    ksr = gateway.receives(
        in_call("BYE", route, CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG), PBX_NEW
    )
    out = lines(ksr.sent[0].data)
    assert out["From"] == f"<{CALLER_AS_SHOWN}>;tag=caller-tag"
    assert "Route" not in out
    assert [(event["e"], event.get("side")) for event in gateway.events()][-1] == ("end", "a")


@pytest.mark.parametrize("restarted", [False, True])
def test_the_called_side_hangs_up(gateway: Gateway, restarted: bool) -> None:
    route = established(gateway)
    if restarted:
        gateway.start()
    bye = in_call("BYE", route, CALLED_AS_SENT, TO_TAG, CALLER_AS_SHOWN, "caller-tag", cseq=1)
    ksr = gateway.receives(bye, ("192.0.2.18", 5060))
    out = lines(ksr.sent[0].data)
    assert out["To"] == f"<{CALLER_AS_SENT}>;tag=caller-tag"
    assert gateway.events()[-1]["side"] == "b"
    ids = {event["c"] for event in gateway.events()}
    assert len(ids) == 1


def test_a_token_of_another_call_is_no_permission(gateway: Gateway) -> None:
    route = established(gateway)
    bye = in_call("BYE", route, CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG).replace(
        "call-1@", "call-2@"
    )
    ksr = gateway.receives(bye, PBX_NEW)
    assert [answer.status for answer in ksr.replies] == [481]
    assert gateway.receives(bye, STRANGER).replies == []


def test_a_request_in_a_call_that_ran_out_of_hops_is_told_so(gateway: Gateway) -> None:
    route = established(gateway)
    bye = in_call("BYE", route, CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG)
    ksr = gateway.receives(bye.replace("Max-Forwards: 70", "Max-Forwards: 0"), PBX_NEW)
    assert (ksr.sent, [answer.status for answer in ksr.replies]) == ([], [483])


@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE", "ACK"])
def test_a_stranger_with_an_overheard_token_sends_nothing_through_us(
    gateway: Gateway, method: str
) -> None:
    route = established(gateway)
    request = in_call(method, route, CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG)
    ksr = gateway.receives(request, STRANGER)
    assert (ksr.sent, ksr.replies) == ([], [])
    assert "end" not in [event["e"] for event in gateway.events()]


def test_a_bye_with_the_tags_of_another_dialog_ends_nothing(gateway: Gateway) -> None:
    route = established(gateway)
    bye = in_call("BYE", route, CALLER_AS_SENT, "some-tag", CALLED_AS_SENT, "other-tag")
    ksr = gateway.receives(bye, PBX_NEW)
    assert (ksr.sent, [answer.status for answer in ksr.replies]) == ([], [481])
    assert "end" not in [event["e"] for event in gateway.events()]


def test_a_changed_token_is_refused(gateway: Gateway) -> None:
    route = established(gateway)
    gateway.start()
    at = route.index(";pg=") + 30
    changed = route[:at] + ("A" if route[at] != "A" else "B") + route[at + 1 :]
    ksr = gateway.receives(
        in_call("BYE", changed, CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG), PBX_NEW
    )
    assert (ksr.sent, [answer.status for answer in ksr.replies]) == ([], [481])


def test_requests_inside_a_call_are_recorded_with_their_cseq(gateway: Gateway) -> None:
    route = established(gateway)
    gateway.receives(
        in_call("INFO", route, CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG, cseq=11),
        PBX_NEW,
    )
    update = gateway.events()[-1]
    assert (update["e"], update["side"], update["m"], update["cseq"]) == ("update", "a", "INFO", 11)


def test_the_next_address_of_a_pbx_is_tried_when_one_is_down(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.fails(503)
    assert [sent.next_hop for sent in ksr.sent] == [
        "sip:198.51.100.21:5060;transport=udp",
        "sip:198.51.100.22:5060;transport=udp",
    ]
    gateway.fails(408)
    assert len(ksr.sent) == 2
    assert [event["e"] for event in gateway.events()] == ["start", "try", "end"]


@pytest.mark.parametrize("status", [404, 486, 603, 600, 400])
def test_a_persons_no_is_final(gateway: Gateway, status: int) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.fails(status)
    assert len(ksr.sent) == 1
    assert gateway.events()[-1]["status"] == status


def test_nobody_answering_is_no_reason_to_ring_elsewhere(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.replies(reply(180, "Ringing"))
    gateway.fails(408)
    assert len(ksr.sent) == 1


def test_a_cancelled_call_is_not_tried_elsewhere(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.fails(487, cancelled=True)
    assert len(ksr.sent) == 1
    assert gateway.events()[-1]["how"] == "cancel"


@pytest.mark.parametrize("status", [302, 401, 407])
def test_they_stay_here_when_the_caller_has_given_up_meanwhile_too(
    gateway: Gateway, status: int
) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.fails(status, cancelled=True)
    assert [answer.status for answer in ksr.replies] == [487]
    assert (gateway.events()[-1]["how"], gateway.events()[-1]["status"]) == ("cancel", 487)


@pytest.mark.parametrize(("status", "said"), [(302, 480), (407, 503), (401, 503)])
def test_redirections_and_challenges_of_the_far_side_stay_here(
    gateway: Gateway, status: int, said: int
) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.fails(status)
    assert [answer.status for answer in ksr.replies] == [said]


def test_a_second_ringing_is_recorded_once(gateway: Gateway) -> None:
    gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.replies(reply(180, "Ringing"))
    gateway.replies(reply(180, "Ringing"))
    assert [event["e"] for event in gateway.events()] == ["start", "ring"]


@pytest.mark.parametrize("method", ["ACK", "BYE", "INVITE"])
def test_a_display_name_that_was_taken_away_does_not_come_back_inside_the_call(
    gateway: Gateway, method: str
) -> None:
    route = established(gateway)
    named = in_call(method, route, CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG)
    ksr = gateway.receives(named.replace("From: <", 'From: "Rail" <'), PBX_NEW)
    assert lines(ksr.sent[0].data)["From"] == f"<{CALLER_AS_SHOWN}>;tag=caller-tag"


def test_a_display_name_that_was_told_stays(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001", display='"Ivan" '), NORTHLINE)
    found = re.search(rb"Record-Route: (<.*?>)", ksr.sent[0].data)
    assert found is not None
    ids = "sip:+79160000001@192.0.2.2", "caller-tag", f"sip:+74951230001@{US}", TO_TAG
    ack = in_call("ACK", found.group(1).decode(), *ids)
    ksr = gateway.receives(ack.replace("From: <", 'From: "Ivan" <'), NORTHLINE)
    assert lines(ksr.sent[0].data)["From"].startswith('"Ivan" <')


SDP = "v=0\no=- 1 1 IN IP4 192.0.2.2\ns=-\nc=IN IP4 192.0.2.2\nt=0 0\nm=audio 4000 RTP/AVP 8\n"


def with_sdp(text: str) -> str:
    body = SDP.replace("\n", "\r\n")
    length = f"Content-Type: application/sdp\nContent-Length: {len(body)}"
    return text.replace("Content-Length: 0", length) + SDP


def call_by(gateway: Gateway, to: str) -> str:
    """A call from extension 201 with an offer, answered; gives our Record-Route."""
    ksr = gateway.receives(with_sdp(invite(to, "201", host=PBX_NEW[0])), PBX_NEW)
    found = re.search(rb"Record-Route: (<.*?>)", ksr.sent[0].data)
    assert found is not None
    gateway.replies(with_sdp(reply(200, "OK")))
    return found.group(1).decode()


def asked_of_the_relay(gateway: Gateway) -> list[str]:
    names = [effect.name for effect in gateway.ksr.effects]
    return [name for name in names if name.startswith("rtpengine.")]


def test_what_an_answer_to_options_could_do_is_no_offer(gateway_with_media: Gateway) -> None:
    route = call_by(gateway_with_media, "89160000002")
    ids = CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG
    gateway_with_media.receives(with_sdp(in_call("OPTIONS", route, *ids)), PBX_NEW)
    gateway_with_media.replies(with_sdp(reply(200, "OK").replace("7 INVITE", "8 OPTIONS")))
    assert asked_of_the_relay(gateway_with_media) == []


def test_an_update_and_its_answer_are_negotiated(gateway_with_media: Gateway) -> None:
    route = call_by(gateway_with_media, "89160000002")
    ids = CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, TO_TAG
    gateway_with_media.receives(with_sdp(in_call("UPDATE", route, *ids)), PBX_NEW)
    gateway_with_media.replies(with_sdp(reply(200, "OK").replace("7 INVITE", "8 UPDATE")))
    assert asked_of_the_relay(gateway_with_media) == [
        "rtpengine.rtpengine_offer",
        "rtpengine.rtpengine_answer",
    ]


def test_an_ack_goes_on_when_the_media_relay_is_down(gateway_with_media: Gateway) -> None:
    route = call_by(gateway_with_media, "112")
    ids = CALLER_AS_SENT, "caller-tag", f"sip:112@{US}", TO_TAG
    ack = with_sdp(in_call("ACK", route, *ids))
    assert len(gateway_with_media.receives(ack, PBX_NEW, relay_is_up=False).sent) == 1


@pytest.mark.parametrize(("to", "goes_on"), [("112", True), ("89160000002", False)])
def test_a_refresh_with_the_media_relay_down(
    gateway_with_media: Gateway, to: str, goes_on: bool
) -> None:
    route = call_by(gateway_with_media, to)
    ids = CALLER_AS_SENT, "caller-tag", f"sip:{to}@{US}", TO_TAG
    again = with_sdp(in_call("INVITE", route, *ids))
    ksr = gateway_with_media.receives(again, PBX_NEW, relay_is_up=False)
    assert len(ksr.sent) == (1 if goes_on else 0)
    # With a transaction, so that its ACK ends here and reaches nobody who never saw the INVITE.
    said = [(answer.status, answer.stateful) for answer in ksr.replies]
    assert said == ([] if goes_on else [(503, True)])


def test_a_bye_names_the_answer_that_it_takes_back(gateway: Gateway) -> None:
    route = established(gateway)
    gateway.receives(
        in_call("BYE", route, CALLER_AS_SENT, "caller-tag", CALLED_AS_SENT, "of-a-fork"), PBX_NEW
    )
    gateway.receives(
        in_call("BYE", route, CALLED_AS_SENT, TO_TAG, CALLER_AS_SHOWN, "caller-tag", cseq=1),
        ("192.0.2.18", 5060),
    )
    assert [(event["side"], event["tt"]) for event in gateway.events()[-2:]] == [
        ("a", "of-a-fork"),
        ("b", TO_TAG),
    ]


def test_a_phone_that_rang_until_its_pbx_gave_up_is_not_rung_elsewhere(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.replies(reply(180, "Ringing"))
    gateway.fails(480)
    assert len(ksr.sent) == 1


def test_a_cancelled_call_is_recorded_as_its_caller_heard_it(gateway: Gateway) -> None:
    gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    gateway.fails(408, cancelled=True)
    end = gateway.events()[-1]
    assert (end["how"], end["status"]) == ("cancel", 487)
