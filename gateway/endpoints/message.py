"""SIP messages as a far end saw them, as values; reads them and never judges or changes one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# Compact header names of RFC 3261 section 7.3.3 and later RFCs.
_LONG = {
    "i": "call-id", "m": "contact", "e": "content-encoding", "l": "content-length",
    "c": "content-type", "f": "from", "s": "subject", "k": "supported", "t": "to", "v": "via",
    "x": "session-expires", "r": "refer-to", "b": "referred-by", "o": "event", "u": "allow-events",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One message on the wire. `at`: seconds since the epoch; `sent`: by our far end."""

    at: float
    sent: bool
    transport: str
    start: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def status(self) -> int | None:
        """The status code of a response; None for a request."""
        if not self.start.startswith("SIP/2.0 "):
            return None
        code = self.start[8:11]
        return int(code) if code.isdigit() else None

    @property
    def method(self) -> str:
        """The method of a request, or of the request that a response answers (from CSeq)."""
        if self.status is None:
            return self.start.split(" ", 1)[0]
        return self.header("CSeq").rpartition(" ")[2]

    @property
    def is_request(self) -> bool:
        return self.status is None

    @property
    def uri(self) -> str:
        """The Request-URI; empty for a response."""
        parts = self.start.split(" ")
        return parts[1] if self.is_request and len(parts) == 3 else ""

    @property
    def call_id(self) -> str:
        return self.header("Call-ID")

    @property
    def cseq(self) -> int:
        number = self.header("CSeq").partition(" ")[0]
        return int(number) if number.isdigit() else 0

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order; compact forms count."""
        wanted = name.lower()
        return [value for key, value in self.headers if long_name(key) == wanted]

    def header(self, name: str) -> str:
        """The first value of a header, or an empty string."""
        return next(iter(self.all(name)), "")

    @property
    def label(self) -> str:
        """What a ladder shows: `INVITE`, `183 Session Progress`, marked when it carries SDP."""
        words = self.start[8:] if self.status is not None else self.method
        if self.status is not None and self.method not in ("INVITE", ""):
            words += f" ({self.method})"
        return words + (" +SDP" if self.body.startswith("v=0") else "")

    @property
    def text(self) -> str:
        """The message as lines, for a person or a diff."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        return "\n".join([*lines, "", *self.body.splitlines()])


def long_name(name: str) -> str:
    lowered = name.strip().lower()
    return _LONG.get(lowered, lowered)


def parse(raw: bytes, *, at: float, sent: bool, transport: str) -> SipMessage:
    """Read one message. Bytes that are not UTF-8 are kept as surrogates, never refused."""
    text = raw.decode("utf-8", "surrogateescape")
    head, _, body = text.partition("\r\n\r\n")
    lines = list(_unfold(head.split("\r\n")))
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip(), value.strip()))
    return SipMessage(at, sent, transport, lines[0] if lines else "", tuple(headers), body)


def _unfold(lines: list[str]) -> Iterator[str]:
    """Join header lines that continue on the next one (RFC 3261 section 7.3.1)."""
    held: str | None = None
    for line in lines:
        if held is not None and line[:1] in (" ", "\t"):
            held += " " + line.strip()
            continue
        if held is not None:
            yield held
        held = line
    if held is not None:
        yield held
