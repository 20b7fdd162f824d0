"""Lines of the journal as values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls import events
from gateway.calls.events import BadLine, End, Start, Try, parse
from kemi import events as written
from kemi.facts import Facts, Source
from kemi.journal import Journal
from kemi.json_line import Template
from number_registry.call import Call, Peer, Side, ToSim
from number_registry.e164 import E164
from tests.unit.calls.story import ID, T0, answered_call, start

GOOD = b'{"e":"end","c":"%s","t":%d,"side":"a","how":"bye"}' % (ID.encode(), T0)


def test_a_line_becomes_an_event_and_keeps_its_text() -> None:
    event, text = parse(GOOD)

    assert event == End(c=ID, t=T0, side="a", how="bye")
    assert text.encode() == GOOD


def test_each_kind_of_event_survives_its_own_line() -> None:
    for event in answered_call():
        assert parse(events.line(event).removesuffix(b"\n"))[0] == event


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "truncated"),
        (b"\0" * 40, "expecting value"),
        (GOOD[:-1], "truncated"),
        (GOOD + GOOD, "trailing"),
        (b"[]", "object"),
        (GOOD.replace(b'"end"', b'"fin"'), "fin"),
        (GOOD.replace(ID.encode(), b"12"), "regex"),
        (GOOD.replace(ID.encode(), ID.encode() + rb"\n"), "regex"),
        (GOOD.replace(b'"side":"a"', b'"side":"c"'), "side"),
        (GOOD.replace(str(T0).encode(), b"1"), "t"),
        (GOOD.replace(str(T0).encode(), b"9" * 30), "t"),
        (b"[" * 100_000 + b'"\\u0041"', "recursion"),
    ],
)
def test_a_line_that_no_worker_writes_is_refused_with_a_reason(line: bytes, complaint: str) -> None:
    with pytest.raises(BadLine) as refused:
        parse(line)

    assert complaint in str(refused.value).lower()


def test_bytes_that_postgresql_cannot_hold_are_replaced_and_the_call_is_kept() -> None:
    line = events.line(start(caller="name")).replace(b'"name"', rb'"a\u0000b\ud800c\ud83d\ude00"')

    event, text = parse(line)

    assert isinstance(event, Start)
    assert event.caller == "a\ufffdb\ufffdc\U0001f600"
    assert json.loads(text)["caller"] == event.caller


def test_fields_of_a_newer_release_are_kept_in_the_text_and_do_no_harm() -> None:
    event, text = parse(GOOD[:-1] + b',"new":[1,{"a":"\\u044f"}]}')

    assert event == End(c=ID, t=T0, side="a", how="bye")
    assert json.loads(text)["new"] == [1, {"a": "я"}]


@given(st.binary(max_size=200))
def test_no_bytes_at_all_make_anything_but_an_event_or_a_bad_line(line: bytes) -> None:
    try:
        parse(line)
    except BadLine as refused:
        assert str(refused)


def test_what_a_sip_worker_writes_is_understood(tmp_path) -> None:
    complaints: list[str] = []
    journal = Journal(tmp_path, complaints.append)
    call = Call(Peer(Side.CARRIER, "northline", "moscow"), "+74951230000", "+79161112233")
    onward = (
        "old", "", "+79161112233", "+74951230000", "sip:127.9.9.21:5060;transport=udp",
        "sip:f2@us", "sip:t2@us", "far-call-id", "far-tag",
    )  # fmt: skip
    facts = Facts(
        "c@x", "tag", 1, "sip:f@x", "sip:t@x", "sip:a@127.9.9.11", "t", "f", "t",
        "127.9.9.11", 5060, "udp",
    )  # fmt: skip
    source = Source("127.9.9.21", 5060, "udp")
    trace = (("number", 'is in service \u00e9 "'),)
    verdict = ToSim("steppe", E164("79360000203"), "4711", trace, "4711", "203")
    written.start(
        journal, ID, call, facts, kind="pbx", routes=["<sip:p1;lr>"], sock="udp:127.0.0.1:5060",
        status=0, media=True, verdict=verdict, towards=onward,
    )  # fmt: skip
    second = "sip:127.9.9.22:5060;transport=udp"
    written.attempt(journal, ID, "northline", "moscow", 2, second, (500, 34), ("sip:f3", "sip:t3"))
    written.ring(journal, ID, 180)
    written.answer(
        journal, ID, status=200, tag="tt", contact="sip:b@127.9.9.21", routes=[],
        source=source, sock="udp:127.0.0.1:5060",
    )  # fmt: skip
    written.update(journal, ID, side="b", method="INVITE", cseq=4, contact="", source=source)
    written.end(journal, ID, side="a", how="cancel", status=487)

    (file,) = tmp_path.iterdir()
    heard = [parse(line)[0] for line in file.read_bytes().splitlines()]

    assert [events.KINDS[type(event)] for event in heard] == [
        "start", "try", "ring", "answer", "update", "end",
    ]  # fmt: skip
    first = heard[0]
    assert isinstance(first, Start)
    assert (first.deal, first.agent) == ("4711", "203")
    assert first.rules == (("number", 'is in service \u00e9 "'),)
    assert (first.fu2, first.tu2, first.media, first.rr) == (
        "sip:f2@us",
        "sip:t2@us",
        1,
        ("<sip:p1;lr>",),
    )
    assert heard[1] == Try(
        c=ID,
        t=heard[1].t,
        n=2,
        dst=second,
        to="northline",
        trunk2="moscow",
        fu2="sip:f3",
        tu2="sip:t3",
        status=500,
        q850=34,
    )
    assert complaints == []


@given(st.lists(st.text(), min_size=4, max_size=4), st.lists(st.text(), max_size=3))
def test_whatever_a_neighbour_puts_into_a_call_is_one_line_and_read_again(
    texts: list[str], more: list[str]
) -> None:
    template = Template(("e", "c", "tt", "ctc", "addr", "sock"), ("t", "status"), ("rr",))
    line = template.line(("answer", ID, *texts, T0, 200), more)
    assert line.count(b"\n") == 1
    event, _ = parse(line[:-1])
    held = [text.replace("\0", "\ufffd") for text in (*texts, *more)]
    assert [event.tt, event.ctc, event.addr, event.sock, *event.rr] == held
