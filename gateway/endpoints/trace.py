"""Splits SIPp's message log into messages as it grows; never waits and never opens anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from gateway.endpoints.message import SipMessage, parse

# One entry: dashes with the time, what happened with a byte count, an empty line, the bytes.
# Or SIPp gave up a call because its scenario did not wait for an order, which it says nowhere else.
_ENTRY = re.compile(
    rb"-{20,} (?P<day>\d{4}-\d\d-\d\d)[ \t](?P<time>\d\d:\d\d:\d\d\.\d+)[^\n]*\n"
    rb"(?P<transport>[A-Z]+) (?P<control>control )?message (?P<way>sent|received) "
    rb"[(\[](?P<count>\d+)[^\n]*:\n\n"
    rb"|Unexpected control message received[^\n]*\n"
    rb"Call-ID: (?P<lost>[^\r\n]*)\r\nDo: (?P<words>[^\r\n]*)\r\n"
)


class TraceReader:
    """Feed it the log's bytes in pieces of any size; it returns the messages that are complete.

    SIPp must run with TZ=UTC, for the log carries no zone.
    """

    def __init__(self) -> None:
        self.lost_orders: list[tuple[str, str]] = []  # Call-ID, words
        self._held = b""

    def feed(self, piece: bytes) -> list[SipMessage]:
        self._held += piece
        return list(self._complete())

    def _complete(self) -> Iterator[SipMessage]:
        while found := _ENTRY.search(self._held):
            if found["lost"] is not None:
                self.lost_orders.append((found["lost"].decode(), found["words"].decode()))
                self._held = self._held[found.end() :]
                continue
            end = found.end() + int(found["count"])
            if len(self._held) < end:
                return
            raw = self._held[found.end() : end]
            self._held = self._held[end:]
            if found["control"] or not raw.strip():
                continue  # our own orders to the scenario, and keep-alives
            yield parse(
                raw,
                at=_seconds(found["day"].decode(), found["time"].decode()),
                sent=found["way"] == b"sent",
                transport=found["transport"].decode().lower(),
            )


def _seconds(day: str, time: str) -> float:
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC).timestamp()
