"""Which gateways do not answer, as the daemon says in a file beside the snapshot; it asks none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

FILE = "health.json"
# A file that nobody renews any more says nothing: its gateways may long be back.
STALE_S = 10.0
NOBODY: frozenset[str] = frozenset()


class Health:
    """``down``: addresses (``Address.uri``) to try last. `refresh` costs one stat()."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._path = folder / FILE
        self._warn = warn
        self._read_at = 0
        self.down = NOBODY

    def refresh(self) -> None:
        """Read the file anew when it was renewed; a missing, old or broken one accuses nobody."""
        try:
            renewed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            self.down = NOBODY
            return
        if time.time() - renewed / 1e9 > STALE_S:
            self.down = NOBODY
        elif renewed != self._read_at:
            self._read_at = renewed
            self.down = self._read()

    def _read(self) -> frozenset[str]:
        try:
            gateways = json.loads(self._path.read_bytes())["gateways"]
            return frozenset(uri for uri, said in gateways.items() if said["state"] == "down")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._warn(f"{self._path.name} cannot be used: {type(error).__name__}: {error}")
            return NOBODY
