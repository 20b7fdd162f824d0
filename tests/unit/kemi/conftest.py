"""A gateway without Kamailio: the real router over the fake KSR, with a real snapshot file and a
real journal folder.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kemi.stubs.fake_ksr import FakeKSR
from number_registry import cache_layout
from number_registry.model import State
from number_registry.snapshot import (
    SnapshotTable,
    boot_cell,
    file_bytes,
    group_room,
    table_capacity,
)


class _CurrentKSR(ModuleType):
    """What `import KSR` gives in tests: always the fake of the test that runs."""

    fake: FakeKSR | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fake, name)


_KSR = _CurrentKSR("KSR")
sys.modules["KSR"] = _KSR

US = "192.0.2.100"
OLD = (
    {"uri": "sip:198.51.100.21:5060", "priority": 0},
    {"uri": "sip:198.51.100.22:5060", "priority": 1},
)
CONTENT = {
    "version": 1,
    "carriers": [None, "northline", "volga_city"],
    "pbxs": [
        None,
        {
            "name": "old",
            "state": "in_service",
            "addresses": list(OLD),
            "profile": {"sources": [], "did_format": "plus"},
        },
        {
            "name": "new",
            "state": "in_service",
            "addresses": [{"uri": "sip:198.51.100.31:5060;transport=tcp", "priority": 0}],
            "profile": {"sources": ["198.51.100.32/30"], "did_format": "digits"},
        },
    ],
    "people": {
        "101": {
            "person": "Anna",
            "role": "operator",
            "shown": "74951230001",
            "site": "moscow",
            "pbx": "",
        },
        "201": {
            "person": "Rail",
            "role": "operator",
            "shown": "78431230001",
            "site": "kazan",
            "pbx": "new",
        },
    },
    "roles": {},
    "sites": {
        "kazan": {"city": "Kazan", "carrier": "volga_city", "callback": "78431230000"},
        "moscow": {"city": "Moscow", "carrier": "northline", "callback": "74951230000"},
    },
    "emergency": ["101", "102", "103", "104", "112"],
}
NUMBERS = {
    74951230000: (1, 1, State.IN_SERVICE),
    74951230001: (1, 1, State.IN_SERVICE),
    74951230002: (2, 1, State.IN_SERVICE),
    74951230003: (1, 1, State.SUSPENDED),
    74951230004: (0, 1, State.IN_SERVICE),
    78431230000: (1, 2, State.IN_SERVICE),
    78431230001: (2, 2, State.IN_SERVICE),
}


def write_snapshot(folder: Path) -> None:
    """The published copy of the little company above."""
    generation, blob = cache_layout.directory_bytes(CONTENT)
    (folder / "directory.json").write_bytes(blob)
    capacity, groups = table_capacity(len(NUMBERS)), group_room(2)
    with (folder / "numbers.map").open("w+b") as file:
        file.truncate(file_bytes(capacity, groups))
        with mmap.mmap(file.fileno(), 0) as mapped:
            table = SnapshotTable.format(memoryview(mapped), capacity, groups, 1)
            for e164, (group, carrier, state) in NUMBERS.items():
                cell = cache_layout.NumberCell(group, carrier, state)
                table.set_number(e164, cache_layout.pack_number(e164, cell))
            for group in (1, 2):
                table.set_group(
                    group, cache_layout.pack_group(group, cache_layout.GroupCell(group))
                )
            table.set_directory_generation(generation)
            table.beat(
                time.monotonic_ns(), boot_cell(Path("/proc/sys/kernel/random/boot_id").read_text())
            )
            table.close()


class Gateway:
    """The router under test and what it did."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        for name in ("snapshot", "journal"):
            (folder / name).mkdir(exist_ok=True)
        if not (folder / "snapshot/numbers.map").exists():
            write_snapshot(folder / "snapshot")
            (folder / "token.key").write_bytes(os.urandom(32))
        config = {
            "us": US, "address": US, "port": 5060, "snapshot": str(folder / "snapshot"),
            "journal": str(folder / "journal"), "redis": str(folder / "no-redis.sock"),
            "key_file": str(folder / "token.key"), "carrier_overrides": {}, "media": False,
            "tls_port": 5061, "addresses": {}, "ng_before": "", "ng": "udp:127.0.0.1:9",
            "carriers_folder": str(Path(__file__).parents[3] / "carrier_adapters"),
            "carrier_secrets": str(folder / "secrets"),
            "announcements": str(folder / "announcements"),
            "masking": "deals",
            "no_answer_ms": 120000, "agent_rings_ms": 20000, "silent_trunk_ms": 4000,
        } | settings  # fmt: skip
        (folder / "kemi.json").write_text(json.dumps(config))
        self.tables: dict[str, dict[str, str | int]] = {"rounds": {}, "announced": {}}
        _KSR.fake = FakeKSR(options("192.0.2.2"), local=(US, 5060))
        self.start()

    def start(self) -> None:
        """Start the router anew, as Kamailio does after a restart: nothing in memory survives."""
        from kemi.router import Router

        self.stop()
        self.router = Router(str(self.folder / "kemi.json"))
        self.router.child_init(1)

    def stop(self) -> None:
        router = getattr(self, "router", None)
        if router is not None and router.worker.media is not None:
            router.worker.media.close()
            router.worker.ng.close()

    @property
    def ksr(self) -> FakeKSR:
        assert _KSR.fake is not None
        return _KSR.fake

    def receives(
        self, raw: str | bytes, source: tuple[str, int], relay_is_up: bool = True
    ) -> FakeKSR:
        """A request comes in, with nothing of the ones before it. `relay_is_up`: whether rtpengine
        answers.
        """
        _KSR.fake = FakeKSR(raw, source=source, local=(US, 5060), script=self.router)
        self.ksr.results["sanity.sanity_check"] = 1
        self.ksr.world.tables, self.ksr.world.table_starts = self.tables, {"rounds": 0}
        for name in ("rtpengine_offer", "rtpengine_answer"):
            self.ksr.results[f"rtpengine.{name}"] = 1 if relay_is_up else -1
        self.router.ksr_request_route(None)
        return self.ksr

    def replies(self, raw: str) -> bytes:
        """A reply to the relayed request comes back; gives it as it goes on to the caller."""
        callback = self.ksr.reply(raw)
        getattr(self.router, callback)(None)
        return self.ksr.outgoing()

    def fails(self, status: int, cancelled: bool = False) -> None:
        """Every branch failed."""
        callback = self.ksr.fails(status, cancelled=cancelled)
        getattr(self.router, callback)(None)

    def events(self) -> list[dict[str, Any]]:
        """The journal so far, in the order of the files and their lines."""
        files = sorted((self.folder / "journal").glob("*.journal"))
        return [json.loads(line) for file in files for line in file.read_text("ascii").splitlines()]


