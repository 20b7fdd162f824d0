"""Where gateways' host names lead, as the daemon says in a file beside the snapshot; it asks no
DNS, and nothing here happens while a call is set up.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from number_registry.errors import CacheCorruptError
from number_registry.names import FILE, NO_NAMES, Names, read_file, same_places


class HostNames:
    """``known``: what names lead to. `refresh` costs one stat()."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._path = folder / FILE
        self._warn = warn
        self._read_at = 0
        self.known: Names = NO_NAMES

    def refresh(self) -> bool:
        """Read the file anew when it was written; True where a name leads elsewhere now. One that
        is gone or broken takes nothing back.
        """
        try:
            written = self._path.stat().st_mtime_ns
            if written == self._read_at:
                return False
            self._read_at = written
            told = read_file(self._path.read_bytes())
        except FileNotFoundError:
            return False
        except (OSError, CacheCorruptError) as error:
            self._warn(f"{self._path.name} cannot be used: {error}")
            return False
        changed = not same_places(told, self.known)
        self.known = told
        return changed
