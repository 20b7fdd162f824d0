"""A real DNS server of a test: it answers over UDP from records that the test changes at will."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """``records``: ``{"gw.test A": ["192.0.2.1"]}``. ``how``: ``well``, ``silent`` (nothing comes
    back), ``broken`` (SERVFAIL) or ``late`` (an answer only when the test calls `catch_up`).
    """

    def __init__(self, host: str) -> None:
        self.records: dict[str, list[str]] = {}
        self.how, self.ttl = "well", 1
        self.asked: list[str] = []
        self._kept: list[tuple[bytes, tuple[str, int]]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.address = "{}:{}".format(*self._socket.getsockname())

    def serve(self) -> None:
        """Until the socket is closed."""
        while True:
            try:
                question, sender = self._socket.recvfrom(4096)
            except OSError:
                return
            if not question:
                return
            answer = self._answer(dns.message.from_wire(question)).to_wire()
            if self.how == "late":
                self._kept.append((answer, sender))
            elif self.how != "silent":
                self._socket.sendto(answer, sender)

    def catch_up(self) -> None:
        """Give the answers that were held back."""
        while self._kept:
            self._socket.sendto(*self._kept.pop(0))

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        (asked,) = question.question
        key = f"{asked.name.to_text(omit_final_dot=True)} {asked.rdtype.name}"
        self.asked.append(key)
        if self.how == "broken":
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found := self.records.get(key):
            rows = dns.rrset.from_text(asked.name, self.ttl, "IN", asked.rdtype.name, *found)
            answer.answer.append(rows)
        elif not any(known.split()[0] == key.split()[0] for known in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())


@contextmanager
def nameserver(host: str = "127.0.0.1") -> Iterator[NameServer]:
    server = NameServer(host)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
        server._socket.close()
