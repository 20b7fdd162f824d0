"""The addresses a call is tried at, one after the other, and what a reply or a failure must know to
go on.
"""

from __future__ import annotations

from typing import NamedTuple

from kemi import events
from kemi import ksr_effects as do
from kemi.worker import Worker
from number_registry.model import Address

LAST_TRY_MS = 10000  # patience with a silent far side when there is nowhere else to go


class Pending(NamedTuple):
    """What is kept with the transaction, as text, because another worker may handle what follows.

    ``from_uri`` and ``to_uri``: as the caller wrote them, or empty where they were not changed.
    ``left``: the addresses not tried yet.
    """

    call: str
    from_uri: str
    to_uri: str
    user: str
    left: tuple[Address, ...]
    tried: int
    retry: frozenset[int]

    def text(self) -> str:
        """The first three fields are all a reply needs; the rest is there while there is somewhere
        else to go.
        """
        call, from_uri, to_uri, user, addresses, tried, retry = self
        text = f"{call}|{from_uri}|{to_uri}"
        if not addresses:
            return text
        left = ",".join([address.uri for address in addresses])
        return f"{text}|{user}|{left}|{tried}|{','.join(map(str, retry))}"

    @classmethod
    def read(cls, text: str) -> Pending:
        call, from_uri, to_uri, *more = text.split("|")
        if not more:
            return cls(call, from_uri, to_uri, "", (), 0, frozenset())
        user, left, tried, retry = more
        addresses = tuple(map(Address.parse, left.split(",")))
        return cls(
            call,
            from_uri,
            to_uri,
            user,
            addresses,
            int(tried),
            frozenset(map(int, retry.split(","))) if retry else frozenset(),
        )


def try_next(worker: Worker, pending: Pending) -> bool:
    """Relay to the next address that can be sent to at all; False when none is left."""
    call, from_uri, to_uri, user, left, tried, retry = pending
    for address in left:
        left, tried = left[1:], tried + 1
        do.aim(user, address)
        pending = Pending(call, from_uri, to_uri, user, left, tried, retry)
        do.remember(pending.text(), again=tried > 1)
        silent_ms = worker.config.silent_trunk_ms
        do.patience(silent_ms if left or silent_ms > LAST_TRY_MS else LAST_TRY_MS)
        do.watch_invite()
        if tried > 1:
            events.attempt(worker.journal, call, tried, address.uri)
        if do.relay():
            return True
    return False
