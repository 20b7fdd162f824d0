"""Legs through a PBX as the router sees them: the correlation goes out and comes back, histories
are read, and who calls in circles is counted.
"""

from __future__ import annotations

import time

import pytest

from carrier_adapters.northline import Northline
from kemi.plan import CORRELATION
from tests.unit.kemi.conftest import US, Gateway, invite
from tests.unit.kemi.test_new_calls import NORTHLINE, PBX_NEW, PBX_OLD, header

CLIENT = "+79160000001"
MOBILE = "89160000002"
OURS, ELSEWHERE = "+74951230001", "+78431230001"  # on PBX old, and on PBX new


def comes_in(gateway: Gateway, to: str = OURS, caller: str = CLIENT, *extra: str) -> str:
    """A call of a client reaches PBX old; the correlation that went with it."""
    (sent,) = gateway.receives(invite(to, caller, *extra), NORTHLINE).sent
    said = header(sent.data, CORRELATION)
    assert said is not None
    return said


def last(gateway: Gateway) -> dict[str, object]:
    return gateway.events()[-1]


def forwards(gateway: Gateway, *extra: str, to: str = MOBILE, caller: str = CLIENT) -> bytes | int:
    """PBX old sends a leg; what goes on of it, or the status of its refusal."""
    ksr = gateway.receives(invite(to, caller, *extra, host=PBX_OLD[0]), PBX_OLD)
    return ksr.sent[0].data if ksr.sent else ksr.replies[0].status


def test_a_correlation_that_comes_back_joins_the_legs_and_shows_the_number_called(
    gateway: Gateway,
) -> None:
    said = comes_in(gateway)
    first = last(gateway)["c"]
    data = forwards(gateway, f"{CORRELATION}: {said}")
    assert isinstance(data, bytes)
    assert header(data, "From") == f"<sip:{OURS}@{US}>;tag=caller-tag"
    start = last(gateway)
    assert (start["conv"], start["did"], start["client"]) == (first, OURS[1:], CLIENT)
    assert start["shown"] == OURS


def test_the_correlation_tells_its_reader_nothing_and_leaves_for_no_carrier(
    gateway: Gateway,
) -> None:
    said = comes_in(gateway)
    assert len(said) < 100
    assert said != comes_in(gateway)
    for digits in (CLIENT[1:], OURS[1:], str(gateway.events()[0]["c"])):
        assert digits not in said
    data = forwards(gateway, f"{CORRELATION}: {said}")
    assert isinstance(data, bytes)
    assert CORRELATION.encode() not in data and CLIENT.encode() not in data.partition(b"Contact")[0]


@pytest.mark.parametrize("how", ["changed", "short", "other", "foreign", "of a call", "long"])
def test_a_correlation_that_is_not_ours_is_ignored_and_counted(gateway: Gateway, how: str) -> None:
    said = comes_in(gateway)
    token = gateway.router.worker.sealer.seal_text(b"x" * 42)
    forged = {
        "changed": said[:40] + ("A" if said[40] != "A" else "B") + said[41:],
        "short": said[:-8],
        "other": "0123456789abcdef" * 2,
        "foreign": "\u0416" * 10,
        "of a call": token,
        "long": said + "A" * 300,
    }[how]
    assert forwards(gateway, f"{CORRELATION}: {forged}") == 403
    start = last(gateway)
    assert (start["conv"], start["status"]) == ("", 403)
    assert any("none of ours" in said for _, said in start["rules"])  # type: ignore[attr-defined]
    assert gateway.router.worker.reader.ignored == 1
    assert any("forged: ignored, 1 in all" in text for _, text in gateway.ksr.log)


def test_another_pbx_cannot_use_it(gateway: Gateway) -> None:
    said = comes_in(gateway)
    raw = invite(MOBILE, CLIENT, f"{CORRELATION}: {said}", host=PBX_NEW[0])
    (reply,) = gateway.receives(raw, PBX_NEW).replies
    assert reply.status == 403


