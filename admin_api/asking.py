"""Reads what a client asks for in the query string, strictly; and cursors, which are opaque to it.

A parameter that is unknown, given twice or wrong is refused: an answer that silently ignores a
filter is worse than none.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from datetime import datetime
from urllib.parse import parse_qsl

import msgspec

from admin_api.problems import Problem

MOST, USUAL = 500, 50
_CURSOR = msgspec.json.Decoder(tuple[datetime, str])
_NUMBER_CURSOR = msgspec.json.Decoder(tuple[int])
_LARGEST = 10**15  # E.164: at most fifteen digits


class Asked:
    """The parameters of one request, each at most once and all of them known."""

    def __init__(self, query_string: str, known: Collection[str]) -> None:
        try:
            pairs = parse_qsl(
                query_string, keep_blank_values=True, strict_parsing=bool(query_string)
            )
        except ValueError as error:
            raise wrong("the query string", "cannot be read") from error
        self._values: dict[str, str] = {}
        for name, value in pairs:
            if name not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise Problem(
                    400, "unknown-parameter", "A parameter is not known here.", f"Known: {listed}."
                )
            if name in self._values:
                raise wrong(name, "is given twice")
            if "\0" in value or len(value) > 200:
                raise wrong(name, "is not a value")
            self._values[name] = value

    def limit(self) -> int:
        """How many rows: 1 to MOST."""
        text = self._values.get("limit", str(USUAL))
        if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
            raise wrong("limit", f"is a number from 1 to {MOST}")
        return int(text)

    def one_of(self, name: str, allowed: Collection[str]) -> str | None:
        """One of some words, or None when it is not asked for."""
        value = self._values.get(name)
        if value is not None and value not in allowed:
            raise wrong(name, f"is one of {', '.join(allowed)}")
        return value

    def text(self, name: str) -> str | None:
        """Any text, or None."""
        return self._values.get(name)

    def call_cursor(self) -> tuple[datetime | None, str | None]:
        """The place of the last call seen."""
        if "cursor" not in self._values:
            return None, None
        try:
            at, id = _CURSOR.decode(_open(self._values["cursor"]))
        except (ValueError, msgspec.DecodeError) as error:
            raise _bad_cursor() from error
        if at.tzinfo is None or not re.fullmatch(r"[0-9a-f]{32}", id):
            raise _bad_cursor()
        return at, id

    def number_cursor(self) -> int | None:
        """The last number seen."""
        if "cursor" not in self._values:
            return None
        try:
            (number,) = _NUMBER_CURSOR.decode(_open(self._values["cursor"]))
        except (ValueError, msgspec.DecodeError) as error:
            raise _bad_cursor() from error
        if not 0 <= number < _LARGEST:
            raise _bad_cursor()
        return number


def cursor(*place: object) -> str:
    """A place as text that fits into an address."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def wrong(name: str, must: str) -> Problem:
    """400 for a parameter's value."""
    return Problem(400, "bad-parameter", f"{name} {must}.")


def _open(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error as error:
        raise _bad_cursor() from error


def _bad_cursor() -> Problem:
    return Problem(
        400, "bad-cursor", "The cursor is not one of ours.", "Start again without a cursor."
    )
