"""SIP messages as values, and SIPp's log cut into them."""

from __future__ import annotations

import pytest

from gateway.endpoints.message import parse
from gateway.endpoints.trace import TraceReader

INVITE = (
    b"INVITE sip:+74951230001@gw SIP/2.0\r\n"
    b"v: SIP/2.0/UDP one\r\nVia: SIP/2.0/UDP two\r\n"
    b"f: <sip:1@a>;tag=x\r\nSubject: one\r\n two\r\n"
    b"i: abc@a\r\nCSeq: 7 INVITE\r\n\r\nv=0\r\n"
)
RINGING = b"SIP/2.0 180 Ringing\r\nCall-ID: abc@a\r\nCSeq: 7 INVITE\r\n\r\n"


def entry(message: bytes, way: bytes, at: bytes = b"2026-11-23 22:43:23.500000") -> bytes:
    """One entry of SIPp's log, in its two spellings of the count."""
    count = b"(%d bytes)" if way == b"sent" else b"[%d] bytes "
    head = b"-" * 47 + b" " + at + b"\nUDP message " + way + b" " + count % len(message) + b":\n\n"
    return head + message + b"\n"


def test_compact_and_folded_headers_are_read_as_long_ones() -> None:
    message = parse(INVITE, at=1.0, sent=True, transport="udp")
    assert message.all("Via") == ["SIP/2.0/UDP one", "SIP/2.0/UDP two"]
    assert message.header("from") == "<sip:1@a>;tag=x"
    assert message.header("Subject") == "one two"
    assert (message.method, message.uri, message.cseq) == ("INVITE", "sip:+74951230001@gw", 7)
    assert message.body == "v=0\r\n"


def test_a_response_knows_which_request_it_answers() -> None:
    message = parse(RINGING, at=1.0, sent=False, transport="udp")
    assert (message.status, message.method, message.label) == (180, "INVITE", "180 Ringing")


def test_bytes_that_are_no_text_are_kept() -> None:
    message = parse(
        b"OPTIONS sip:x SIP/2.0\r\nSubject: \xff\r\n\r\n", at=1, sent=True, transport=""
    )
    assert message.header("Subject").encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_a_log_that_arrives_in_pieces_gives_each_message_once(size: int) -> None:
    log = entry(INVITE, b"sent") + b"noise of SIPp\n" + entry(RINGING, b"received")
    reader = TraceReader()
    found = [
        message
        for start in range(0, len(log), size)
        for message in reader.feed(log[start : start + size])
    ]
    assert [(one.sent, one.label) for one in found] == [
        (True, "INVITE +SDP"),
        (False, "180 Ringing"),
    ]


def test_times_are_utc_with_microseconds() -> None:
    [message] = TraceReader().feed(entry(RINGING, b"sent", b"1970-01-01 00:00:01.000250"))
    assert message.at == pytest.approx(1.00025, abs=1e-6)


def test_orders_to_the_scenario_are_no_messages() -> None:
    control = entry(b"Call-ID: x\r\nDo: bye\r\n", b"sent").replace(
        b"UDP message", b"TCP control message"
    )
    assert TraceReader().feed(control) == []


def test_an_order_that_the_scenario_could_not_take_is_told() -> None:
    complaint = (
        b"Unexpected control message received (I was expecting a different type of message):\n"
        b"Call-ID: x\r\nDo: reinvite sendonly\r\n\r\n\n"
    )
    reader = TraceReader()
    assert len(reader.feed(entry(INVITE, b"sent") + complaint + entry(RINGING, b"sent"))) == 2
    assert reader.lost_orders == [("x", "reinvite sendonly")]
