"""The files of this repository as text and syntax trees; it judges nothing."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
# What tools leave behind; no file of the repository lies there.
_NOT_OURS = {"__pycache__", "node_modules", "build", "dist"}
_BINARY = {".pyc", ".wav", ".g711", ".png", ".ico", ".woff2", ".pcap", ".gz"}


@dataclass(frozen=True)
class Source:
    """One file: its path from the root, with slashes, and its text."""

    path: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.path)

    @property
    def room(self) -> str:
        """The top-level folder, or "" for a file in the root."""
        parts = PurePosixPath(self.path).parts
        return parts[0] if len(parts) > 1 else ""

    @property
    def module(self) -> str:
        """Dotted name of a Python file; a package's own is the name of its folder."""
        parts = list(PurePosixPath(self.path).with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def all_files() -> tuple[Source, ...]:
    """Every text file, but for what begins with a dot outside .ci."""
    return tuple(sorted(_walk(ROOT), key=lambda source: source.path))


def python_files() -> tuple[Source, ...]:
    return tuple(source for source in all_files() if source.path.endswith(".py"))


def _walk(folder: Path) -> Iterator[Source]:
    for entry in folder.iterdir():
        hidden = entry.name.startswith(".") and entry.name not in (".ci", ".gitignore")
        if hidden or entry.name in _NOT_OURS or entry.suffix in _BINARY:
            continue
        if entry.is_dir() and not entry.name.endswith(".egg-info"):
            yield from _walk(entry)
        elif entry.is_file():
            path = entry.relative_to(ROOT).as_posix()
            yield Source(path, entry.read_text(encoding="utf-8"))