def message(first: str, headers: list[str], body: str = "") -> str:
    lines = [
        first,
        *headers,
        f"Content-Length: {len(body.replace(chr(10), chr(13) + chr(10)))}",
        "",
        body,
    ]
    return "\n".join(lines)


def invite(
    to: str, caller: str, *extra: str, host: str = "192.0.2.2", display: str = "", body: str = ""
) -> str:
    """An INVITE as a neighbour sends it. `caller` is the user part of From."""
    return message(
        f"INVITE sip:{to}@{US} SIP/2.0",
        [
            f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK-1",
            f"From: {display}<sip:{caller}@{host}>;tag=caller-tag",
            f"To: <sip:{to}@{US}>",
            "Call-ID: call-1@example",
            "CSeq: 7 INVITE",
            f"Contact: <sip:{caller}@{host}:5060>",
            "Max-Forwards: 70",
            *extra,
        ],
        body,
    )


def options(host: str) -> str:
    return message(
        f"OPTIONS sip:{US} SIP/2.0",
        [
            f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK-0",
            f"From: <sip:ping@{host}>;tag=p",
            f"To: <sip:{US}>",
            "Call-ID: ping@example",
            "CSeq: 1 OPTIONS",
            "Max-Forwards: 70",
        ],
    )


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    yield Gateway(tmp_path)
    _KSR.fake = None


@pytest.fixture
def gateway_with_media(tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, media=True)
    yield gateway
    gateway.stop()
    _KSR.fake = None
