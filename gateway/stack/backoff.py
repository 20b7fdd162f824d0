"""How long to wait before a service that died is started again; pure."""

from __future__ import annotations

from collections.abc import Sequence

WINDOW_S = 60.0
# The first death in a minute costs nobody a call; a service that keeps dying must not eat the
# machine.
DELAYS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def delay(deaths: Sequence[float], now: float) -> float:
    """Seconds to wait, given the times of earlier deaths (the present one included)."""
    recent = sum(1 for death in deaths if now - death < WINDOW_S)
    return DELAYS_S[min(max(recent - 1, 0), len(DELAYS_S) - 1)]
