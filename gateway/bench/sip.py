"""The SIP half of the bench: what a call costs beside a native relay, interleaved in one run.

It judges nothing; gateway/cli/bench.py sets the figures beside their targets.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.bench.load import Load, put_load
from gateway.bench.rigs import Rig, free_nets, native, ours
from gateway.endpoints.sipp import EndpointError

RATE = 500  # calls per second, equal for all: the cost of a call falls as the rate rises
Say = Callable[[str], None]


@dataclass
class Measured:
    """All rounds of one rig. CPU in microseconds per call."""

    us: list[float] = field(default_factory=list)
    by_program: dict[str, list[float]] = field(default_factory=dict)
    pdd_ms: list[float] = field(default_factory=list)
    faults: int = 0

    @property
    def median_us(self) -> float:
        return statistics.median(self.us)

    def pdd(self, percent: int) -> float:
        ordered = sorted(self.pdd_ms)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


async def run(quick: bool, say: Say = lambda line: None) -> dict[str, Any]:
    """Figures of the SIP path, as `bench --json` names them. Takes about two minutes, quick 45 s.

    Raises EndpointError when a private process does not start or calls do not end.
    """
    rounds, seconds = (3, 3) if quick else (5, 6)
    found = {name: Measured() for name in ("native", "inbound", "media")}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portgate-bench-")))
        nets = free_nets()
        rigs = [
            await stack.enter_async_context(native(nets[0])),
            await stack.enter_async_context(ours(nets[1], media=False)),
            await stack.enter_async_context(ours(nets[2], media=True)),
        ]
        for rig in rigs:  # first calls load code and fill caches; they are not what a day costs
            await _load(folder, rig, RATE // 2, 1)
        for turn in range(rounds):
            for rig in rigs:
                await _measure(folder, rig, seconds, found[rig.name])
            say(f"round {turn + 1} of {rounds}: " + _line(found))
        limit = await highest_rate(folder, rigs[1], 2 if quick else 4, say)
    return _figures(found, limit)


async def _load(folder: Path, rig: Rig, rate: int, seconds: int) -> Load:
    return await put_load(folder, rig.net, rig.target, rig.numbers, rate=rate, calls=rate * seconds)


async def _measure(folder: Path, rig: Rig, seconds: int, into: Measured) -> None:
    before = rig.spent_us()
    load = await _load(folder, rig, RATE, seconds)
    after = rig.spent_us()
    calls = max(load.calls, 1)
    spent = {name: (after[name] - before[name]) / calls for name in after}
    into.us.append(sum(spent.values()))
    for name, value in spent.items():
        into.by_program.setdefault(name, []).append(value)
    into.pdd_ms += load.pdd_ms
    into.faults += load.failed + load.retransmitted


async def highest_rate(folder: Path, rig: Rig, seconds: int, say: Say) -> int:
    """Highest rate, to within a twentieth, at which no message is lost or sent twice.

    The two SIPps share the machine's cores with what they load, so this is a lower bound.
    """
    good, bad = 0, 0
    rate = RATE
    while not bad or (bad - good) > bad // 20:
        if await _keeps_up(folder, rig, rate, seconds):
            good = rate
        else:
            bad = rate
        say(f"{rate} calls/s: {'clean' if good == rate else 'not clean'}")
        if bad and bad <= 20:
            break
        rate = (good + bad) // 2 if bad else rate * 3 // 2
    return good


async def _keeps_up(folder: Path, rig: Rig, rate: int, seconds: int) -> bool:
    try:
        load = await _load(folder, rig, rate, seconds)
    except EndpointError:
        return False  # so much was lost that calls never ended
    return load.clean and load.seconds < seconds * 1.1 + 0.5


def _line(found: dict[str, Measured]) -> str:
    return ", ".join(f"{name} {measured.us[-1]:.0f} µs" for name, measured in found.items())


def _figures(found: dict[str, Measured], limit: int) -> dict[str, Any]:
    yardstick = found["native"].median_us

    def part(name: str) -> dict[str, Any]:
        median = found[name].median_us
        return {"us": round(median, 1), "ratio": round(median / yardstick, 2)}

    def added(percent: int) -> float:
        return round(found["media"].pdd(percent) - found["native"].pdd(percent), 2)

    programs = found["media"].by_program
    return {
        "native_us": round(yardstick, 1),
        "inbound": {**part("inbound"), "max_cps": limit},
        "media": {
            **part("media"),
            **{f"{name}_us": round(statistics.median(us), 1) for name, us in programs.items()},
        },
        "pdd_ms": {"p50": added(50), "p99": added(99)},
        "faults": {name: measured.faults for name, measured in found.items()},
    }
