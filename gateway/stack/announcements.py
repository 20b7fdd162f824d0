"""Makes the sound files of announcements that a home has not got yet; what is there is kept.

Words are spoken by espeak-ng, after the tones that phones everywhere know as "no connection"
(ITU-T E.180, special information tone). A company puts files of its own in their place.
"""

from __future__ import annotations

import math
import struct
import subprocess
import wave
from collections.abc import Iterable
from pathlib import Path

RATE = 22050  # espeak-ng's own; the media relay makes of it what a call needs
WORDS = {
    "deal_closed": {"ru": "Эта сделка закрыта.", "en": "This deal is closed."},
    "deal_expired": {"ru": "Срок этой сделки истёк.", "en": "This deal has expired."},
    "deal_unknown": {
        "ru": "Такой сделки нет. Проверьте номер.",
        "en": "There is no such deal. Please check the number.",
    },
    "not_allowed": {"ru": "Этот звонок не разрешён.", "en": "This call is not allowed."},
}
# What somebody hears for whom the gateway itself rings somebody else.
RINGING = "ringing"
_LOUD = 6000
_SPEAK_S = 10


def make(folder: Path, languages: Iterable[str]) -> list[str]:
    """Make what is missing in ``folder``. Names of those that were made without words, because
    there was nobody to speak them.
    """
    folder.mkdir(mode=0o755, exist_ok=True)
    mute = []
    for name, words in WORDS.items():
        path = folder / f"{name}.wav"
        if not path.exists():
            spoken = [speech(language, words[language]) for language in languages]
            if not all(spoken):
                mute.append(name)
            _write(path, information_tone() + b"".join(one + silence(0.4) for one in spoken))
    path = folder / f"{RINGING}.wav"
    if not path.exists():
        # ITU-T E.180, supplement 2: Russia's ringing tone
        _write(path, tone(425, 1.0) + silence(4.0))
    return mute


def _write(path: Path, samples: bytes) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    with wave.open(str(beside), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)
    beside.replace(path)


def speech(language: str, words: str) -> bytes:
    """Samples at RATE; none where espeak-ng is not there, or does not speak."""
    argv = ["espeak-ng", "-v", language, "-s", "145", "--stdout", words]
    try:
        done = subprocess.run(argv, capture_output=True, check=True, timeout=_SPEAK_S)
    except (OSError, subprocess.SubprocessError):
        return b""
    _, found, rest = done.stdout.partition(b"data")  # it leaves the length open: it writes a pipe
    return rest[4:] if found else b""


def tone(hz: float, seconds: float) -> bytes:
    step = 2 * math.pi * hz / RATE
    count = round(RATE * seconds)
    return struct.pack(f"<{count}h", *[round(_LOUD * math.sin(step * n)) for n in range(count)])


def silence(seconds: float) -> bytes:
    return bytes(2 * round(RATE * seconds))


def information_tone() -> bytes:
    return b"".join(tone(hz, 0.33) for hz in (950, 1400, 1800)) + silence(0.5)
