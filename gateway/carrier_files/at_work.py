"""The carriers whose files are at work, for the daemon's duties: loaded anew only when files were
put to work; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import structlog

from carrier_adapters.contract import Carrier
from carrier_adapters.loader import load
from gateway.carrier_files.workers import GENERATION_FILE
from gateway.home import Home
from gateway.inside import read

_log = structlog.get_logger("gateway.carriers")


class AtWork:
    """Called again and again; each call costs one stat."""

    def __init__(self, home: Home) -> None:
        self._inside = home.kemi_json
        self._generation = home.snapshot / GENERATION_FILE
        self._seen = -1
        self._known: Mapping[str, Carrier] = {}

    def __call__(self) -> Mapping[str, Carrier]:
        """By name; as before where they cannot be read now."""
        seen = _changed(self._generation)
        if seen != self._seen:
            try:
                inside = read(self._inside)
                folder = Path(inside.carriers_folder)
                self._known = load(folder, inside.carrier_overrides, self._known).carriers
            except (OSError, ValueError) as error:
                _log.warning("carriers at work are not known anew", error=repr(error))
                return self._known
            self._seen = seen
        return self._known


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
