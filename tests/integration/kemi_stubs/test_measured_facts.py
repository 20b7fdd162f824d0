"""What kemi/ relies on in Kamailio's transactions, measured on the one installed here.

The docstring of kemi/stubs/fake_ksr.py states these as facts; here they are held to it.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator

import pytest

from kemi.stubs import generate
from kemi.stubs.private_kamailio import PrivateKamailio

SCRIPT = '''"""Does what the Subject of the INVITE says and logs what it sees."""

import KSR


class Trial:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, message):
        if KSR.is_ACK():
            KSR.tm.t_check_trans()
            return 1
        if KSR.is_CANCEL():
            KSR.tm.t_relay()
            return 1
        if KSR.tm.t_check_trans() == 0:
            return 1
        wish = KSR.hdr.gete("Subject")
        if "uac headers" in wish:
            KSR.tm.t_use_uac_headers()
        KSR.setflag(5)
        KSR.pvx.avp_sets("call", "kept")
        KSR.tm.t_on_reply("ksr_reply")
        KSR.tm.t_on_branch("ksr_branch")
        KSR.tm.t_on_failure("ksr_failed")
        KSR.pv.sets("$du", "sip:127.0.0.1:{far}")
        KSR.err("RELAY %s\\n" % KSR.tm.t_relay())
        KSR.setflag(7)
        return 1

    def ksr_branch(self, message):
        KSR.pv.sets("$fu", "sip:branch%s@ours" % KSR.pv.get("$T_branch_idx"))
        KSR.pv.sets("$tu", "sip:called@ours")
        if "drop" in KSR.hdr.gete("Subject"):
            KSR.set_drop()
        return 1

    def ksr_reply(self, message):
        wish = KSR.pv.get("$T_req($hdr(Subject))")
        status = KSR.kx.get_status()
        KSR.err("SEEN %s flags %s %s avp %s from %s\\\\n" % (
            status, KSR.isflagset(5), KSR.isflagset(7), KSR.pvx.avp_get("call"),
            KSR.pv.get("$T_req($fu)")))
        if "impatient" in wish and status == 100:
            KSR.tm.t_set_fr(600, 0)
        if "restore" in wish:
            KSR.pv.sets("$fu", KSR.pv.get("$T_req($fu)"))
            KSR.pv.sets("$tu", KSR.pv.get("$T_req($tu)"))
        return 1

    def ksr_failed(self, message):
        KSR.err("FAILED %s timeout %s\\\\n" % (
            KSR.pv.get("$T_reply_code"), KSR.tm.t_branch_timeout()))
        if "again" in KSR.hdr.gete("Subject") and KSR.pv.get("$T_reply_code") == 503:
            KSR.tm.t_on_branch("ksr_branch")
            KSR.pv.sets("$du", "sip:127.0.0.1:{far}")
            KSR.tm.t_relay()
        return 1

    def ksr_reply_route(self, message):
        return 1

    def ksr_onsend_route(self, message):
        return 1


def mod_init():
    return Trial()
'''
INVITE = """INVITE sip:100@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{caller};branch=z9hG4bK{call};rport
From: <sip:caller@carrier.example>;tag=a
To: <sip:called@gw.example>
Call-ID: {call}
CSeq: 1 INVITE
Max-Forwards: 70
Subject: {wish}
Content-Length: 0

