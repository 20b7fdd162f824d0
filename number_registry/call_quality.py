"""How well calls go: tallies of ended calls, and whether one tally is worse than another by more
than chance; pure, and it knows no PBX and no city.

ASR (answer-seizure ratio): answered calls of all. ACD (average call duration): talk time of the
answered ones. PDD (post-dial delay): from the INVITE to the first sign. *Failed* are calls that
nobody could answer: what a person does (busy, no answer, given up, declined) is no failure.

Shares are compared by Wilson's score interval and by Newcombe's for the difference of two
(Statistics in Medicine 17, 1998, method 10), means by the normal interval of their difference, all
at 99.9 %: limits are looked at every minute for months, and must not be crossed by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

Z = 3.29  # 99.9 %, two-sided
HOURS_OF_A_WEEK = 168
# Causes that are a person's doing, or a person's absence.
PEOPLE = frozenset({"busy", "declined", "no_answer", "given_up"})
_BY_STATUS = {
    **dict.fromkeys((486, 600), "busy"),
    603: "declined",
    **dict.fromkeys((404, 410, 484, 604), "unknown_number"),
    **dict.fromkeys((408, 480), "unreachable"),
    **dict.fromkeys((415, 488, 606), "no_common_codec"),
    **dict.fromkeys((401, 403, 407), "not_allowed"),
    487: "given_up",
}


def cause(status: int | None, how: str | None, verdict: str | None, rang: bool) -> str:
    """Why a call that was not answered ended so.

    `status`: the SIP status its caller heard; `how` and `verdict` as in the table calls.
    """
    if verdict in ("reject", "drop"):
        return "refused_here"
    if how == "cancel":
        return "given_up"
    if rang and (how == "timeout" or status in (408, 480)):
        return "no_answer"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "out_of_service" if status is not None and 500 <= status < 600 else "other"


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls added up. ``talks``: answered calls that have ended, which ``talk_s`` is of;
    ``talk_s2``: the sum of squares of their seconds, for the spread.
    """

    calls: int = 0
    answered: int = 0
    failed: int = 0
    talks: int = 0
    talk_s: float = 0.0
    talk_s2: float = 0.0
    pdd_ms: int = 0
    pdd_calls: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        return total((self, other))

    @property
    def acd_s(self) -> float | None:
        return self.talk_s / self.talks if self.talks else None

    @property
    def talk_variance(self) -> float:
        """Of one call's seconds."""
        if self.talks < 2:
            return 0.0
        mean = self.talk_s / self.talks
        spread = self.talk_s2 - self.talks * mean * mean
        return max(0.0, spread / (self.talks - 1))


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together, in one pass: an hour of a city is one of a thousand that are added up
    every minute.
    """
    calls = answered = failed = talks = pdd_ms = pdd_calls = 0
    talk_s = talk_s2 = 0.0
    causes: dict[str, int] = {}
    for one in tallies:
        calls += one.calls
        answered += one.answered
        failed += one.failed
        talks += one.talks
        talk_s += one.talk_s
        talk_s2 += one.talk_s2
        pdd_ms += one.pdd_ms
        pdd_calls += one.pdd_calls
        for name, count in one.causes.items():
            causes[name] = causes.get(name, 0) + count
    return Tally(calls, answered, failed, talks, talk_s, talk_s2, pdd_ms, pdd_calls, causes)


def by_hour_of_week(hours: Mapping[int, Tally]) -> dict[int, Tally]:
    """From hours since 1970 to hours of a week: what is kept of weeks gone by."""
    found: dict[int, Tally] = {}
    for hour, tally in hours.items():
        place = hour % HOURS_OF_A_WEEK
        found[place] = found.get(place, Tally()) + tally
    return found


def as_json(hours: Mapping[int, Tally]) -> list[list[Any]]:
    """What `of_json` reads: [[hour, tally], ..]."""
    return [[hour, asdict(tally)] for hour, tally in sorted(hours.items())]


def of_json(rows: Iterable[Iterable[Any]]) -> dict[int, Tally]:
    return {hour: Tally(**tally) for hour, tally in rows}


@dataclass(frozen=True, slots=True)
class Limits:
    """What may not happen; None switches one off. Points are of a hundred calls.

    ``asr_drop``, ``failure_rise``: points against the baseline. ``acd_drop``: percent of the
    baseline's. ``failure_ceiling``: points, where there is no baseline. Nothing is said of fewer
    calls than ``min_calls``, and nothing of the length of fewer than twice as many: lengths differ
    so much that few of them tell little.
    """

    asr_drop: float | None = 10.0
    acd_drop: float | None = 40.0
    failure_rise: float | None = 5.0
    failure_ceiling: float | None = 25.0
    min_calls: int = 10


class Crossing(NamedTuple):
    """A limit that is crossed. ``window``: the calls it was seen in; ``told``: for a person."""

    limit: str
    window: str
    told: str


# How many hours back each window reaches. A failure does not ask what time it is; whether somebody
# answers does, so that is compared over whole days, with the same hours of the weeks before.
_WINDOWS = (("last hour", 1), ("last day", 24), ("since it moved", None))


def crossings(
    limits: Limits, baseline: Mapping[int, Tally], now: Mapping[int, Tally], hour: int
) -> list[Crossing]:
    """Every limit that is crossed.

    `baseline` by hour of the week, `now` by hour since 1970, in which it is `hour` now.
    """
    found = []
    before = total(baseline.values())
    for name, back in _WINDOWS:
        part = {at: one for at, one in now.items() if back is None or at >= hour - back}
        seen = total(part.values())
        found += [Crossing(*one) for one in _failures(limits, before, seen, name)]
        if back != 1:
            alike = {at % HOURS_OF_A_WEEK for at in _hours(part, hour, back)}
            same = total(one for at, one in baseline.items() if at in alike)
            found += [Crossing(*one) for one in _answers(limits, same, seen, name)]
            # Of calls that began just now only the short ones have ended.
            over = total(one for at, one in part.items() if at < hour - 1)
            found += [Crossing(*one) for one in _lengths(limits, same, over, name)]
    return found


def _hours(part: Mapping[int, Tally], hour: int, back: int | None) -> range:
    first = hour - back if back is not None else min(part, default=hour)
    return range(max(first, hour - HOURS_OF_A_WEEK + 1), hour + 1)


def _failures(limits: Limits, before: Tally, now: Tally, window: str) -> Iterable[tuple[str, ...]]:
    if now.calls < limits.min_calls:
        return
    told = f"{percent(now.failed, now.calls):.0f} % of {now.calls} calls failed{_worst(now)}"
    if before.calls < limits.min_calls:
        surely, _ = wilson(now.failed, now.calls)
        if limits.failure_ceiling is not None and surely > limits.failure_ceiling / 100:
            yield "failure_ceiling", window, f"{told}; there is no baseline"
    elif limits.failure_rise is not None:
        surely = _rise(before.failed, before.calls, now.failed, now.calls)
        if surely > limits.failure_rise / 100:
            was = f"{percent(before.failed, before.calls):.0f} % before"
            yield "failure_rise", window, f"{told}, {was}"


def _worst(tally: Tally) -> str:
    failed = {name: count for name, count in tally.causes.items() if name not in PEOPLE}
    if not failed:
        return ""
    return f" (most: {max(failed, key=lambda name: (failed[name], name)).replace('_', ' ')})"


def _answers(limits: Limits, before: Tally, now: Tally, window: str) -> Iterable[tuple[str, ...]]:
    if min(before.calls, now.calls) >= limits.min_calls and limits.asr_drop is not None:
        lost = _rise(now.answered, now.calls, before.answered, before.calls)
        if lost > limits.asr_drop / 100:
            told = f"ASR {percent(now.answered, now.calls):.0f} % of {now.calls} calls"
            was = f"{percent(before.answered, before.calls):.0f} % before"
            yield "asr_drop", window, f"{told}, {was}"


def _lengths(limits: Limits, before: Tally, now: Tally, window: str) -> Iterable[tuple[str, ...]]:
    if min(before.talks, now.talks) >= 2 * limits.min_calls and limits.acd_drop is not None:
        kept = 1 - limits.acd_drop / 100
        if _shorter(before, now, kept):
            yield "acd_drop", window, f"ACD {now.acd_s:.0f} s, {before.acd_s:.0f} s before"


def _shorter(before: Tally, now: Tally, kept: float) -> bool:
    """Whether calls last less than `kept` of what they did, surely."""
    difference = kept * before.talk_s / before.talks - now.talk_s / now.talks
    variance = kept**2 * before.talk_variance / before.talks + now.talk_variance / now.talks
    return difference > Z * math.sqrt(variance)


def wilson(hits: int, of: int, z: float = Z) -> tuple[float, float]:
    """Between which shares the true one lies; (0, 1) of nothing."""
    if not of:
        return 0.0, 1.0
    share, square = hits / of, z * z
    middle = share + square / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    scale = 1 + square / of
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def _rise(hits: int, of: int, later: int, of_later: int) -> float:
    """By how much the second share is surely above the first; negative where that is not sure."""
    one, two = hits / of, later / of_later
    _, highest = wilson(hits, of)
    lowest, _ = wilson(later, of_later)
    return two - one - math.sqrt((highest - one) ** 2 + (two - lowest) ** 2)


def percent(part: int, of: int) -> float:
    """Of a hundred; 0 of nothing."""
    return 100 * part / of if of else 0.0


def verdict(limits: Limits, baseline: Tally, now: Tally, crossed: Iterable[Crossing]) -> str:
    """In a word: limit_crossed, too_few_calls, no_baseline, ok."""
    if any(True for _ in crossed):
        return "limit_crossed"
    if now.calls < limits.min_calls:
        return "too_few_calls"
    return "no_baseline" if baseline.calls < limits.min_calls else "ok"
