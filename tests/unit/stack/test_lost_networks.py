"""A carrier's network that the daemon's watch finds lost stands in `status` and `doctor`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gateway.home import Home
from gateway.network.faults import Fault
from gateway.network.watch import Lost
from gateway.stack.health import Readings, judge
from gateway.stack.readings import networks_lost

LINK = Fault("link", "eth1", ("city.north",), "eth1 has no carrier", "See the cable")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    made.run.mkdir()
    yield made
    shutil.rmtree(made.run)


def test_what_is_lost_is_said_with_whose_calls_it_concerns(home: Home) -> None:
    assert networks_lost(home) == ()
    lost = Lost(LINK, datetime(2026, 11, 25, 2, 3, 4, tzinfo=UTC))
    home.network_faults.write_bytes(msgspec.json.encode([lost]))
    said = networks_lost(home)
    assert said == ("city.north: eth1 has no carrier, since 02:03:04 UTC",)
    findings = judge(Readings(networks_lost=said))
    (found,) = (one for one in findings if one.name == "carrier's network")
    assert not found.ok and not found.note
    assert "network status" in found.mend
