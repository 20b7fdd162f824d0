"""Rooms of the fake for header fields and bodies: hdr, textops and siputils."""

from __future__ import annotations

import re

from kemi.stubs.fake_message import Span
from kemi.stubs.fake_rooms import Room, effect, or_empty, or_null_text, plain, truth


class Hdr(Room):
    """KSR.hdr: reads see the message as it came, edits show only in what is sent."""

    module = "hdr"

    def get(self, name: str) -> str | int | None:
        return plain(self.world.message.value(name.encode()))

    def gete(self, name: str) -> str | int:
        return or_empty(self.world.message.value(name.encode()))

    def getw(self, name: str) -> str | int:
        return or_null_text(self.world.message.value(name.encode()))

    def get_idx(self, name: str, index: int) -> str | int | None:
        return plain(self.world.message.value(name.encode(), index))

    def gete_idx(self, name: str, index: int) -> str | int:
        return or_empty(self.world.message.value(name.encode(), index))

    def getw_idx(self, name: str, index: int) -> str | int:
        return or_null_text(self.world.message.value(name.encode(), index))

    def is_present(self, name: str) -> int:
        return truth(bool(self.world.message.all_named(name.encode())))

    @effect
    def remove(self, name: str) -> int:
        for header in self.world.message.all_named(name.encode()):
            self.world.message.remove(header)
        return 1  # also when there was none (measured)

    @effect
    def append(self, field: str) -> int:
        self.world.message.append(field.encode())
        return 1

    @effect
    def insert(self, field: str) -> int:
        self.world.message.insert(field.encode())
        return 1

    @effect
    def rmappend(self, name: str, field: str) -> int:
        self.remove(name)
        return self.append(field)

    @effect
    def rminsert(self, name: str, field: str) -> int:
        self.remove(name)
        return self.insert(field)

    @effect
    def append_after(self, field: str, name: str) -> int:
        """After the first header of this name; whatever is cut around it, this stays (measured)."""
        found = self.world.message.all_named(name.encode())
        if not found:
            return -1
        self.world.message.cut(Span(found[0].end, found[0].end), field.encode())
        return 1

    @effect
    def append_to_reply(self, field: str) -> int:
        self.world.reply_headers += field.encode()
        return 1


class Textops(Room):
    """KSR.textops: what is present, and removal."""

    module = "textops"

    def is_present_hf(self, name: str) -> int:
        return truth(bool(self.world.message.all_named(name.encode())))

    def has_body(self) -> int:
        return truth(bool(self.world.message.body))

    def has_body_type(self, kind: str) -> int:
        """The type must be the whole of Content-Type but for its parameters."""
        value = self.world.message.value(b"Content-Type")
        if not self.world.message.body or value is None:
            return -1
        return truth(value.partition(b";")[0].strip().lower() == kind.lower().encode())

    def search_body(self, pattern: str) -> int:
        return truth(
            re.search(pattern.encode(), self.world.message.body, re.IGNORECASE) is not None
        )

    @effect
    def remove_hf(self, name: str) -> int:
        for header in self.world.message.all_named(name.encode()):
            self.world.message.remove(header)
        return 1  # also when there was none (measured)

    @effect
    def remove_hf_re(self, pattern: str) -> int:
        wanted = re.compile(pattern.encode(), re.IGNORECASE)
        found = [header for header in self.world.message.headers if wanted.search(header.name)]
        for header in found:
            self.world.message.remove(header)
        return truth(bool(found))

    @effect
    def remove_hf_exp(self, pattern: str, spared: str) -> int:
        wanted = re.compile(pattern.encode(), re.IGNORECASE)
        kept = re.compile(spared.encode(), re.IGNORECASE)
        for header in self.world.message.headers:
            if wanted.search(header.name) and not kept.search(header.name):
                self.world.message.remove(header)
        return 1

    @effect
    def remove_hf_idx(self, name: str, index: int) -> int:
        found = self.world.message.all_named(name.encode())
        if not -len(found) <= index < len(found):
            return 2  # measured
        self.world.message.remove(found[index])
        return 1

    @effect
    def search_append(self, pattern: str, text: str) -> int:
        flags = re.IGNORECASE | re.MULTILINE
        found = re.search(pattern.encode(), self.world.message.raw, flags)
        if found is None:
            return -1
        self.world.message.cut(Span(found.end(), found.end()), text.encode("latin-1"))
        return 1

    @effect
    def set_body(self, text: str, kind: str) -> int:
        """A Content-Type that is the same already is not written again (measured)."""
        message = self.world.message
        message.body_instead = text.encode("latin-1")
        if message.value(b"Content-Type") != kind.encode():
            message.append(f"Content-Type: {kind}\r\n".encode())
        return 1


class Siputils(Room):
    """KSR.siputils: questions about the message at hand."""

    module = "siputils"

    def has_totag(self) -> int:
        party = self.world.message.party(b"To")
        return truth(party is not None and party.tag is not None)

    def is_request(self) -> int:
        return truth(self.world.message.is_request)

    def is_reply(self) -> int:
        return truth(not self.world.message.is_request)
