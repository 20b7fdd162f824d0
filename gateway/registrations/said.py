"""What the daemon last said of the registrations, for people; it asks nobody."""

from __future__ import annotations

import json
import time
from pathlib import Path

from gateway.registrations.standing import Standing

FILE = "registrations.json"
STALE_S = 10.0  # what nobody renews says nothing


def read(snapshot: Path) -> dict[tuple[str, str], Standing]:
    """By carrier and trunk; empty where nothing is said."""
    path = snapshot / FILE
    try:
        if time.time() - path.stat().st_mtime > STALE_S:
            return {}
        told = json.loads(path.read_bytes())["registrations"]
        found = [Standing(**one) for one in told]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}  # damaged: it is written anew within seconds
    return {(one.carrier, one.trunk): one for one in found}


def write(snapshot: Path, found: list[Standing]) -> None:
    """Whole or not at all; its time tells readers that it is still true."""
    path = snapshot / FILE
    beside = path.with_name(f".{FILE}.new")
    told = {"version": 1, "registrations": [one._asdict() for one in found]}
    beside.write_text(json.dumps(told, indent=1), "ascii")
    beside.replace(path)
