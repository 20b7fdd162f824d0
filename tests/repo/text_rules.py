"""What no file may hold, whatever its kind; each rule gives the lines that break it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.repo.tree import ROOT, Source

_NOT_CARRIERS = {"__init__", "contract", "loader", "conformance"}
_EXAMPLE = {"city" + "_telecom"}  # of help texts: whoever follows them has such a file
# Put together from pieces, so that this file keeps its own rules.
_MACHINE_PATHS = re.compile(r"/(?:home|Users|work)/" + r"\w|\.\./" + "shared")
_REGISTRIES = re.compile("py" + r"pi\.|python" + r"hosted|(?<!emit-)index" + "-url", re.IGNORECASE)
_SECRETS = re.compile("BEGIN (?:[A-Z]+ )?PRIVATE" + " KEY")


def tells_no_machine_paths(source: Source) -> Iterator[str]:
    """The repository works wherever it is put."""
    yield from _lines_with(source, _MACHINE_PATHS, "a path of one machine")


def names_no_registry(source: Source) -> Iterator[str]:
    """Where packages come from is the business of whoever installs them."""
    yield from _lines_with(source, _REGISTRIES, "a package registry")


def holds_no_secret(source: Source) -> Iterator[str]:
    yield from _lines_with(source, _SECRETS, "a private key")


def names_no_carrier(source: Source, carriers: frozenset[str] | None = None) -> Iterator[str]:
    """A carrier's name stands in its own file and captures, in demo data, tests and documents,
    nowhere else.
    """
    path = PurePosixPath(source.path)
    if source.room == "tests" or path.suffix == ".md" or "demo" in source.path:
        return
    for carrier in sorted(carrier_names() if carriers is None else carriers):
        captures = f"carrier_adapters/captures/{carrier}/"
        if source.path == f"carrier_adapters/{carrier}.py" or source.path.startswith(captures):
            continue
        name = re.compile(rf"(?<![a-z]){carrier.replace('_', '[_ -]?')}(?![a-z])", re.IGNORECASE)
        yield from _lines_with(source, name, f"the carrier {carrier}")


@functools.cache
def carrier_names() -> frozenset[str]:
    """One for each file of a carrier."""
    files = (ROOT / "carrier_adapters").glob("*.py")
    return frozenset(file.stem for file in files) - _NOT_CARRIERS - _EXAMPLE


def _lines_with(source: Source, pattern: re.Pattern[str], what: str) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if pattern.search(line):
            yield f"{source.path}:{number}: {what}"
