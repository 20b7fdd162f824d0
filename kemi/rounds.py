"""Counts that show a call going in circles, shared by all workers of this host for some seconds; it
decides nothing (number_registry/forwarding.py does).

Max-Forwards starts anew at each PBX and each carrier. What stays the same in every round is who
calls whom; so each pair is counted, less what explains it: calls that came in from outside. A key
holds the number of its span of time, so a count begins anew with each span; the table forgets it
afterwards, and a restart forgets all of it, which costs a call nothing.
"""

from __future__ import annotations

from time import monotonic

from kemi import ksr_counts as counts
from number_registry.conversations import FAST_S, MOST_AGAIN, SLOW_S


def of_arrival(caller: str, called: str) -> int:
    """A carrier brings a call: how often this caller came lately, as far as it left through us
    before, so zero for anybody but a number that we show outside.
    """
    span = int(monotonic()) // SLOW_S
    came = counts.count_both(f"n{span} {called}", f"c{span} {caller}")
    return min(came, _lately("o", span, caller)) if came > MOST_AGAIN else 0


def of_sim(caller: str, called: str) -> int:
    """Our SIMs' operator hands a call over: how often this caller came for this number lately. A
    phone that forwards on its own is faster than its owner.
    """
    return counts.count(f"s{int(monotonic()) // SLOW_S} {caller} {called}")


def of_pbx(pbx: str, caller: str, called: str, came_by: str) -> tuple[int, int]:
    """A PBX sends a leg: how often it did so for this caller and this number without a call from
    outside, in SLOW_S and in FAST_S. ``came_by``: numbers that it may have come in by.
    """
    now = int(monotonic())
    slow, fast = now // SLOW_S, now // FAST_S
    pair = f"{pbx} {caller} {called}"
    again, at_once = counts.count(f"p{slow} {pair}"), counts.count(f"q{fast} {pair}")
    if again > MOST_AGAIN or at_once > MOST_AGAIN:
        numbers = came_by.split(",") if came_by else [caller.removeprefix("+")]
        came = [_lately("n", slow, number) for number in numbers]
        explained = max(*came, _lately("c", slow, caller))
        again, at_once = max(again - explained, 0), max(at_once - explained, 0)
    return again, at_once


def _lately(kind: str, span: int, what: str) -> int:
    """In this span and the one before: what comes in at the end of one may go on in the next."""
    return counts.counted(f"{kind}{span} {what}") + counts.counted(f"{kind}{span - 1} {what}")


def of_leaving(shown: str) -> None:
    """A call leaves to the phone network showing this number, written with its plus."""
    counts.count(f"o{int(monotonic()) // SLOW_S} {shown}")
