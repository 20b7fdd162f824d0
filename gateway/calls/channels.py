"""Sets right what SIP workers count of trunks' channels, from the calls that are really up; it
refuses no call and ends none.

Workers count in Kamailio's memory (kemi/limits.py): at once, but a restart forgets, and a BYE that
never comes is never counted back. So every ROUND_S seconds the counts are compared with the calls
that the journal knew at that moment, and what is missing is written beside them, where nobody else
writes. A difference counts once it was seen twice: one between a worker's count and its line is no
mistake.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import structlog

from carrier_adapters.contract import Carrier
from gateway.calls.events import Start, Try
from gateway.calls.fold import Call
from gateway.kamailio_rpc import KamailioGoneError, KamailioRpc, RpcError

ROUND_S = 2.0
LAG_S = 0.4  # until a line of the journal is folded: p99 of 38 ms, and room
TABLE, MEND = "trunks", "mend:"  # as in kamailio.cfg and kemi/ksr_effects.py

_log = structlog.get_logger("gateway.calls")


class Use(NamedTuple):
    """A channel of a trunk (``carrier/trunk``) in use; times in microseconds since 1970."""

    trunk: str
    since: int
    until: int | None


def uses(call: Call) -> Iterator[Use]:
    """Which channels the call used, and when: that of the trunk it came by, and that of each trunk
    it was tried at until the next one was.
    """
    start, over = call.start, call.end.t if call.end else None
    if start is None or call.refused_at_once:
        return
    if start.dir == "in" and start.trunk:
        yield Use(f"{start.src}/{start.trunk}", start.t, over)
    attempts: list[Start | Try] = [start, *call.tries]
    taken = call.taken
    for place, one in enumerate(attempts):
        if not one.trunk2:
            continue
        following = attempts[place + 1].t if place + 1 < len(attempts) else over
        until = over if one is taken and call.answer is not None else following
        yield Use(f"{one.to}/{one.trunk2}", one.t, until)


def used_at(calls: Iterable[Call], at: int) -> Counter[str]:
    """Channels in use at this moment, by trunk."""
    return Counter(
        use.trunk
        for call in calls
        for use in uses(call)
        if use.since <= at and (use.until is None or use.until > at)
    )


def wrong(
    trunks: Iterable[str], used: Mapping[str, int], told: Mapping[str, int]
) -> dict[str, int]:
    """By how much workers' counts, mended so far, are too low (or, below 0, too high)."""
    return {
        trunk: used.get(trunk, 0) - told.get(trunk, 0) - told.get(MEND + trunk, 0)
        for trunk in trunks
    }


def agreed(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """The part of two differences that both have."""
    both = {trunk: sorted((before.get(trunk, 0), amount), key=abs) for trunk, amount in now.items()}
    return {trunk: one for trunk, (one, other) in both.items() if one * other > 0}


class Channels:
    """The duty. ``calls``: those that are up; ``carriers``: those at work. Calls that end are told
    to `folded`.
    """

    def __init__(
        self,
        rpc: KamailioRpc,
        calls: Callable[[], Mapping[str, Call]],
        carriers: Callable[[], Mapping[str, Carrier]],
    ) -> None:
        self._rpc, self._calls, self._carriers = rpc, calls, carriers
        self._over: dict[str, Call] = {}  # that ended since the last round began
        self._looking = False
        self._wrong: dict[str, int] = {}

    def folded(self, calls: Mapping[str, Call]) -> None:
        """These have changed."""
        if self._looking:
            self._over |= {id: call for id, call in calls.items() if call.ended}

    async def run(self, stop: asyncio.Event, trustworthy: asyncio.Event) -> None:
        """Until ``stop``; a round is left out while ``trustworthy`` is not set."""
        while not stop.is_set():
            limited = self._limited()
            if limited and trustworthy.is_set():
                await self._round(limited, stop, trustworthy)
            await _pause(stop, ROUND_S)

    def _limited(self) -> list[str]:
        return [
            f"{carrier.name}/{trunk.name}"
            for carrier in self._carriers().values()
            for trunk in carrier.trunks
            if trunk.channels
        ]

    async def _round(
        self, limited: list[str], stop: asyncio.Event, trustworthy: asyncio.Event
    ) -> None:
        self._looking = True
        try:
            at = time.time_ns() // 1000
            told = counts(await self._rpc.ask("htable.dump", TABLE))
            await _pause(stop, LAG_S)
            if not trustworthy.is_set():
                return
            known = self._over | dict(self._calls())
            found = wrong(limited, used_at(known.values(), at), told)
            # Where a worker has counted nothing yet there is nothing that could be on its way.
            fresh = {trunk: by for trunk, by in found.items() if by and trunk not in told}
            mends = {**agreed(self._wrong, found), **fresh}
            for trunk, amount in mends.items():
                _log.info("channels in use were counted wrong", trunk=trunk, by=amount)
                await self._rpc.ask(
                    "htable.seti", TABLE, MEND + trunk, told.get(MEND + trunk, 0) + amount
                )
            # What is mended is no mistake any more, and must be seen twice again.
            self._wrong = {trunk: found[trunk] for trunk in found if trunk not in mends}
        except KamailioGoneError:
            self._wrong = {}  # it starts anew, from nothing
        except RpcError as error:
            _log.error("kamailio does not tell channels in use", error=str(error))
        finally:
            self._looking = False
            self._over = {}


def counts(dump: Any) -> dict[str, int]:
    """The table's integers out of what `htable.dump` answers."""
    return {
        str(item["name"]): int(item["value"])
        for row in dump or ()
        for item in row.get("slot", ())
        if item.get("type") == "int"
    }


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
