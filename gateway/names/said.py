"""What the daemon has said of host names, for lists and for whoever has to reach a name; asks
nobody.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from number_registry.errors import CacheCorruptError
from number_registry.model import Address
from number_registry.names import FILE, NO_NAMES, Names, addresses, asked, read_file, targets


def read(snapshot: Path) -> Names:
    """All names, by key; none where nothing has been asked yet, or the file is not ours."""
    try:
        return read_file((snapshot / FILE).read_bytes())
    except (FileNotFoundError, CacheCorruptError):
        return NO_NAMES


def reach(snapshot: Path, uri: str, seed: str = "") -> tuple[Address, ...]:
    """Where to find ``sip:host[:port][;transport=..]`` now, a registrar for instance, in the order
    to try: addresses only, without asking DNS. Empty where a name has never been answered.
    """
    return addresses(read(snapshot), uri, seed)


def told(names: Names, uri: str) -> dict[str, Any] | None:
    """One name for lists: where it leads, how old that is in seconds, and why it is not younger;
    None where the address has no name.
    """
    question = asked(uri)
    if question is None:
        return None
    answer = names.get(question.key)
    age = time.time() - answer.at if answer and answer.at else None
    return {
        "name": uri,
        "leads_to": [target.uri for target in answer.targets] if answer else [],
        "age_s": None if age is None else round(age, 1),
        "failing": (answer.why if answer.failing else "") if answer else "not asked yet",
    }


def state(names: Names, uri: str, health: Mapping[str, str]) -> str:
    """up, unknown or down by the answers of its gateways (gateway.health.said): of a name, the best
    of the places that it leads to.
    """
    found = {health.get(target.uri, "unknown") for target in targets(names, uri)} or {"unknown"}
    return next(one for one in ("up", "unknown", "down") if one in found)


def in_words(said: dict[str, Any]) -> str:
    """As a person reads it: ``sip:sbc.example leads to 192.0.2.1:5060, said 12 s ago``."""
    if not said["leads_to"]:
        return f"{said['name']} leads nowhere yet: {said['failing']}"
    places = ", ".join(Address.parse(uri).where for uri in said["leads_to"])
    words = f"{said['name']} leads to {places}, said {age(said['age_s'])} ago"
    return words + (f", and since then: {said['failing']}" if said["failing"] else "")


def age(seconds: float) -> str:
    """12 s, 5 min, 3 h, 2 d."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
