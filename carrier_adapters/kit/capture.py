"""Captured INVITEs and what they are expected to mean: reads the text of both, judges nothing.

A capture is two files: ``NAME.sip``, the message as text, and ``NAME.toml`` beside it:
``direction`` in or out, ``trunk``, and for a call in ``called``, ``caller``, ``withheld`` and
perhaps ``source`` (the address it came from), for a call out ``called`` and ``shown``, and
``forwarded = true`` where a PBX of ours forwards it. Full numbers are written with a plus; what a
SIM of ours shows may be a deal or an extension, without one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrier_adapters.contract import CALLER_HEADERS, Invite

_KEYS = {
    "in": ({"direction", "trunk", "called", "caller", "withheld"}, {"source"}),
    "out": ({"direction", "trunk", "called", "shown"}, {"forwarded"}),
}
_COMPACT = {"f": "from", "t": "to"}  # RFC 3261, section 7.3.3, as far as it is read here
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_HIDING = frozenset({"id", "user", "header"})


class CaptureError(ValueError):
    """A capture that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One captured INVITE. ``expected``: the table of its TOML file; ``diverting``: the user in
    Diversion, empty where there is none.
    """

    name: str
    invite: Invite
    from_user: str
    diverting: str
    expected: dict[str, Any]

    @property
    def incoming(self) -> bool:
        return bool(self.expected["direction"] == "in")


def read_folder(folder: Path) -> Iterator[Capture | CaptureError]:
    """Every capture of a folder, by name; a file without its other half is an error."""
    stems = {path.stem for path in folder.glob("*") if path.suffix in (".sip", ".toml")}
    for stem in sorted(stems):
        try:
            yield read(stem, folder)
        except CaptureError as error:
            yield error


def read(stem: str, folder: Path) -> Capture:
    """One capture. Raises CaptureError."""
    message, told = folder / f"{stem}.sip", folder / f"{stem}.toml"
    for path in (message, told):
        if not path.exists():
            raise CaptureError(f"{path.name} is missing beside {stem}.*")
    try:
        expected = tomllib.loads(told.read_text("utf-8"))
        invite, from_user, diverting = read_invite(message.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CaptureError(f"{stem}: {error}") from error
    _refuse_keys(told.name, expected)
    return Capture(stem, invite, from_user, diverting, expected)


def _refuse_keys(file: str, expected: dict[str, Any]) -> None:
    direction = expected.get("direction")
    if direction not in _KEYS:
        raise CaptureError(f'{file}: direction is {direction!r}, "in" or "out" is expected')
    must, may = _KEYS[direction]
    missing, unknown = must - expected.keys(), expected.keys() - must - may
    if missing or unknown:
        said = [f"missing {sorted(missing)}"] * bool(missing)
        said += [f"unknown {sorted(unknown)}"] * bool(unknown)
        raise CaptureError(f"{file}: {', '.join(said)}")
    for key, value in expected.items():
        if not isinstance(value, bool if key in ("withheld", "forwarded") else str):
            raise CaptureError(f"{file}: {key} is {value!r}")


def read_invite(text: str) -> tuple[Invite, str, str]:
    """An INVITE as the gateway reads it, and the users of its From and of its Diversion. Raises
    CaptureError.
    """
    head = text.replace("\r\n", "\n").lstrip("\n").partition("\n\n")[0]
    first, _, rest = head.partition("\n")
    words = first.split(" ")
    if len(words) != 3 or words[0] != "INVITE" or words[2] != "SIP/2.0":
        raise CaptureError(f"{first[:60]!r} does not begin an INVITE")
    headers = _headers(rest)
    for name in ("from", "to"):
        if name not in headers:
            raise CaptureError(f"there is no {name.title()}")
    callers = {name: _user(headers[name.lower()][0]) for name in CALLER_HEADERS
               if name.lower() in headers}  # fmt: skip
    invite = Invite(user_of(words[1]), _user(headers["to"][0]), callers, _anonymous(headers))
    return invite, callers["From"], _user(headers.get("diversion", [""])[0])


def _headers(text: str) -> dict[str, list[str]]:
    """Values by name in small letters; a line that begins with a space goes on (7.3.1)."""
    unfolded = re.sub(r"\n[ \t]+", " ", text)
    found: dict[str, list[str]] = {}
    for line in unfolded.split("\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise CaptureError(f"{line[:60]!r} is no header")
        name = name.strip().lower()
        found.setdefault(_COMPACT.get(name, name), []).append(value.strip())
    return found


def _uri(value: str) -> str:
    value = _QUOTED.sub("", value)
    _, opened, rest = value.partition("<")
    return rest.partition(">")[0] if opened else value.partition(";")[0].strip()


def _user(value: str) -> str:
    return user_of(_uri(value))


def user_of(uri: str) -> str:
    """User part of a sip: or tel: URI, without password and parameters; empty when none."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() == "tel":
        return rest.partition(";")[0]
    user, at, _ = rest.partition("@")
    return user.partition(":")[0].partition(";")[0] if at else ""


def _anonymous(headers: dict[str, list[str]]) -> bool:
    """RFC 3323, section 4.2, and RFC 3261, section 8.1.1.3."""
    if "privacy" in headers:
        wants = ";".join(headers["privacy"]).lower().replace(",", ";").split(";")
        return not _HIDING.isdisjoint(word.strip() for word in wants)
    return _uri(headers["from"][0]).rpartition("@")[2].partition(":")[0] == "anonymous.invalid"
