"""Waits for calls that are told by the journal: a leg that was asked for, or what became of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from gateway.calls.fold import Call

Wanted = Callable[[Call], bool]


class Arrivals:
    """`folded` is told of every call that changed."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Call], Wanted] = {}

    def folded(self, calls: Mapping[str, Call]) -> None:
        if self._waiting:
            for call in calls.values():
                for future, wanted in self._waiting.items():
                    if not future.done() and wanted(call):
                        future.set_result(call)

    def expect(self, wanted: Wanted) -> asyncio.Future[Call]:
        """The first call from now on of which this is true. To be asked for before whatever makes
        it come.
        """
        future: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        self._waiting[future] = wanted
        future.add_done_callback(lambda done: self._waiting.pop(done, None))
        return future


async def within(future: asyncio.Future[Call], seconds: float) -> Call | None:
    """What was expected; None when the time is over first."""
    try:
        async with asyncio.timeout(seconds):
            return await future
    except TimeoutError:
        return None
    finally:
        future.cancel()