"""
WAIT_S = 5.0


class Line:
    """A caller and a far side, with a Kamailio that runs the trial between them."""

    def __init__(self, kamailio: PrivateKamailio, caller: socket.socket, far: socket.socket):
        self.kamailio, self.caller, self.far = kamailio, caller, far
        self.calls = 0
        self.invite = ""

    def call(self, wish: str) -> str:
        """Send an INVITE with this wish; the INVITE as the far side gets it."""
        self.sends(wish)
        return self.far_gets("INVITE")

    def sends(self, wish: str) -> None:
        self.calls += 1
        self.invite = INVITE.format(
            caller=self.caller.getsockname()[1], call=f"call{self.calls}", wish=wish
        ).replace("\n", "\r\n")
        self.caller.sendto(self.invite.encode(), ("127.0.0.1", self.kamailio.port))

    def cancel(self) -> None:
        text = self.invite.replace("INVITE", "CANCEL")
        self.caller.sendto(text.encode(), ("127.0.0.1", self.kamailio.port))

    def answer(self, request: str, status: int) -> None:
        """The far side answers a request it got."""
        kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):.*\r\n", request, re.MULTILINE)
        text = f"SIP/2.0 {status} Answer\r\n{''.join(kept)}Content-Length: 0\r\n\r\n"
        self.far.sendto(text.encode(), ("127.0.0.1", self.kamailio.port))

    def far_gets(self, start: str) -> str:
        return self._next(self.far, start)

    def caller_gets(self, start: str) -> str:
        return self._next(self.caller, start)

    def _next(self, side: socket.socket, start: str) -> str:
        """The next message of this call that starts so; others are passed over."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            text = side.recv(65535).decode()
            if text.startswith(start) and f"Call-ID: call{self.calls}\r\n" in text:
                return text
        raise AssertionError(f"no {start}")


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    modules = generate.modules_of(generate.TEMPLATE.read_text(encoding="utf-8"))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        for side in (caller, far):
            side.bind(("127.0.0.1", 0))
            side.settimeout(WAIT_S)
        script = SCRIPT.replace("{far}", str(far.getsockname()[1]))
        parameters = generate.parameters(modules) + 'modparam("tm", "fr_inv_timer", 30000)\n'
        with PrivateKamailio(modules, script, parameters) as kamailio:
            yield Line(kamailio, caller, far)


def _field(message: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)\r$", message, re.MULTILINE)
    assert found is not None
    return found.group(1)


def test_a_cancel_has_the_written_to_only_after_use_uac_headers(line: Line) -> None:
    for wish, expected in (
        ("plain", "<sip:called@gw.example>"),
        ("uac headers", "<sip:called@ours>"),
    ):
        invite = line.call(wish)
        line.answer(invite, 180)
        line.caller_gets("SIP/2.0 180")
        line.cancel()
        cancel = line.far_gets("CANCEL")
        line.answer(cancel, 200)
        line.answer(invite, 487)

        assert _field(invite, "To") == "<sip:called@ours>"
        assert _field(cancel, "From") == _field(invite, "From") == "<sip:branch0@ours>;tag=a"
        assert _field(cancel, "To") == expected


def test_a_second_attempt_starts_from_the_original_in_the_branch_callback(line: Line) -> None:
    first = line.call("again")
    line.answer(first, 503)
    second = line.far_gets("INVITE")
    line.answer(second, 486)
    line.caller_gets("SIP/2.0 486")

    assert _field(first, "From") == "<sip:branch0@ours>;tag=a"
    assert _field(second, "From") == "<sip:branch1@ours>;tag=a"


def test_a_branch_that_its_callback_drops_is_not_sent(line: Line) -> None:
    line.sends("drop")
    line.caller_gets("SIP/2.0 5")
    line.far.settimeout(0.2)
    try:
        with pytest.raises(TimeoutError):
            line.far_gets("INVITE")
    finally:
        line.far.settimeout(WAIT_S)
    assert "RELAY -6" in line.kamailio.log()


def test_a_reply_callback_can_give_the_caller_its_own_identities_back(line: Line) -> None:
    line.answer(line.call("restore"), 486)
    reply = line.caller_gets("SIP/2.0 486")

    assert _field(reply, "From") == "<sip:caller@carrier.example>;tag=a"
    assert _field(reply, "To") == "<sip:called@gw.example>"


def test_flags_and_avps_set_before_relay_are_seen_in_replies(line: Line) -> None:
    line.answer(line.call("plain"), 486)
    line.caller_gets("SIP/2.0 486")

    seen = "SEEN 486 flags True False avp kept from sip:caller@carrier.example"
    assert seen in line.kamailio.log()


def test_a_reply_callback_sees_100_and_shortens_the_wait(line: Line) -> None:
    invite = line.call("impatient, uac headers")
    started = time.monotonic()
    line.answer(invite, 100)
    reply = line.caller_gets("SIP/2.0 408")
    waited = time.monotonic() - started
    cancel = line.far_gets("CANCEL")
    line.answer(cancel, 200)
    line.answer(invite, 487)

    assert 0.5 < waited < 3.0  # not the 30 s of fr_inv_timer
    assert _field(reply, "From") == "<sip:caller@carrier.example>;tag=a"
    assert _field(cancel, "To") == "<sip:called@ours>"
    assert "FAILED 408 timeout 1" in line.kamailio.log()
