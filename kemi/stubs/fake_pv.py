"""Pseudo-variables of the fake: their values, how they are written, and the pv and pvx modules.

A value is bytes, int or None here; what leaves for Python is UTF-8 str, or UnicodeDecodeError.
A pseudo-variable that is not modelled raises NotConfigured rather than giving None.
"""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

from kemi.stubs.fake_message import Message
from kemi.stubs.fake_pv_table import READERS, WRITERS, Value
from kemi.stubs.fake_world import NotConfigured, World

_NAME = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_]+)(?:\((?P<argument>.*)\))?"
    r"|\((?P<inner>[A-Za-z_]+)(?:\((?P<inner_argument>[^()]*)\))?"
    r"(?:\[(?P<index>-?\d+|\*)\])?(?:\{(?P<change>[a-z0-9.]+)\})?\))"
)


EVERY = 1 << 20  # in place of an index: all of them, with commas


class Name(NamedTuple):
    """A parsed `$name(argument)`, or `$(name(argument)[index]{change})`."""

    name: str
    argument: str
    place: int
    change: str


def parse_name(text: str) -> Name | None:
    """None for what Kamailio cannot parse either."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    if found["plain"]:
        return Name(found["plain"], found["argument"] or "", 0, "")
    index = EVERY if found["index"] == "*" else int(found["index"] or 0)
    return Name(found["inner"], found["inner_argument"] or "", index, found["change"] or "")


def to_python(value: Value) -> str | int | None:
    """As app_python3 gives it: bytes must be UTF-8, NUL stays."""
    return value.decode("utf-8") if isinstance(value, bytes) else value


class Variables:
    """Reads and writes the pseudo-variables of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, text: str) -> Value:
        name = parse_name(text)
        if name is None:
            self._world.log.append(("ERROR", f"cannot get pv spec for [{text}]"))
            return None
        value = self._named(name, text)
        if not name.change:
            return value
        if value is None:
            self._world.log.append(("ERROR", f"unable to get pv value for [{text}]"))
            return None
        raw = value if isinstance(value, bytes) else str(value).encode()
        if name.change == "s.encode.base64":
            return base64.b64encode(raw)
        if name.change == "s.len":
            return len(raw)
        raise NotConfigured(f"transformation {{{name.change}}} of {text!r}")

    def _named(self, name: Name, text: str) -> Value:
        message = self._world.message
        if name.name == "hdr" and name.place == EVERY:
            values = [header.value for header in message.all_named(name.argument.encode())]
            return b",".join(values) if values else None
        if name.name == "hdr":
            return message.value(name.argument.encode(), name.place)
        if name.name == "hdrc":
            return len(message.all_named(name.argument.encode()))
        if name.name == "T_req":
            return self._of_request(name.argument)
        if name.name == "T_rpl":
            reply = self._world.transaction and self._world.transaction.last_reply
            return self._of(reply, name.argument) if reply else None
        if name.name in ("avp", "xavp", "var"):
            return self._stored(name)
        if name.argument or name.name not in READERS:
            raise NotConfigured(f"pseudo-variable {text!r}")
        return READERS[name.name](self._world)

    def _of_request(self, text: str) -> Value:
        transaction = self._world.transaction
        return self._of(transaction.request, text) if transaction else None

    def _of(self, message: Message, text: str) -> Value:
        before = self._world.message, self._world.request_uri
        self._world.message, self._world.request_uri = message, message.request_uri
        try:
            return self.read(text)
        finally:
            self._world.message, self._world.request_uri = before

    def _stored(self, name: Name) -> Value:
        if name.name == "var":
            stored: str | int | None = self._world.variables.get(name.argument, 0)
        else:
            stack = getattr(self._world, name.name + "s").get(name.argument) or [None]
            stored = stack[-1]
        return stored.encode() if isinstance(stored, str) else stored

    def write(self, text: str, value: str | int | None) -> bool:
        """False when there is no such pseudo-variable; None unsets."""
        name = parse_name(text)
        if name is None:
            return False
        if name.name == "var":
            self._world.variables[name.argument] = 0 if value is None else value
            return True
        if name.name in ("avp", "xavp"):
            push(getattr(self._world, name.name + "s"), name.argument, value)
            return True
        if name.argument or name.name not in WRITERS:
            raise NotConfigured(f"writing the pseudo-variable {text!r}")
        raw = b"" if value is None else str(value).encode()
        WRITERS[name.name](self._world, raw, value is None)
        return True


def push(stacks: dict[str, list[str | int]], name: str, value: str | int | None) -> None:
    """avp and xavp are stacks: writing pushes, unsetting pops."""
    if value is not None:
        stacks.setdefault(name, []).append(value)
    elif stacks.get(name):
        stacks[name].pop()
