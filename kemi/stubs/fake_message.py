"""A SIP message as Kamailio holds it: raw bytes that stay, edits that show only in what is sent.

It reads and edits; it knows nothing of KSR, transactions or routing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# RFC 3261, section 20, and the extensions that Kamailio 5.6 knows by their short names.
COMPACT = {
    b"i": b"call-id",
    b"m": b"contact",
    b"e": b"content-encoding",
    b"l": b"content-length",
    b"c": b"content-type",
    b"f": b"from",
    b"s": b"subject",
    b"k": b"supported",
    b"t": b"to",
    b"v": b"via",
    b"o": b"event",
    b"r": b"refer-to",
    b"x": b"session-expires",
}


class Header(NamedTuple):
    """One header field by offsets into the raw message; folded lines stay in `value`."""

    name: bytes
    start: int
    end: int
    value_start: int
    value: bytes


class Span(NamedTuple):
    """A piece of the raw message."""

    start: int
    end: int

    def of(self, raw: bytes) -> bytes:
        return raw[self.start : self.end]


class Uri(NamedTuple):
    """Pieces of a SIP or tel URI, by offsets; `user` and `host` may be absent."""

    whole: Span
    user: Span | None
    host: Span | None


class Party(NamedTuple):
    """A name-addr or addr-spec header: display name (quotes kept), where `<` or the URI starts."""

    display: Span | None
    address_start: int
    has_brackets: bool
    uri: Uri
    tag: bytes | None


class Message:
    """One received message. `raw` never changes; `sent()` gives what goes out with all edits."""

    def __init__(self, raw: bytes) -> None:
        head, blank, self.body = raw.partition(b"\r\n\r\n")
        if not blank:
            raise ValueError("a SIP message has an empty line after its headers")
        self.raw = raw
        self.start_line = head.split(b"\r\n", 1)[0]
        self.headers = list(_headers(raw, len(self.start_line) + 2, len(head) + 2))
        words = self.start_line.split(b" ", 2)
        self.is_request = not self.start_line.startswith(b"SIP/")
        self.method = words[0] if self.is_request else self._cseq(1)
        self.request_uri = words[1] if self.is_request else None
        self.status = None if self.is_request else int(words[1])
        self.reason = None if self.is_request else words[2]
        self.start_instead: bytes | None = None
        self.body_instead: bytes | None = None
        self._cuts: list[tuple[Span, bytes]] = []
        self._at_top: list[bytes] = []
        self._at_end: list[bytes] = []

    # -- reading: always the message as it came ------------------------------------------------

    def all_named(self, name: bytes) -> list[Header]:
        """Header fields of this name, short or long, in any case."""
        wanted = _long(name)
        return [header for header in self.headers if _long(header.name) == wanted]

    def value(self, name: bytes, index: int = 0) -> bytes | None:
        """Value of the header field at this place; -1 is the last one."""
        found = self.all_named(name)
        if not -len(found) <= index < len(found):
            return None
        return found[index].value

    def party(self, name: bytes) -> Party | None:
        """The address in the first header of this name; None when there is none to read.

        A NUL makes every address unreadable but those of Contact (measured).
        """
        found = self.all_named(name)
        if not found or (b"\0" in found[0].value and name != b"Contact"):
            return None
        return party_at(self.raw, found[0])

    def _cseq(self, word: int) -> bytes:
        words = (self.value(b"CSeq") or b"").split()
        return words[word] if len(words) > word else b""

    @property
    def cseq_number(self) -> bytes:
        return self._cseq(0)

    # -- edits -----------------------------------------------------------------------------------

    def cut(self, span: Span, instead: bytes = b"") -> None:
        """Take a span out and put bytes there. Two cuts of one span put both texts, as lumps do."""
        self._cuts.append((span, instead))

    def remove(self, header: Header) -> None:
        self.cut(Span(header.start, header.end))

    def append(self, field: bytes) -> None:
        self._at_end.append(field)

    def insert(self, field: bytes) -> None:
        self._at_top.insert(0, field)

    def fork(self) -> Message:
        """A copy with the edits made so far: what a branch starts from."""
        copy = Message(self.raw)
        copy._cuts, copy._at_top = list(self._cuts), list(self._at_top)
        copy._at_end = list(self._at_end)
        copy.start_instead, copy.body_instead = self.start_instead, self.body_instead
        return copy

    def sent(self, request_uri: bytes | None = None) -> bytes:
        """The bytes that go out, but for what tm does to Via."""
        start = self.start_instead or self.start_line
        if request_uri is not None and self.is_request:
            start = b" ".join((start.split(b" ", 1)[0], request_uri, b"SIP/2.0"))
        offset = len(self.start_line) + 2
        head_end = len(self.raw) - len(self.body) - 2
        pieces = [start, b"\r\n", *self._at_top]
        for span, instead in sorted(self._cuts, key=lambda cut: (cut[0].start, -cut[0].end)):
            if span.start > offset:
                pieces.append(self.raw[offset : span.start])
            pieces.append(instead)
            offset = max(offset, span.end)
        body = self.body if self.body_instead is None else self.body_instead
        pieces += [self.raw[offset:head_end], *self._at_end, b"\r\n", body]
        return b"".join(pieces)


def party_at(raw: bytes, header: Header) -> Party | None:
    """Read a name-addr or addr-spec (RFC 3261, section 20.10) in a header's value."""
    value, base = header.value, header.value_start
    bracketed = re.match(rb'\s*("(?:[^"\\]|\\.)*"|[^<"]*?)\s*<([^>]*)>(.*)', value, re.DOTALL)
    if bracketed is not None:
        display = Span(base + bracketed.start(1), base + bracketed.end(1))
        span = Span(base + bracketed.start(2), base + bracketed.end(2))
        where = (display if display.end > display.start else None, span.start - 1, True)
        parameters = bracketed.group(3)
    else:
        address, _, parameters = value.partition(b";")
        if not address or address == b"*":
            return None
        span = Span(base, base + len(address.rstrip()))
        where = (None, span.start, False)
    tag = re.search(rb"(?:^|;)\s*tag\s*=\s*([^;\s]+)", parameters)
    return Party(*where, uri_at(raw, span), tag.group(1) if tag else None)


def uri_at(raw: bytes, span: Span) -> Uri:
    """Pieces of the URI in a span (RFC 3261, section 25.1); a tel URI has only a user."""
    text = span.of(raw)
    scheme, _, rest = text.partition(b":")
    base = span.start + len(scheme) + 1
    if scheme.lower() == b"tel":
        return Uri(span, Span(base, base + len(rest.partition(b";")[0])), None)
    userinfo, at, hostport = rest.partition(b"@")
    user = None
    if at:
        user = Span(base, base + len(userinfo.partition(b":")[0]))
        base += len(userinfo) + 1
    else:
        hostport = rest
    host = re.match(rb"\[[^]]*\]|[^:;?]*", hostport)
    return Uri(span, user, Span(base, base + (host.end() if host else 0)))


def _long(name: bytes) -> bytes:
    lower = name.lower()
    return COMPACT.get(lower, lower)


def _headers(raw: bytes, offset: int, end: int) -> Iterator[Header]:
    field = re.compile(rb"([^:\r\n]+?)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)\r\n")
    while offset < end:
        found = field.match(raw, offset)
        if found is None:
            raise ValueError(f"not a header field: {raw[offset : offset + 40]!r}")
        value = found.group(2)
        lead = len(value) - len(value.lstrip())
        value = value.lstrip()  # spaces at the end stay (measured)
        yield Header(found.group(1), offset, found.end(), found.start(2) + lead, value)
        offset = found.end()
