"""Which calls are masked; pure."""

from __future__ import annotations

from number_registry.call import ToCarrier, ToPbx, ToSim

OFF, DEALS, OUTSIDE, ALL = "off", "deals", "outside", "all"
MODES = (OFF, DEALS, OUTSIDE, ALL)


def is_masked(mode: str, verdict: ToPbx | ToCarrier | ToSim) -> bool:
    """``mode``: of the settings. An emergency call goes out as it is: rescue services must see who
    calls, and it must not fail for want of anything.
    """
    if isinstance(verdict, ToCarrier) and verdict.emergency:
        return False
    if mode == ALL:
        return True
    if mode == OFF:
        return False
    if isinstance(verdict, ToSim):
        return True
    return verdict.masked or (mode == OUTSIDE and isinstance(verdict, ToCarrier))
