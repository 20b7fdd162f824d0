"""Which gateways there are to ask: those of the carriers' files and of the published PBXs; asks
nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import structlog

from carrier_adapters.loader import load
from gateway.health.watch import Target
from gateway.home import Home
from gateway.inside import read
from number_registry.cache_layout import read_directory
from number_registry.errors import PortgateError
from number_registry.model import Address, PbxState

GENERATION_FILE = "carriers.generation"  # touched when carriers' files were put to work
_log = structlog.get_logger("gateway.health")


class Targets:
    """Called again and again; reads files anew only when they changed."""

    def __init__(self, home: Home) -> None:
        self._directory = home.directory_json
        self._generation = home.snapshot / GENERATION_FILE
        self._inside = home.kemi_json
        self._seen: tuple[int, int] | None = None
        self._known: tuple[Target, ...] = ()

    def __call__(self) -> tuple[Target, ...]:
        seen = _changed(self._directory), _changed(self._generation)
        if seen != self._seen:
            try:
                self._known = (*self._carriers(), *self._pbxs())
            except (OSError, ValueError, KeyError, PortgateError) as error:
                _log.warning("gateways to ask are not known anew", error=repr(error))
                return self._known
            self._seen = seen
        return self._known

    def _carriers(self) -> Iterator[Target]:
        inside = read(self._inside)
        loaded = load(Path(inside.carriers_folder), inside.carrier_overrides)
        for name, carrier in loaded.carriers.items():
            for trunk in carrier.trunks:
                for address in trunk.addresses:
                    yield Target(f"carrier {name}", address)

    def _pbxs(self) -> Iterator[Target]:
        if not self._directory.exists():
            return
        for pbx in read_directory(self._directory.read_bytes()).content["pbxs"]:
            if pbx is not None and pbx["state"] == PbxState.IN_SERVICE:
                for address in pbx["addresses"]:
                    yield Target(f"PBX {pbx['name']}", Address.parse(address["uri"]))


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
