"""What registrars answered, as SIP workers note it down: a file for each Contact user, beside the
snapshot; it asks nobody.
"""

from __future__ import annotations

import json
from pathlib import Path

from gateway.registrations.standing import Said

PREFIX = "registrar-"  # as kemi/registering.py names them


def read(snapshot: Path) -> dict[str, Said]:
    """By Contact user."""
    found = {}
    for path in snapshot.glob(f"{PREFIX}*"):
        told = json.loads(path.read_bytes())
        user = path.name.removeprefix(PREFIX)
        found[user] = Said(int(told["status"]), str(told["reason"]), path.stat().st_mtime)
    return found


def forget(snapshot: Path, contact_user: str) -> None:
    """A new registration has not been answered yet."""
    (snapshot / f"{PREFIX}{contact_user}").unlink(missing_ok=True)
