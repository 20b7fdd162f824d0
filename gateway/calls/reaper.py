"""Notices calls that nobody will end: their BYE never came, or their set-up was forgotten.

What is to be ended is decided by pure functions over what is known; `Reaper` looks, and lets
control.py act. An rtpengine that does not answer proves nothing, and a record that lags behind the
journal proves nothing either.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Set
from typing import Literal, NamedTuple

import structlog

from gateway.calls.control import Control
from gateway.calls.fold import Call
from gateway.calls.record import at
from gateway.kamailio_rpc import KamailioGoneError
from gateway.rtpengine_ng import LIST_MOST, Ng, NgError, NgTimeoutError

ROUND_S = 2.0
YOUNG_S = 5.0  # an answered call younger than this may not have reached rtpengine's list
MISSED = 2  # rounds in a row without the call: one may fall between a BYE and its record
QUERIES = 200  # at most so many single questions in a round
EMERGENCY = "emergency"  # the rule's name in a call's trace (number_registry/routing.py)

_log = structlog.get_logger("gateway.calls")


class Limits(NamedTuple):
    """In seconds: the longest call, and the longest set-up without any event."""

    longest_s: float
    set_up_s: float


class Seen(NamedTuple):
    """What has been observed of an open call by our own steady clock.

    `age_s` since its answer, `quiet_s` since its last event. `relayed`: rtpengine was seen to have
    it. `young`: we have watched it from its answer on, so not relayed means never relayed.
    """

    age_s: float
    quiet_s: float
    relayed: bool
    young: bool
    missed: int


class Ending(NamedTuple):
    """One call to end, and why."""

    id: str
    why: Literal["no media", "longest", "lost"]
    reason: str


def endings(calls: Mapping[str, Call], seen: Mapping[str, Seen], limits: Limits) -> list[Ending]:
    """Which calls are to be ended now."""
    found = []
    for id, call in calls.items():
        ending = _ending(id, call, seen[id], limits)
        if ending is not None:
            found.append(ending)
    return found


def _ending(id: str, call: Call, seen: Seen, limits: Limits) -> Ending | None:
    if call.answer is None:
        if seen.quiet_s > limits.set_up_s:
            return Ending(id, "lost", f"nothing was heard of its set-up for {seen.quiet_s:.0f} s")
        return None
    if seen.age_s > limits.longest_s:
        return Ending(id, "longest", f"longer than {limits.longest_s:g} s")
    if seen.missed >= MISSED:
        return Ending(id, "no media", "no audio from either side any more")
    return None


def has_media(call: Call) -> bool:
    """Whether rtpengine's word counts for this call."""
    return call.answer is not None and call.start is not None and call.start.media == 1


def missed(call: Call, seen: Seen, relay: Set[str]) -> int:
    """How many rounds in a row rtpengine has now been without the call, 0 where it proves nothing.

    A call that rtpengine never had is none of its business: an emergency call goes on without it.
    """
    if not has_media(call) or call.id in relay or seen.age_s < YOUNG_S:
        return 0
    if not seen.relayed and (seen.young or _is_emergency(call)):
        return 0
    return seen.missed + 1


def _is_emergency(call: Call) -> bool:
    return call.start is not None and any(name == EMERGENCY for name, _ in call.start.rules)


class Memory:
    """What the reaper remembers between rounds, in terms of the steady clock.

    The wall clock is asked once for each call, when it is first seen: a clock that is moved by an
    hour afterwards ends nothing.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._steady = wall, steady
        self._answered: dict[str, float] = {}  # steady time of the answer
        self._heard: dict[str, tuple[int, float]] = {}  # (last event's own time, steady time)
        self._seen: dict[str, Seen] = {}

    def look(self, calls: Mapping[str, Call]) -> dict[str, Seen]:
        """What is known of each open call now; what is over is forgotten."""
        now, offset = self._steady(), self._steady() - self._wall()
        for known in (self._answered, self._heard, self._seen):
            for id in known.keys() - calls.keys():
                del known[id]
        for id, call in calls.items():
            if self._heard.get(id, (0, 0.0))[0] != call.last_t:
                self._heard[id] = call.last_t, min(now, call.last_t / 1e6 + offset)
            before = self._seen.get(id, Seen(0, 0, False, False, 0))
            age, young = 0.0, before.young
            if call.answer is not None:
                if id not in self._answered:
                    self._answered[id] = min(now, call.answer.t / 1e6 + offset)
                    young = now - self._answered[id] < YOUNG_S
                age = now - self._answered[id]
            quiet = now - self._heard[id][1]
            self._seen[id] = Seen(age, quiet, before.relayed, young, before.missed)
        return self._seen

    def relay(self, calls: Mapping[str, Call], relay: Set[str]) -> None:
        """Take in which calls rtpengine has."""
        for id, seen in self._seen.items():
            self._seen[id] = seen._replace(
                relayed=seen.relayed or id in relay, missed=missed(calls[id], seen, relay)
            )


class Reaper:
    """The duty: every ROUND_S seconds a look at the open calls, and an end for some of them."""

    def __init__(
        self,
        calls: Callable[[], Mapping[str, Call]],
        control: Control,
        ng: Ng | None,
        limits: Limits,
        memory: Memory | None = None,
    ) -> None:
        self._calls, self._control, self._ng, self._limits = calls, control, ng, limits
        self._memory = memory or Memory()

    async def run(self, stop: asyncio.Event, trustworthy: asyncio.Event) -> None:
        """Until `stop`; a round is left out while `trustworthy` is not set."""
        while not stop.is_set():
            if trustworthy.is_set():
                await self.round()
            try:
                async with asyncio.timeout(ROUND_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def round(self) -> list[Ending]:
        """One look; what was ended."""
        calls = dict(self._calls())
        seen = self._memory.look(calls)
        relay = await self._relay([call for call in calls.values() if has_media(call)])
        if relay is not None:
            self._memory.relay(calls, relay)
        done = []
        for ending in endings(calls, seen, self._limits):
            try:
                await self._end(calls[ending.id], ending)
            except KamailioGoneError as error:
                _log.warning("calls wait for kamailio to be ended", error=str(error))
                break
            done.append(ending)
        return done

    async def _end(self, call: Call, ending: Ending) -> None:
        _log.warning("call given up", call=call.id, why=ending.why, since=str(at(call.last_t)))
        if ending.why == "lost":
            self._control.close_lost(call, ending.reason)
        else:
            media = ending.why != "no media"
            await self._control.hang_up(call, ending.reason, "timeout", media=media)

    async def _relay(self, calls: list[Call]) -> set[str] | None:
        """Ids of those of the calls that rtpengine has; None when it does not say."""
        if self._ng is None or not calls:
            return None
        try:
            listed = set(await self._ng.calls())
            if len(listed) < LIST_MOST:
                return listed
            return listed | await self._ask_each([call for call in calls if call.id not in listed])
        except NgTimeoutError:
            _log.warning("rtpengine does not answer")
            return None
        except NgError as error:
            _log.error("rtpengine does not list its calls", error=str(error))
            return None

    async def _ask_each(self, calls: list[Call]) -> set[str]:
        """With more calls than one list holds: those not asked about this time count as there."""
        asked = random.sample(calls, min(QUERIES, len(calls)))
        found = {call.id for call in calls}
        for call in asked:
            if self._ng is not None and not await self._ng.knows(call.id):
                found.discard(call.id)
        return found
