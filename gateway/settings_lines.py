"""Finds the line of a key in TOML text, so that an error can point at it; it judges nothing."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_KEY = re.compile(
    r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line (from 1) where `path` or its nearest parent that can be seen is written; else 1."""
    best, best_depth = 1, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here = table = _split(header[1])
        elif key := _KEY.match(line):
            here = table + _split(key[1])
        else:
            continue
        depth = _common(here, path)
        # A longer name than asked for still shows where the asked-for table begins.
        if depth > best_depth and depth == min(len(here), len(path)):
            best, best_depth = number, depth
    return best


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
