"""What a SIP worker is told at its start (etc/kemi.json): paths, our address, timers; it decides
nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

_PATHS = (
    "snapshot",
    "journal",
    "key_file",
    "announcements",
    "carriers_folder",
    "carrier_secrets",
)


@dataclass(frozen=True, slots=True)
class Config:
    """``us``: the host that others see in our addresses. ``addresses``: all that we listen on, with
    the interface of the media relay that belongs to each; empty where ``address`` is the only one.
    ``masking``: which calls besides those that must be (kemi/mask/policy.py). ``ng``: rtpengine's
    control port; ``ng_before``: of one that goes on with older calls.
    Timers are in milliseconds.
    """

    us: str
    address: str
    port: int
    addresses: dict[str, str]
    tls_port: int
    snapshot: Path
    journal: Path
    redis: str
    key_file: Path
    announcements: Path
    carriers_folder: Path
    carrier_secrets: Path
    carrier_overrides: dict[str, dict[str, dict[str, list[str] | str]]]
    media: bool
    masking: str
    ng: str
    ng_before: str
    no_answer_ms: int
    agent_rings_ms: int
    silent_trunk_ms: int

    @classmethod
    def load(cls, path: str) -> Config:
        """Read the file; a missing or unknown key stops the start with its name."""
        raw: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
        known = {field.name for field in fields(cls)}
        if raw.keys() != known:
            missing, unknown = sorted(known - raw.keys()), sorted(raw.keys() - known)
            raise ValueError(f"{path}: missing {missing}, unknown {unknown}")
        for name in _PATHS:
            raw[name] = Path(raw[name])
        return cls(**raw)
