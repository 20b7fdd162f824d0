"""What calls use of trunks that have limits, and who calls whom how often, in Kamailio's shared
memory (tables of kamailio.cfg): plain counting through KSR; it decides nothing (limits.py does, and
number_registry/forwarding.py).
"""

from __future__ import annotations

import KSR

# Beside a trunk's count, in the same table, stands what the daemon found to be wrong with it.
MEND = "mend:"


def channel_taken(trunk: str) -> int:
    """How many there are with this one."""
    return KSR.htable.sht_inc("trunks", trunk)


def channel_freed(trunk: str) -> None:
    KSR.htable.sht_dec("trunks", trunk)


def channels_mended(trunk: str) -> int:
    """To be added to the count."""
    return int(KSR.htable.sht_get("trunks", MEND + trunk) or 0)


def hold_channels(call: str, trunks: str) -> None:
    """``trunks``: all that the call holds one of, and ``=tag`` of answers, with blanks between."""
    KSR.htable.sht_sets("held", call, trunks)


def held_channels(call: str) -> str:
    return str(KSR.htable.sht_gete("held", call))


def let_channels_go(call: str) -> None:
    KSR.htable.sht_rm("held", call)


def note_given_up(call: str, since: int) -> None:
    """The branches of the call below ``since`` were given up."""
    KSR.htable.sht_seti("late", call, since)


def noted_given_up(call: str) -> int:
    """0 where nothing was noted."""
    return int(KSR.htable.sht_get("late", call) or 0)


def next_start(trunk: str) -> int:
    return KSR.htable.sht_inc("starts", trunk)


def start_refused(trunk: str) -> None:
    KSR.htable.sht_dec("starts", trunk)


def started_at(place: str) -> int:
    return int(KSR.htable.sht_get("starts", place) or 0)


def start_noted(place: str, ms: int) -> None:
    KSR.htable.sht_seti("starts", place, ms)


def count(key: str) -> int:
    """How many there are of this with the one at hand, on this host, whichever worker counts."""
    return KSR.htable.sht_inc("rounds", key)


def count_both(one: str, other: str) -> int:
    """As `count`, of two; how many there are of the other."""
    count = KSR.htable.sht_inc
    count("rounds", one)
    return count("rounds", other)


def counted(key: str) -> int:
    """How many were counted; 0 for none."""
    return int(KSR.htable.sht_gete("rounds", key) or 0)
