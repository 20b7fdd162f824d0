"""What a worker knows: carriers reloaded while calls go on, the snapshot replaced or damaged, who
is a neighbour.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import time
from pathlib import Path

import pytest

from carrier_adapters.contract import Carrier, Trunk
from carrier_adapters.loader import load
from kemi.journal import Journal
from kemi.peers import REMEMBERED, Peers
from kemi.worker import GENERATION_FILE, TAKEN_PREFIX
from number_registry.call import Peer, Side
from number_registry.e164 import E164
from number_registry.model import Address, Pbx
from number_registry.snapshot import SnapshotTable
from tests.unit.kemi.conftest import Gateway, invite

CARRIERS = Path(__file__).parents[3] / "carrier_adapters"
NORTHLINE = ("192.0.2.2", 5060)


@pytest.fixture
def dropped_in(tmp_path: Path) -> tuple[Gateway, Path]:
    """A gateway whose carriers live in a folder of their own."""
    folder = tmp_path / "carriers"
    folder.mkdir()
    for name in ("northline.py", "volga_city.py"):
        shutil.copy(CARRIERS / name, folder)
    return Gateway(tmp_path, carriers_folder=str(folder)), folder


def put_to_work(gateway: Gateway) -> None:
    """What applying carriers' files does: a new time on the generation file."""
    path = gateway.folder / "snapshot" / GENERATION_FILE
    path.touch()
    os.utime(path, ns=(time.time_ns(), time.time_ns()))
    gateway.router.worker._next_check = gateway.router.worker._next_refresh = 0.0


def test_a_carrier_dropped_in_takes_calls_without_a_restart(
    dropped_in: tuple[Gateway, Path],
) -> None:
    gateway, folder = dropped_in
    text = (folder / "northline.py").read_text()
    text = text.replace('"northline"', '"southline"').replace("192.0.2.0/29", "203.0.113.0/29")
    (folder / "southline.py").write_text(text)
    assert gateway.router.worker.peer("203.0.113.1") is None
    put_to_work(gateway)
    assert gateway.router.worker.peer("203.0.113.1") == Peer(Side.CARRIER, "southline", "moscow")


def test_a_broken_file_changes_nothing_for_anybody(dropped_in: tuple[Gateway, Path]) -> None:
    gateway, folder = dropped_in
    (folder / "northline.py").write_text("class Northline(:\n")
    put_to_work(gateway)
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    assert len(ksr.sent) == 1, "the carrier goes on with the code it had"
    (line,) = [text for level, text in ksr.log if "not reloaded" in text]
    assert "northline.py: line 1" in line


def test_damaged_cells_are_a_miss_and_are_said_once(gateway: Gateway) -> None:
    path = gateway.folder / "snapshot/numbers.map"
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        table = SnapshotTable(memoryview(mapped))
        table.set_number(74951230001, table.number(74951230001) ^ 1 << 33)
        table.close()
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    assert [reply.status for reply in ksr.replies] == [404]
    gateway.router.worker.registry.say_corruption()
    gateway.router.worker.registry.say_corruption()
    assert len([text for _, text in ksr.log if "were not ours" in text]) == 1


def test_a_foreign_file_in_place_of_the_snapshot_stops_no_call(gateway: Gateway) -> None:
    worker = gateway.router.worker
    worker.peer(NORTHLINE[0])
    table = gateway.folder / "snapshot/numbers.map"
    table.with_name("next").write_bytes(b"not a snapshot" * 1000)
    table.with_name("next").rename(table)
    assert worker.directory().number(E164("74951230001")) is not None
    gateway.start()  # a fresh worker has nothing older to fall back on, and says so
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    assert [reply.status for reply in ksr.replies] == [404]
    assert any("numbers.map cannot be used" in text for _, text in ksr.log)


def test_a_directory_that_does_not_belong_to_its_checksum_is_not_used(gateway: Gateway) -> None:
    path = gateway.folder / "snapshot/directory.json"
    path.write_bytes(path.read_bytes().replace(b"volga_city", b"evil__city"))
    assert gateway.router.worker.registry.refresh() is None


def test_who_calls_is_known_by_network_the_narrowest_first() -> None:
    carriers = load(CARRIERS).carriers
    peers = Peers(carriers, [Pbx("inside", (Address("192.0.2.20"),), ("2001:db8::/64",))])
    assert peers.find("192.0.2.17") == Peer(Side.CARRIER, "volga_city", "kazan")
    assert peers.find("192.0.2.20") == Peer(Side.PBX, "inside")
    assert peers.find("2001:db8::5") == Peer(Side.PBX, "inside")
    assert peers.find("203.0.113.1") is None


def test_a_flood_from_many_addresses_does_not_fill_the_memory() -> None:
    peers = Peers({}, [])
    for number in range(3 * REMEMBERED):
        peers.find(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(peers._known) <= REMEMBERED


def test_a_lost_event_is_counted_and_said_and_the_next_begins_a_line_of_its_own(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    journal = Journal(tmp_path, said.append)
    journal.write(b'{"c":"ab"}\n')
    os.close(journal._file)  # what a vanished disk looks like
    journal.write(b'{"c":"cd"}\n')
    assert journal.lost == 1
    assert "1 in all" in said[-1]
    journal._file = -1
    journal.write(b'{"c":"ef"}\n')
    lines = [
        json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()
    ]
    assert {line["c"] for line in lines} == {"ab", "ef"}


def test_our_own_bye_goes_out_with_one_from_tag(gateway: Gateway) -> None:
    raw = invite("x", "y").replace("INVITE sip", "BYE sip").replace("7 INVITE", "9 BYE")
    gateway.ksr.receive(raw.replace(";tag=caller-tag", ";tag=caller-tag;tag=second"))
    gateway.ksr.results["textops.subst_hf"] = 1
    gateway.router.ksr_local_request(None)
    (effect,) = gateway.ksr.did("textops.subst_hf")
    assert effect.arguments == ("From", "/;tag=[^;]+$//", "f")


def test_two_carriers_with_the_same_network_are_told_apart_by_our_address() -> None:
    class One(Carrier):
        name = "one"
        trunks = (Trunk("t", ("10.0.0.0/8",), receives_on="192.0.2.100"),)

    class Two(Carrier):
        name = "two"
        trunks = (Trunk("t", ("10.0.0.0/8",), receives_on="192.0.2.101"),)

    came_to = ["192.0.2.100"]
    peers = Peers({"one": One(), "two": Two()}, [], lambda: came_to[0])
    assert peers.find("10.1.1.1") == Peer(Side.CARRIER, "one", "t")
    came_to[0] = "192.0.2.101"
    assert peers.find("10.1.1.1") == Peer(Side.CARRIER, "two", "t")
    came_to[0] = "192.0.2.102"
    assert peers.find("10.1.1.1") is None


def test_a_worker_tells_what_it_took(dropped_in: tuple[Gateway, Path]) -> None:
    gateway, folder = dropped_in
    (folder / "northline.py").write_text("class Northline(:\n")
    put_to_work(gateway)
    gateway.router.worker.peer("203.0.113.1")
    told = json.loads((gateway.folder / "snapshot" / f"{TAKEN_PREFIX}{os.getpid()}").read_text())
    generation = (gateway.folder / "snapshot" / GENERATION_FILE).stat().st_mtime_ns
    assert told == {
        "generation": generation,
        "carriers": ["northline", "volga_city"],
        "refused": ["northline"],
    }
