"""Which gateways there are to ask: those of the carriers' files and of the published PBXs; asks
nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import structlog

from carrier_adapters.kit.resolving import resolved
from carrier_adapters.loader import load
from gateway.health.watch import Target
from gateway.home import Home
from gateway.inside import read
from gateway.names import said
from number_registry.cache_layout import read_directory
from number_registry.errors import PortgateError
from number_registry.model import PbxState
from number_registry.names import FILE as names_file

GENERATION_FILE = "carriers.generation"  # touched when carriers' files were put to work
_log = structlog.get_logger("gateway.health")


class Targets:
    """Called again and again; reads files anew only when they changed."""

    def __init__(self, home: Home) -> None:
        self._directory = home.directory_json
        self._generation = home.snapshot / GENERATION_FILE
        self._inside = home.kemi_json
        self._snapshot = home.snapshot
        self._seen: tuple[int, ...] | None = None
        self._known: tuple[Target, ...] = ()

    def __call__(self) -> tuple[Target, ...]:
        names = self._snapshot / names_file
        seen = _changed(self._directory), _changed(self._generation), _changed(names)
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
        led, _ = resolved(loaded.carriers, said.read(self._snapshot))
        for name, carrier in led.items():
            for trunk in carrier.trunks:
                for address in trunk.addresses:
                    yield Target(f"carrier {name}", address)

    def _pbxs(self) -> Iterator[Target]:
        if not self._directory.exists():
            return
        for pbx in read_directory(self._directory.read_bytes()).content["pbxs"]:
            if pbx is not None and pbx["state"] == PbxState.IN_SERVICE:
                for written in pbx["addresses"]:
                    for address in said.reach(self._snapshot, written["uri"]):
                        yield Target(f"PBX {pbx['name']}", address)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
