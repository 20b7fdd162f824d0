"""Which names there are to ask for: those in the carriers' files at work and in the published
PBXs; asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from carrier_adapters.contract import Registration
from carrier_adapters.loader import load
from gateway.home import Home
from gateway.inside import read
from number_registry.cache_layout import read_directory
from number_registry.names import Asked, asked


def names(home: Home) -> dict[str, Asked]:
    """By their key. Raises OSError, ValueError and PortgateError where a file cannot be read."""
    found = (asked(uri) for uri in (*_carriers(home), *_pbxs(home)))
    return {one.key: one for one in found if one is not None}


def _carriers(home: Home) -> Iterator[str]:
    inside = read(home.kemi_json)
    loaded = load(Path(inside.carriers_folder), inside.carrier_overrides)
    for carrier in loaded.carriers.values():
        for trunk in carrier.trunks:
            yield from (gateway.uri for gateway in trunk.all_gateways())
            if isinstance(trunk.auth, Registration):
                yield trunk.auth.registrar


def _pbxs(home: Home) -> Iterator[str]:
    if not home.directory_json.exists():
        return
    for pbx in read_directory(home.directory_json.read_bytes()).content["pbxs"]:
        for address in pbx["addresses"] if pbx else ():
            yield address["uri"]
