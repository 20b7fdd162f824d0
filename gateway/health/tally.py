"""What is believed of one gateway after each question that it answered or did not; pure."""

from __future__ import annotations

from typing import NamedTuple

MISSES = 2  # questions without an answer after which a gateway counts as down
ANSWERS = 2  # and answers in a row after which it is back


class Tally(NamedTuple):
    """``state``: unknown until first heard of, then up or down, ``since`` (seconds since 1970).
    ``against``: how many answers in a row have spoken against it.
    """

    state: str = "unknown"
    since: float = 0.0
    against: int = 0


def heard(tally: Tally, answered: bool, now: float) -> Tally:
    """After one more question. The first answer at all is believed at once, the first miss is not:
    a gateway is innocent until it has been silent for MISSES questions.
    """
    state, since, against = tally
    if answered:
        if state == "up":
            return Tally("up", since, 0)
        if state == "unknown" or against + 1 >= ANSWERS:
            return Tally("up", now, 0)
        return Tally("down", since, against + 1)
    if state == "down":
        return Tally("down", since, 0)
    if against + 1 >= MISSES:
        return Tally("down", now, 0)
    return Tally(state, since, against + 1)
