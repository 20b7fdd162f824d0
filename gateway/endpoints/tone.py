"""Makes test tones and names the tone in a frame by Goertzel; no clocks, no sockets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

RATE = 8000  # samples per second
FRAME = 160  # samples in 20 ms

# Whole periods in each 20 ms frame, so a frame repeats without a click, and no tone is a multiple
# of another: what one side says can never pass for what the other says.
CALLER_HZ, CALLEE_HZ, EARLY_HZ = 450, 1050, 1600
TONES = (CALLER_HZ, CALLEE_HZ, EARLY_HZ)

_PURE = 0.8  # share of a frame's energy that must lie in one tone
_SILENT = 100.0  # mean square below which a frame is silence (full scale is 1e9)


def frame(hz: int, amplitude: int = 8000) -> list[int]:
    """One 20 ms frame of a tone."""
    step = 2 * math.pi * hz / RATE
    return [round(amplitude * math.sin(step * n)) for n in range(FRAME)]


def share(samples: Sequence[int], hz: int) -> float:
    """Part of the energy that lies at `hz`, 0..1 (Goertzel)."""
    energy = sum(sample * sample for sample in samples)
    if not samples or energy / len(samples) < _SILENT:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * hz / RATE)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = last * last + before * before - coefficient * last * before
    return 2 * power / (len(samples) * energy)


def name(samples: Sequence[int], among: Iterable[int] = TONES) -> int | None:
    """The tone that fills the frame, or None for silence, noise or speech."""
    return next((hz for hz in among if share(samples, hz) >= _PURE), None)
