"""New calls through the router: who may call, where the call goes, how it is written there, what is
recorded.
"""

from __future__ import annotations

import re

import pytest

from tests.unit.kemi.conftest import US, Gateway, invite

NORTHLINE = ("192.0.2.2", 5060)
VOLGA_KAZAN = ("192.0.2.18", 5060)
PBX_OLD = ("198.51.100.21", 5060)
PBX_NEW = ("198.51.100.33", 5060)
STRANGER = ("203.0.113.7", 5060)
SDP = "v=0\no=- 1 1 IN IP4 192.0.2.2\ns=-\nc=IN IP4 192.0.2.2\nt=0 0\nm=audio 4000 RTP/AVP 8\n"


def header(data: bytes, name: str) -> str | None:
    found = re.search(rb"^" + name.encode() + rb": (.*?)\r$", data, re.MULTILINE)
    return found.group(1).decode() if found else None


def test_a_call_to_our_number_reaches_the_pbx_with_both_numbers_in_full(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    (sent,) = ksr.sent
    assert sent.next_hop == "sip:198.51.100.21:5060;transport=udp"
    assert sent.data.startswith(b"INVITE sip:+74951230001@198.51.100.21:5060 SIP/2.0")
    assert header(sent.data, "From") == "<sip:+79160000001@192.0.2.2>;tag=caller-tag"
    (start,) = gateway.events()
    assert (start["kind"], start["to"], start["called"]) == ("pbx", "old", "+74951230001")
    assert [rule for rule, _ in start["rules"]] == ["from", "number", "pbx"]


def test_a_local_call_of_seven_digits_is_completed_by_the_area_code_of_its_trunk(
    gateway: Gateway,
) -> None:
    identity = "P-Asserted-Identity: <sip:89270000001@192.0.2.18>"
    ksr = gateway.receives(invite("1230001", "anonymous", identity, host="192.0.2.18"), VOLGA_KAZAN)
    (sent,) = ksr.sent
    assert sent.data.startswith(b"INVITE sip:78431230001@198.51.100.31:5060;transport=tcp SIP/2.0")
    assert header(sent.data, "From") == f"<sip:79270000001@{US}>;tag=caller-tag"
    assert header(sent.data, "To") == f"<sip:78431230001@{US}>"
    assert header(sent.data, "P-Asserted-Identity") is None


def test_an_extension_calls_out_by_the_carrier_of_the_number_it_shows(gateway: Gateway) -> None:
    ksr = gateway.receives(
        invite("89160000002", "201", host="198.51.100.33", display='"Rail" '), PBX_NEW
    )
    (sent,) = ksr.sent
    assert sent.next_hop == "sip:192.0.2.18:5060;transport=udp"
    assert sent.data.startswith(b"INVITE sip:89160000002@192.0.2.18:5060 SIP/2.0")
    assert header(sent.data, "From") == f"<sip:88431230001@{US}>;tag=caller-tag"
    assert header(sent.data, "P-Asserted-Identity") == f"<sip:88431230001@{US}>"


def test_a_withheld_caller_stays_withheld(gateway: Gateway) -> None:
    ksr = gateway.receives(
        invite("+74951230001", "+79160000001", "Privacy: id", display='"Ivan" '), NORTHLINE
    )
    (sent,) = ksr.sent
    assert header(sent.data, "From") == "<sip:anonymous@anonymous.invalid>;tag=caller-tag"
    assert header(sent.data, "Privacy") == "id"
    assert b"79160000001" not in sent.data.partition(b"Contact:")[0]


def test_every_privacy_header_counts(gateway: Gateway) -> None:
    wishes = ("Privacy: none", "Privacy: user,critical")
    ksr = gateway.receives(invite("+74951230001", "+79160000001", *wishes), NORTHLINE)
    assert header(ksr.sent[0].data, "From") == "<sip:anonymous@anonymous.invalid>;tag=caller-tag"


def test_a_wish_for_privacy_cannot_be_hidden_behind_many_others(gateway: Gateway) -> None:
    wishes = (*["Privacy: none"] * 9, "Privacy: id")
    ksr = gateway.receives(invite("+74951230001", "+79160000001", *wishes), NORTHLINE)
    assert header(ksr.sent[0].data, "From") == "<sip:anonymous@anonymous.invalid>;tag=caller-tag"


def test_an_extension_may_withhold_its_number_from_the_called_party(gateway: Gateway) -> None:
    by_identity = gateway.receives(
        invite("89160000002", "201", "Privacy: id", host=PBX_NEW[0]), PBX_NEW
    )
    data = by_identity.sent[0].data
    assert header(data, "From") == "<sip:anonymous@anonymous.invalid>;tag=caller-tag"
    assert header(data, "P-Asserted-Identity") == f"<sip:88431230001@{US}>"
    assert header(data, "Privacy") == "id"
    by_from = gateway.receives(invite("89160000002", "101", "Privacy: id"), PBX_OLD)
    assert header(by_from.sent[0].data, "Privacy") == "user;id"


def test_an_anonymous_extension_is_known_by_its_asserted_identity(gateway: Gateway) -> None:
    raw = invite(
        "89160000002", "anonymous", "P-Asserted-Identity: <sip:201@pbx>", host="anonymous.invalid"
    )
    ksr = gateway.receives(raw, PBX_NEW)
    assert header(ksr.sent[0].data, "P-Asserted-Identity") == f"<sip:88431230001@{US}>"
    assert header(ksr.sent[0].data, "Privacy") == "id"


def test_rescue_services_see_a_withheld_number(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("112", "101", "Privacy: id"), PBX_OLD)
    assert header(ksr.sent[0].data, "Privacy") is None


@pytest.mark.parametrize("written", ["%2B74951230001", "+7(495)123-00-01", "+74951230001;npdi"])
def test_a_number_may_be_written_with_escapes_separators_and_parameters(
    gateway: Gateway, written: str
) -> None:
    ksr = gateway.receives(invite(written, "%2B79160000001"), NORTHLINE)
    assert ksr.sent[0].data.startswith(b"INVITE sip:+74951230001@198.51.100.21:5060 SIP/2.0")
    assert header(ksr.sent[0].data, "From") == f"<sip:+79160000001@{US}>;tag=caller-tag"


def test_a_fork_of_a_proxy_to_another_number_is_a_call_of_its_own(gateway: Gateway) -> None:
    gateway.receives(invite("+74951230000", "+79160000001"), NORTHLINE)
    gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    first, second = gateway.events()
    assert first["cid"] == second["cid"]
    assert first["c"] != second["c"]


@pytest.mark.parametrize(
    ("method", "status"), [("REFER", 405), ("SUBSCRIBE", 405), ("FOO", 405), ("INFO", 481)]
)
def test_a_method_that_opens_no_call_is_refused_by_its_kind(
    gateway: Gateway, method: str, status: int
) -> None:
    raw = invite("+74951230001", "+79160000001").replace("INVITE", method)
    (reply,) = gateway.receives(raw, NORTHLINE).replies
    assert reply.status == status
    assert (b"Allow: INVITE" in reply.headers) is (status == 405)


def test_a_route_put_into_a_new_call_leads_it_nowhere(gateway: Gateway) -> None:
    route = "Route: <sip:203.0.113.66;lr>"
    ksr = gateway.receives(invite("+74951230001", "+79160000001", route), NORTHLINE)
    (sent,) = ksr.sent
    assert sent.next_hop == "sip:198.51.100.21:5060;transport=udp"
    assert b"203.0.113.66" not in sent.data


def test_digits_of_another_script_are_no_caller(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230001", "\u0664\u0662"), NORTHLINE)
    (sent,) = ksr.sent
    assert header(sent.data, "From") == "<sip:anonymous@anonymous.invalid>;tag=caller-tag"


def test_an_unknown_source_hears_nothing_at_all(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230001", "+79160000001", host=STRANGER[0]), STRANGER)
    assert (ksr.sent, ksr.replies, gateway.events()) == ([], [], [])


@pytest.mark.parametrize("number", ["+74951239999", "+74951230003", "+78431230001", "777", "hello"])
def test_refused_numbers_all_get_the_same_answer(gateway: Gateway, number: str) -> None:
    """Not ours, suspended, another carrier's, too short, no number: the answer tells none apart."""
    ksr = gateway.receives(invite(number, "+79160000001"), NORTHLINE)
    assert [(reply.status, reply.reason) for reply in ksr.replies] == [(404, "Not Found")]
    assert gateway.events()[0]["kind"] == "reject"


def test_a_number_attached_to_no_pbx_is_temporarily_unavailable(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+74951230004", "+79160000001"), NORTHLINE)
    assert [reply.status for reply in ksr.replies] == [480]


def test_a_pbx_may_not_show_a_number_that_is_not_ours(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("+79160000002", "+74950000000", host=PBX_OLD[0]), PBX_OLD)
    assert [reply.status for reply in ksr.replies] == [403]
    assert ksr.sent == []


def test_a_call_between_our_own_numbers_stays_inside(gateway: Gateway) -> None:
    ksr = gateway.receives(invite("84951230002", "101", host=PBX_OLD[0]), PBX_OLD)
    assert ksr.sent[0].next_hop == "sip:198.51.100.31:5060;transport=tcp"


@pytest.mark.parametrize("digits", ["112", "101", "104"])
def test_an_emergency_call_leaves_by_the_carrier_of_the_callers_site(
    gateway: Gateway, digits: str
) -> None:
    ksr = gateway.receives(invite(digits, "201", host=PBX_NEW[0]), PBX_NEW)
    (sent,) = ksr.sent
    assert sent.data.startswith(f"INVITE sip:{digits}@192.0.2.18:5060".encode())
    assert header(sent.data, "From") == f"<sip:88431230000@{US}>;tag=caller-tag"
    assert gateway.events()[0]["rules"][0][0] == "emergency"


def with_sdp(to: str, caller: str, host: str) -> str:
    return invite(to, caller, "Content-Type: application/sdp", host=host, body=SDP)


def test_an_emergency_call_passes_with_the_media_relay_down(gateway_with_media: Gateway) -> None:
    ksr = gateway_with_media.receives(
        with_sdp("112", "101", PBX_OLD[0]), PBX_OLD, relay_is_up=False
    )
    assert len(ksr.sent) == 1


def test_an_ordinary_call_is_refused_with_the_media_relay_down(gateway_with_media: Gateway) -> None:
    ksr = gateway_with_media.receives(
        with_sdp("+79160000001", "101", PBX_OLD[0]), PBX_OLD, relay_is_up=False
    )
    assert ksr.sent == []
    assert [reply.status for reply in ksr.replies] == [503]
    assert [event["e"] for event in gateway_with_media.events()] == ["start", "end"]


def test_a_foreign_byte_in_free_text_does_not_disturb_a_call(gateway: Gateway) -> None:
    raw = (
        invite("+74951230001", "+79160000001", "Subject: XX", display='"YY" ')
        .replace("\n", "\r\n")
        .encode()
    )
    raw = raw.replace(b"XX", "Привет".encode("cp1251")).replace(b"YY", b"\xff\xfe")
    ksr = gateway.receives(raw, NORTHLINE)
    assert len(ksr.sent) == 1


def test_a_foreign_byte_in_a_uri_is_a_bad_request(gateway: Gateway) -> None:
    raw = invite("+74951230001", "ZZ").replace("\n", "\r\n").encode().replace(b"ZZ", b"\xcf\xf0")
    ksr = gateway.receives(raw, NORTHLINE)
    assert [reply.status for reply in ksr.replies] == [400]
    assert ksr.sent == []


def test_whatever_was_not_foreseen_becomes_503_and_one_log_line(gateway: Gateway) -> None:
    gateway.receives(invite("+74951230001", "+79160000001"), STRANGER)
    ksr = gateway.ksr
    ksr.receive(invite("+74951230001", "+79160000001"))
    gateway.router.worker = None  # type: ignore[assignment]
    gateway.router.ksr_request_route(None)
    assert [reply.status for reply in ksr.replies] == [503]
    assert len([line for level, line in ksr.log if "unexpected" in line]) == 1


def test_a_call_from_our_own_address_is_a_loop(gateway: Gateway, tmp_path: object) -> None:
    from kemi.peers import Peers
    from number_registry.model import Address, Pbx

    gateway.router.worker.peer(US)
    gateway.router.worker._peers = Peers({}, [Pbx("mirror", (Address(US),))])
    ksr = gateway.receives(invite("+74951230001", "101", host=US), (US, 5060))
    assert [reply.status for reply in ksr.replies] == [482]


def test_a_sim_that_dials_112_is_not_refused(gateway: Gateway) -> None:
    """From a trunk that its carrier's file says brings calls of SIMs."""
    sims = [
        (trunk.networks[0].partition("/")[0], trunk)
        for carrier in gateway.router.worker.carriers.values()
        for trunk in carrier.trunks
        if trunk.serves == "sims"
    ]
    ((network, _),) = sims
    source = network.rpartition(".")[0] + "." + str(int(network.rpartition(".")[2]) + 2)
    ksr = gateway.receives(invite("112", "+79160000001", host=source), (source, 5060))
    assert len(ksr.sent) == 1
    assert gateway.events()[0]["rules"][0][0] == "emergency"
