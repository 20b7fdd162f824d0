"""What a running gateway decides by, read from its own files; it changes nothing."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from carrier_adapters import loader
from carrier_adapters.contract import Carrier, Trunk
from carrier_adapters.kit.resolving import resolved
from gateway.home import Home
from gateway.inside import Inside
from gateway.inside import read as read_inside
from gateway.names import said
from gateway.stack.problems import NotRunning, Problem
from number_registry.cache_layout import read_directory
from number_registry.compact_directory import CompactDirectory
from number_registry.deal_table import DealView, FileOfDeals
from number_registry.errors import CacheCorruptError
from number_registry.names import Names
from number_registry.snapshot import SnapshotView


@dataclass(frozen=True)
class Known:
    """What a SIP worker goes by: the snapshot it reads, the carriers it has loaded."""

    directory: CompactDirectory
    carriers: dict[str, Carrier]
    inside: Inside

    def trunk_of_number(self, carrier: str, number: str) -> Trunk | None:
        """The trunk by which this carrier would hand over a call to the number."""
        adapter = self.carriers.get(carrier)
        if adapter is None:
            return None
        near = [one for one in adapter.trunks if one.area_code and one.area_code in number[:6]]
        return (near or list(adapter.trunks))[0]


def load(home: Home) -> Known:
    """Raises NotRunning when this home has never been up, or its snapshot cannot be read."""
    try:
        inside = read_inside(home.kemi_json)
        names = said.read(home.snapshot)
        directory = _directory(home.numbers_map, home.directory_json, names)
    except (OSError, ValueError, CacheCorruptError) as error:
        why = f"what calls are decided by cannot be read: {error}"
        raise NotRunning(Problem(f"{home.path}: {why}", "", "Run: ./portgate up")) from error
    carriers = loader.load(Path(inside.carriers_folder), inside.carrier_overrides).carriers
    led, _ = resolved(carriers, names)
    return Known(directory, led, inside)


def _directory(numbers: Path, rest: Path, names: Names) -> CompactDirectory:
    content = read_directory(rest.read_bytes()).content
    deals = FileOfDeals(DealView(_mapped(numbers.with_name("deals.map"))))
    return CompactDirectory(SnapshotView(_mapped(numbers)), content, names, deals)


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
