"""A Kamailio that runs the probe, with a caller and a far side on loopback; it judges nothing."""

from __future__ import annotations

import json
import socket
from typing import Any, NamedTuple

from kemi.stubs.private_kamailio import PrivateKamailio

SCRIPT = '''"""Runs the probe on every message and sends what it found to the test."""

import json
import socket
import sys

import KSR

sys.path.insert(0, {folder!r})
import probe


def tell(found):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(json.dumps(found).encode(), ("127.0.0.1", {report_port}))


def look(edit):
    found = probe.answers(KSR)
    tell({{"answers": found, "edits": probe.edit(KSR, edit)}})


class Probe:
    edit = "nothing"
    reply_edit = "nothing"

    def child_init(self, rank):
        return 0

    def ksr_request_route(self, message):
        if KSR.kx.get_method() == "ACK":
            KSR.tm.t_check_trans()
            return 1
        if KSR.hdr.is_present("X-Edit") > 0:
            edit, self.reply_edit = KSR.hdr.get("X-Edit").split(",")
            KSR.hdr.remove("X-Edit")
            look(edit)
        KSR.pv.sets("$du", "sip:127.0.0.1:{far_port}")
        KSR.setflag(3)
        KSR.tm.t_on_reply("ksr_reply")
        KSR.tm.t_relay()
        return 1

    def ksr_reply(self, message):
        look(self.reply_edit)
        return 1

    def ksr_reply_route(self, message):
        return 1

    def ksr_onsend_route(self, message):
        return 1


def mod_init():
    return Probe()
'''


class Found(NamedTuple):
    """What the probe found in Kamailio, and what Kamailio then sent on."""

    answers: dict[str, str]
    edits: list[str]
    sent: bytes


class RealKamailio:
    """Puts one message at a time before a running Kamailio."""

    def __init__(self, kamailio: PrivateKamailio, sockets: dict[str, socket.socket]) -> None:
        self.kamailio = kamailio
        self._sockets = sockets

    @property
    def port(self) -> int:
        return self.kamailio.port

    @property
    def caller_port(self) -> int:
        port: int = self._sockets["caller"].getsockname()[1]
        return port

    @property
    def far_port(self) -> int:
        port: int = self._sockets["far"].getsockname()[1]
        return port

    def receive(self, message: bytes, edit: str, reply_edit: str = "nothing") -> Found:
        """Send the message from the caller; what the probe found and what reached the far side."""
        marked = marked_with(message, edit, reply_edit)
        self._sockets["caller"].sendto(marked, ("127.0.0.1", self.port))
        return self._found("far", message)

    def look_only(self, message: bytes, patience_s: float = 2.0) -> dict[str, str]:
        """The probe's answers for a message that is not sent on; TimeoutError when it never ran."""
        self._sockets["report"].settimeout(patience_s)
        try:
            self._sockets["caller"].sendto(
                marked_with(message, "nothing"), ("127.0.0.1", self.port)
            )
            answers: dict[str, str] = json.loads(self._sockets["report"].recv(65535))["answers"]
            return answers
        finally:
            self._sockets["report"].settimeout(5)

    def reply(self, message: bytes) -> Found:
        """Send a reply from the far side; what the probe found and what reached the caller."""
        self._sockets["far"].sendto(message, ("127.0.0.1", self.port))
        return self._found("caller", message)

    def settle(self) -> None:
        """Throw away what still waits: retransmissions, provisional replies."""
        for waiting in self._sockets.values():
            waiting.setblocking(False)
            try:
                while waiting.recv(65535):
                    continue
            except BlockingIOError:
                waiting.settimeout(5)

    def _found(self, side: str, message: bytes) -> Found:
        told: dict[str, Any] = json.loads(self._sockets["report"].recv(65535))
        while True:
            sent = self._sockets[side].recv(65535)
            if _call_id(sent) == _call_id(message) and not sent.startswith(b"SIP/2.0 100"):
                return Found(told["answers"], told["edits"], sent)


def _call_id(message: bytes) -> bytes:
    """To tell a message from retransmissions of those before it."""
    return message.split(b"\r\nCall-ID:", 1)[1].split(b"\r\n", 1)[0].strip()


def marked_with(message: bytes, edit: str, reply_edit: str = "nothing") -> bytes:
    """The message with a header that tells the probe which edits to do; the probe removes it."""
    mark = f"\r\nX-Edit: {edit},{reply_edit}\r\nCSeq:".encode()
    return message.replace(b"\r\nCSeq:", mark, 1)