def test_one_of_a_call_long_ago_is_stale(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    said = comes_in(gateway)
    later = time.time() + 25 * 3600
    monkeypatch.setattr("kemi.conversation.time", lambda: later)
    assert forwards(gateway, f"{CORRELATION}: {said}") == 403
    assert any("older than any call" in said for _, said in last(gateway)["rules"])  # type: ignore


def test_it_survives_a_restart(gateway: Gateway) -> None:
    said = comes_in(gateway)
    gateway.start()
    assert isinstance(forwards(gateway, f"{CORRELATION}: {said}"), bytes)


@pytest.mark.parametrize(
    "history",
    [
        (f"Diversion: <sip:{OURS}@pbx>;reason=unconditional",),
        (f'Diversion: "sip:{ELSEWHERE}@x" <sip:74951230001@pbx>', "Diversion: <tel:+79161111111>"),
        ("Diversion: <sip:+79161111111@pbx>, <sip:84951230001@pbx>",),
        (f"History-Info: <sip:{OURS}@us>;index=1, <sip:{MOBILE}@us;cause=302>;index=1.1",),
        (f"History-Info: <sip:{ELSEWHERE}@us>;index=1", f"History-Info: <sip:{OURS}@us>;index=1.1"),
    ],
)
def test_a_history_names_the_number_that_was_called_and_reaches_no_carrier(
    gateway: Gateway, history: tuple[str, ...]
) -> None:
    data = forwards(gateway, *history)
    assert isinstance(data, bytes)
    assert header(data, "From") == f"<sip:{OURS}@{US}>;tag=caller-tag"
    assert header(data, "Diversion") is header(data, "History-Info") is None
    start = last(gateway)
    assert (start["conv"], start["client"]) == ("", CLIENT)
    assert OURS[1:] in str(start["did"]).split(",")


@pytest.mark.parametrize(
    "history",
    [
        (),
        (f"Diversion: <sip:{ELSEWHERE}@pbx>",),
        ("Diversion: nonsense",),
        ('Diversion: "' + "<sip:" * 400 + '" <sip:1@pbx>',),
        ("Diversion: <sip:" + "9" * 500 + "@pbx>",),
    ],
)
def test_a_history_without_a_number_of_this_pbx_lets_nothing_out(
    gateway: Gateway, history: tuple[str, ...]
) -> None:
    assert forwards(gateway, *history) == 403


def test_foreign_bytes_in_a_history_disturb_no_call(gateway: Gateway) -> None:
    raw = invite(MOBILE, "101", host=PBX_OLD[0]).replace("\n", "\r\n").encode()
    strange = b'Diversion: "\xc0\xed\xed\xe0" <sip:1@pbx>\r\nMax-Forwards'
    ksr = gateway.receives(raw.replace(b"Max-Forwards", strange), PBX_OLD)
    assert ksr.sent


@pytest.mark.parametrize(("wants", "withheld"), [(False, False), (True, False), (True, True)])
def test_a_carrier_that_wants_it_is_told_which_number_of_ours_diverted_the_call(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, wants: bool, withheld: bool
) -> None:
    kind = type(gateway.router.worker.carriers["northline"])
    assert kind.__name__ == Northline.__name__
    monkeypatch.setattr(kind, "diversion", wants)
    history = [f"Diversion: <sip:{OURS}@pbx>;reason=user-busy"] + ["Privacy: id"] * withheld
    data = forwards(gateway, *history)
    assert isinstance(data, bytes)
    hides = ";privacy=full" * withheld
    expected = f"<sip:{OURS}@{US}>;reason=unknown{hides}" if wants else None
    assert header(data, "Diversion") == expected
    plain = forwards(gateway, caller="101")
    assert isinstance(plain, bytes) and header(plain, "Diversion") is None


def test_inside_a_call_and_in_answers_the_correlation_goes_no_further(gateway: Gateway) -> None:
    said = comes_in(gateway)
    answer = gateway.ksr.sent[0].data.decode().split("\r\n")
    kept = [line for line in answer if line.split(":")[0] in
            ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")]  # fmt: skip
    ringing = ["SIP/2.0 180 Ringing", *kept, f"{CORRELATION}: {said}", "Content-Length: 0", "", ""]
    back = gateway.replies("\n".join(ringing))
    assert b"180" in back and CORRELATION.encode() not in back


# -- circles -----------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which rounds are counted stands still; 1000 is the beginning of a span."""
    clock = [1000.0]
    monkeypatch.setattr("kemi.rounds.monotonic", lambda: clock[0])
    return clock


def test_a_pbx_that_forwards_to_another_that_forwards_back_is_cut_by_the_correlation(
    gateway: Gateway,
) -> None:
    said, rounds = comes_in(gateway), 0
    ends = [(PBX_OLD, "+78431230001"), (PBX_NEW, OURS)]
    while True:
        pbx, to = ends[rounds % 2]
        raw = invite(to, CLIENT, f"{CORRELATION}: {said}", host=pbx[0])
        ksr = gateway.receives(raw, pbx)
        if not ksr.sent:
            break
        rounds += 1
        said = header(ksr.sent[0].data, CORRELATION) or ""
        assert last(gateway)["conv"] == gateway.events()[0]["c"]
    assert (ksr.replies[0].status, rounds) == (482, 5)


def test_and_by_its_count_where_the_pbx_tells_its_history_only(
    gateway: Gateway, clock: list[float]
) -> None:
    comes_in(gateway)
    told = f"Diversion: <sip:{OURS}@pbx>"
    statuses = [forwards(gateway, told, to="+78431230001") for _ in range(12)]
    assert 482 in statuses and all(isinstance(one, bytes) for one in statuses[:6])
    assert statuses.index(482) <= 8


def test_and_where_it_overwrites_the_caller_with_a_number_of_ours(
    gateway: Gateway, clock: list[float]
) -> None:
    comes_in(gateway)
    statuses = [forwards(gateway, to="+78431230001", caller=OURS) for _ in range(30)]
    assert 482 in statuses and statuses.index(482) <= 14


def test_a_call_that_leaves_and_comes_back_through_the_phone_network_is_cut(
    gateway: Gateway, clock: list[float]
) -> None:
    """Our number is forwarded to a mobile, which is forwarded to our number."""
    cut = 0
    for crossing in range(12):
        caller = CLIENT if crossing == 0 else OURS
        ksr = gateway.receives(invite(OURS, caller), NORTHLINE)
        if not ksr.sent:
            cut = ksr.replies[0].status
            break
        said = header(ksr.sent[0].data, CORRELATION)
        assert isinstance(forwards(gateway, f"{CORRELATION}: {said}"), bytes)
    assert (cut, crossing <= 8) == (482, True)


def test_a_busy_number_and_a_company_with_one_number_are_no_circle(
    gateway: Gateway, clock: list[float]
) -> None:
    for at in range(100):
        assert gateway.receives(invite(OURS, CLIENT), NORTHLINE).sent
        assert gateway.receives(invite(OURS, f"+7916{at:07}"), NORTHLINE).sent


def test_nor_is_each_of_those_calls_forwarded_between_our_pbxs(
    gateway: Gateway, clock: list[float]
) -> None:
    told = f"Diversion: <sip:{OURS}@pbx>"
    for _ in range(50):
        assert gateway.receives(invite(OURS, CLIENT), NORTHLINE).sent
        assert isinstance(forwards(gateway, told, to="+78431230001"), bytes)


def test_nor_where_they_came_at_the_end_of_one_span_and_go_on_in_the_next(
    gateway: Gateway, clock: list[float]
) -> None:
    clock[0] = 1007.9
    for _ in range(50):
        assert gateway.receives(invite(OURS, CLIENT), NORTHLINE).sent
    clock[0] = 1008.0
    for _ in range(50):
        told = f"Diversion: <sip:{OURS}@pbx>"
        assert isinstance(forwards(gateway, told, to="+78431230001"), bytes)


def test_nor_a_person_who_redials_every_few_seconds(gateway: Gateway, clock: list[float]) -> None:
    for _ in range(100):
        clock[0] += 2.0
        assert isinstance(forwards(gateway, to="+78431230001", caller="101"), bytes)
        assert gateway.receives(invite(OURS, CLIENT), NORTHLINE).sent
