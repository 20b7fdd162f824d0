"""The fake KSR holds one message and one transaction as Kamailio does."""

from __future__ import annotations

import pytest

from kemi.stubs.fake_ksr import FakeKSR, NotConfigured, Reply
from tests.unit.kemi_stubs.samples import BUSY, BYE, CANCEL, INVITE, OK

# -- the message -------------------------------------------------------------------------------


def test_what_is_written_shows_only_in_what_is_sent() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr

    ksr.pv.sets("$fu", "sip:shown@ours.example")
    ksr.hdr.remove("Subject")
    ksr.hdr.append("X-New: 1\r\n")

    assert ksr.pv.get("$fu") == "sip:caller@carrier.example"
    assert ksr.hdr.get("Subject") == "hello"
    assert ksr.hdr.is_present("X-New") < 0
    out = fake.outgoing()
    assert b'From: "Name" <sip:shown@ours.example>;tag=a\r\n' in out
    assert b"Subject" not in out
    assert b"X-New: 1\r\n\r\n" in out


def test_an_identity_written_twice_becomes_both() -> None:
    fake = FakeKSR(INVITE)

    fake.ksr.pv.sets("$fu", "sip:one@a")
    fake.ksr.pv.sets("$fu", "sip:two@b")

    assert b"<sip:one@asip:two@b>" in fake.outgoing()


def test_bytes_that_are_not_utf8_raise_and_base64_does_not() -> None:
    fake = FakeKSR(
        INVITE.replace("hello", "XX").encode().replace(b"XX", b"\xcf\xf0").replace(b"\n", b"\r\n")
    )
    ksr = fake.ksr

    for read in (ksr.hdr.get, ksr.hdr.gete):
        with pytest.raises(UnicodeDecodeError):
            read("Subject")
    with pytest.raises(UnicodeDecodeError):
        ksr.pv.get("$hdr(Subject)")
    assert ksr.pv.get("$(hdr(Subject){s.encode.base64})") == "z/A="
    assert ksr.kx.get_furi() == "sip:caller@carrier.example"


def test_a_variable_that_is_not_modelled_is_refused() -> None:
    ksr = FakeKSR(INVITE).ksr

    with pytest.raises(NotConfigured, match=r"\$Tb"):
        ksr.pv.get("$Tb")
    with pytest.raises(NotConfigured, match=r"s\.tolower"):
        ksr.pv.get("$(fu{s.tolower})")
    with pytest.raises(NotConfigured, match=r"\$rm"):
        ksr.pv.sets("$rm", "BYE")


def test_a_strict_route_is_refused_rather_than_guessed() -> None:
    fake = FakeKSR(BYE.replace("sip:pbx@10.0.0.9", "sip:pbx@127.0.0.1"))

    with pytest.raises(NotConfigured, match="strictly"):
        fake.ksr.rr.loose_route()


# -- transactions ------------------------------------------------------------------------------


def test_a_reply_finds_the_request_flags_and_avps_of_its_transaction() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr
    ksr.setflag(3)
    ksr.pvx.avp_sets("call", "id")
    ksr.tm.t_on_reply("ksr_reply")
    ksr.tm.t_relay()
    ksr.setflag(4)

    assert fake.reply(OK) == "ksr_reply"

    assert ksr.isflagset(3)
    assert not ksr.isflagset(4)  # set after t_relay: lost
    assert ksr.pvx.avp_get("call") == "id"
    assert ksr.pv.get("$rs") == 200
    assert ksr.pv.get("$T_req($fu)") == "sip:caller@carrier.example"
    ksr.setflag(5)
    fake.reply(BUSY)
    assert ksr.isflagset(5)


def test_another_request_knows_nothing_of_the_one_before() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr
    ksr.setflag(3)
    ksr.pvx.avp_sets("call", "id")
    ksr.tm.t_relay()

    fake.receive(BYE)

    assert not ksr.isflagset(3)
    assert ksr.pvx.avp_get("call") is None
    assert ksr.pv.get("$T_req($fu)") is None
    assert ksr.tm.t_check_trans() == -1


def test_a_failure_sees_the_request_and_the_status_and_runs_once() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr
    ksr.tm.t_on_failure("ksr_failed")
    ksr.tm.t_relay()
    fake.reply(BUSY)

    assert fake.fails(486) == "ksr_failed"

    assert ksr.pv.get("$rm") == "INVITE"
    assert ksr.pv.get("$rs") is None
    assert ksr.pv.get("$T_reply_code") == 486
    assert ksr.tm.t_check_status("486|600") == 1
    assert ksr.tm.t_branch_timeout() == -1
    assert ksr.tm.t_is_canceled() == -1
    assert fake.fails(486) == ""  # tm forgets the callback unless it is set anew


def test_silence_of_the_far_side_is_a_timeout() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr
    ksr.tm.t_relay()

    fake.fails(408)

    assert ksr.tm.t_branch_timeout() == 1
    assert ksr.tm.t_branch_replied() == -1


def test_a_second_attempt_starts_from_the_message_as_the_branch_before_left_it() -> None:
    class Script:
        def ksr_branch(self, _message: object) -> int:
            ksr.pv.sets("$fu", f"sip:branch{ksr.pv.get('$T_branch_idx')}@ours")
            return 1

    fake = FakeKSR(INVITE, script=Script())
    ksr = fake.ksr
    ksr.tm.t_on_branch("ksr_branch")
    ksr.pv.sets("$du", "sip:10.0.0.1:5060")
    ksr.tm.t_relay()
    fake.reply(BUSY)
    fake.fails(486)
    ksr.tm.t_on_branch("ksr_branch")
    ksr.pv.sets("$du", "sip:10.0.0.2:5060")
    ksr.tm.t_relay()

    first, second = fake.sent
    assert b"<sip:branch0@ours>" in first.data
    assert b"<sip:branch1@ours>" in second.data
    assert (first.next_hop, second.next_hop) == ("sip:10.0.0.1:5060", "sip:10.0.0.2:5060")


def test_a_cancel_belongs_to_the_invite_that_was_relayed() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr
    ksr.tm.t_relay()

    fake.receive(CANCEL, in_dialog=True)

    assert ksr.is_CANCEL()
    assert ksr.tm.t_check_trans() == 1
    assert ksr.tm.t_relay() == 1


def test_an_answer_of_our_own_is_kept_with_its_headers() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr

    ksr.hdr.append_to_reply("Retry-After: 5\r\n")
    assert ksr.sl.send_reply(503, "Busy") == 1

    assert fake.replies == [Reply(503, "Busy", b"Retry-After: 5\r\n", False)]


def test_a_request_is_finally_answered_only_once() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr
    assert ksr.tm.t_reply(486, "Busy") == -1  # there is no transaction yet

    assert ksr.tm.t_newtran() == 1
    assert ksr.tm.t_reply(180, "Ringing") == 1
    assert ksr.tm.t_reply(486, "Busy") == 1
    assert ksr.tm.t_reply(486, "Busy") == -1
    assert ksr.sl.send_reply(500, "Error") == -1

    assert [reply.status for reply in fake.replies] == [180, 486]
