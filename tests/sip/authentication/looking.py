"""What the stories of a carrier that asks look at, and how they kill Kamailio."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable

from gateway.endpoints import Leg
from tests.sip.authentication.carrier import CheckingCarrier
from tests.sip.stack import Stack


def numbers(there: CheckingCarrier, method: str) -> list[int]:
    """CSeq of the requests of this method that came from the gateway."""
    found = [re.search(r"cseq=(\d+)", line) for line in there.asked(method)]
    return [int(one[1]) for one in found if one]


def challenged(*legs: Leg) -> bool:
    """Whether anybody but us heard of a challenge."""
    return any(leg.received(status) for leg in legs for status in (401, 407))


async def until(right: Callable[[], bool], within: float = 10.0) -> None:
    """Wait for something that comes by itself."""
    deadline = time.monotonic() + within
    while not right():
        assert time.monotonic() < deadline
        await asyncio.to_thread(os.sched_yield)


async def restart(stack: Stack) -> None:
    """Kill Kamailio, and wait for the next one."""
    pid = kamailio(stack)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: kamailio(stack) not in (pid, 0))


def kamailio(stack: Stack) -> int:
    status = json.loads(stack.command("status", "--json").stdout)["services"]
    found = next(one for one in status if one["name"] == "kamailio")
    return int(found["pid"]) if found["state"] == "running" else 0
