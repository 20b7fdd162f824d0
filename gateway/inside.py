"""What the Python inside Kamailio was told (etc/kemi.json), for whoever must see the world as it
does; it changes nothing.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class Inside(msgspec.Struct):
    """The part of etc/kemi.json that says how the running workers see the world."""

    us: str
    address: str
    port: int
    addresses: dict[str, str]
    carriers_folder: str
    carrier_overrides: dict[str, dict[str, dict[str, list[str] | str]]]


def read(path: Path) -> Inside:
    """Raises OSError, and ValueError for a file that is not one."""
    return msgspec.json.decode(path.read_bytes(), type=Inside)
