"""What has to be done so that Kamailio keeps the registrations that are wanted, and no other; pure.

A record cannot be changed. One that is not wanted any more says so to the registrar first, and is
removed when that was answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from gateway.registrations.records import ONGOING, ONLINE, Kept, Record

FAREWELL_S = 3  # patience with a registrar that does not answer the end of a registration


class Step(NamedTuple):
    """One RPC: ``add`` a record, ``unregister`` it with the carrier, ``remove`` it here."""

    do: Literal["add", "unregister", "remove"]
    record: Record


class Plan(NamedTuple):
    """``steps`` for now; ``waiting``: something else can be done soon, when an answer has come."""

    steps: tuple[Step, ...]
    waiting: bool


def plan(wanted: Iterable[Record], kept: Iterable[Kept], now: float) -> Plan:
    """The steps from ``kept`` to ``wanted``. A Kamailio that was restarted keeps nothing."""
    want = {record.contact_user: record for record in wanted}
    steps: list[Step] = []
    there: set[str] = set()
    waiting = False
    for one in kept:
        user = one.record.contact_user
        there.add(user)
        if want.get(user) is not None and _same(one.record, want[user]):
            continue
        if one.leaving:
            if one.flags & ONGOING and now < one.due + FAREWELL_S:
                waiting = True
            else:
                steps.append(Step("remove", one.record))
        elif one.flags & (ONLINE | ONGOING):
            steps.append(Step("unregister", one.record))
            waiting = True
        else:
            steps.append(Step("remove", one.record))
    gone = {step.record.contact_user for step in steps if step.do == "remove"}
    for user, record in want.items():
        if user not in there or user in gone:
            steps.append(Step("add", record))
    return Plan(tuple(steps), waiting)


def _same(kept: Record, wanted: Record) -> bool:
    """A registrar may have asked for a longer time than ours (RFC 3261, section 10.2.8)."""
    asked_longer = kept.expires_s > wanted.expires_s
    return kept == (wanted._replace(expires_s=kept.expires_s) if asked_longer else wanted)
