"""The fake and a running Kamailio give the same answers to the same questions and send the same."""

from __future__ import annotations

import itertools
import re

import pytest

from kemi.stubs.fake_ksr import FakeKSR
from tests.integration.kemi_stubs import messages, probe
from tests.integration.kemi_stubs.real_kamailio import Found, RealKamailio, marked_with

_branches = (f"branch{number}" for number in itertools.count(1))
# What Kamailio logs or counts differently from call to call.
_VIA = re.compile(rb"^Via: .*\r\n", re.MULTILINE)
_SERVER = re.compile(rb"^Server: .*\r\n", re.MULTILINE)


# tm cannot keep a request whose From it cannot read.
NOT_RELAYED = {("From's name", "NUL")}
# Kamailio cannot read the message at all and runs no callback.
DROPPED = {("To's name", "NUL")}


def _without_via(message: bytes) -> bytes:
    """Via is tm's own business, which the fake leaves alone."""
    return _SERVER.sub(b"", _VIA.sub(b"", message))


def _fake_for(real: RealKamailio, message: bytes, edit: str, reply_edit: str) -> FakeKSR:
    """A fake with the very message that the probe in Kamailio sees."""
    marked = marked_with(message, edit, reply_edit)
    fake = FakeKSR(marked, source=("127.0.0.1", real.caller_port), local=("127.0.0.1", real.port))
    fake.ksr.hdr.remove("X-Edit")
    return fake


def _relay(fake: FakeKSR, real: RealKamailio) -> bytes:
    fake.world.stopped_by = ""  # the probe goes on after a 0, on purpose
    ksr = fake.ksr
    ksr.pv.sets("$du", f"sip:127.0.0.1:{real.far_port}")
    ksr.setflag(3)
    ksr.tm.t_on_reply("ksr_reply")
    ksr.tm.t_relay()
    return fake.sent[-1].data


def _compare(found: Found, answers: dict[str, str], edits: list[str], sent: bytes) -> None:
    different = {
        question: f"Kamailio {found.answers[question]}, the fake {answers[question]}"
        for question in found.answers
        if found.answers[question] != answers[question]
    }
    assert different == {}
    assert edits == found.edits
    assert _without_via(sent) == _without_via(found.sent)


@pytest.mark.parametrize("name", messages.REQUESTS)
def test_a_request_reads_and_leaves_as_in_kamailio(real: RealKamailio, name: str) -> None:
    text, edit = messages.REQUESTS[name]
    message = messages.filled(text, real.port, real.caller_port, next(_branches))

    found = real.receive(message, edit)
    real.settle()

    fake = _fake_for(real, message, edit, "nothing")
    answers = probe.answers(fake.ksr)
    edits = probe.edit(fake.ksr, edit)
    _compare(found, answers, edits, _relay(fake, real))


@pytest.mark.parametrize("foreign", messages.FOREIGN_BYTES)
@pytest.mark.parametrize("place", messages.PLACES)
def test_foreign_bytes_read_as_in_kamailio(real: RealKamailio, place: str, foreign: str) -> None:
    message = messages.with_foreign_bytes(
        messages.filled(messages.INVITE, real.port, real.caller_port, next(_branches)),
        messages.PLACES[place],
        messages.FOREIGN_BYTES[foreign],
    )
    if (place, foreign) in DROPPED:
        with pytest.raises(TimeoutError):
            real.look_only(message, patience_s=0.25)
        return
    if (place, foreign) in NOT_RELAYED:
        fake = _fake_for(real, message, "nothing", "nothing")
        assert probe.answers(fake.ksr) == real.look_only(message)
        return

    found = real.receive(message, "identities")
    real.settle()

    fake = _fake_for(real, message, "identities", "nothing")
    answers = probe.answers(fake.ksr)
    edits = probe.edit(fake.ksr, "identities")
    _compare(found, answers, edits, _relay(fake, real))


@pytest.mark.parametrize("name", messages.REPLIES)
@pytest.mark.parametrize("request_edit", ["nothing", "identities", "transaction", "state"])
def test_a_reply_reads_and_leaves_as_in_kamailio(
    real: RealKamailio, name: str, request_edit: str
) -> None:
    text, edit = messages.REPLIES[name]
    branch = next(_branches)
    message = messages.filled(messages.INVITE, real.port, real.caller_port, branch)

    sent = real.receive(message, request_edit, edit).sent
    vias = b"\r\n".join(line for line in sent.split(b"\r\n") if line.startswith(b"Via:"))
    reply = messages.filled(text, real.port, real.caller_port, branch).replace(b"VIAS", vias)
    found = real.reply(reply)
    real.settle()

    fake = _fake_for(real, message, request_edit, edit)
    probe.answers(fake.ksr)
    probe.edit(fake.ksr, request_edit)
    _relay(fake, real)
    assert fake.reply(reply) == "ksr_reply"
    fake.world.source = ("127.0.0.1", real.far_port)
    answers = probe.answers(fake.ksr)
    edits = probe.edit(fake.ksr, edit)
    _compare(found, answers, edits, fake.outgoing())
