"""What the daemon last said of each gateway, for people; it asks nobody."""

from __future__ import annotations

import json
import time
from pathlib import Path

from gateway.health.watch import FILE

STALE_S = 10.0  # as a SIP worker sees it: what nobody renews says nothing
UNKNOWN = "unknown"


def states(snapshot: Path) -> dict[str, str]:
    """``up``, ``down`` or ``unknown`` by the address' URI; empty where nothing is said, or nothing
    that can be read: the daemon writes it anew every second.
    """
    path = snapshot / FILE
    try:
        if time.time() - path.stat().st_mtime > STALE_S:
            return {}
        gateways = json.loads(path.read_bytes())["gateways"]
        return {uri: str(said["state"]) for uri, said in gateways.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}
