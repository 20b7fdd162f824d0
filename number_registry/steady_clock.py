"""The time of day by which things expire: the system's clock, but for steps in it; it sets nothing.

A clock that is moved by an hour would end every deal of that hour at once, or keep it for another.
So a step is believed only when it has stood for a while; what a clock does slowly is followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

STEP_S = 2.0  # more than any discipline of a clock does between two looks a second apart
BELIEVED_AFTER_S = 3600.0


def _boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the machine sleeps


class SteadyClock:
    """Seconds since 1970 when called; one for each process."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _boot_time
    ) -> None:
        self._wall, self._steady = wall, steady
        self._ahead = wall() - steady()
        self._stepped_to = self._stepped_at = 0.0

    def __call__(self) -> int:
        steady = self._steady()
        ahead = self._wall() - steady
        if abs(ahead - self._ahead) > STEP_S:
            if abs(ahead - self._stepped_to) > STEP_S:
                self._stepped_to, self._stepped_at = ahead, steady
            if steady - self._stepped_at < BELIEVED_AFTER_S:
                return int(steady + self._ahead)
        self._ahead = self._stepped_to = ahead
        return int(steady + ahead)
