"""Loads the named SQL blocks of sql/queries/*.sql; it never builds SQL from pieces."""

from __future__ import annotations

import re
from pathlib import Path

SQL_FOLDER = Path(__file__).resolve().parents[2] / "sql"
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(folder: Path) -> dict[str, str]:
    """Every block below ``folder`` by its name: from ``-- name: x`` to the next one or the end.

    Raises ValueError for a name given twice: the second would silently win.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.sql")):
        _, *parts = _NAME.split(path.read_text("utf-8"))
        for name, block in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"{path}: the query {name} exists already")
            found[name] = block.strip().removesuffix(";")
    return found


SQL = load(SQL_FOLDER / "queries")
