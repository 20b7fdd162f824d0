"""Our addresses: one for everybody, and one for each trunk that has its own."""

from __future__ import annotations

from pathlib import Path

from carrier_adapters.contract import Trunk
from gateway.settings import FILE, load
from gateway.stack.own import own

HAND_OFF = """\
[network.city.north]
interface = "eth1"
address = "10.20.0.2/30"
sip = ["10.0.0.0/8"]
rtp_address = "10.30.0.2/30"
rtp = ["10.0.0.0/8"]
"""


def test_trunks_without_an_address_of_ours_need_no_other() -> None:
    ours = own([Trunk("a"), Trunk("b", receives_on="192.0.2.1")], "192.0.2.1", "192.0.2.1")
    assert (ours.sip, ours.media, ours.several) == (("192.0.2.1",), {"main": "192.0.2.1"}, False)


def test_a_trunk_of_its_own_has_its_calls_and_audio_there() -> None:
    trunks = [Trunk("a", receives_on="10.20.0.2"), Trunk("b", receives_on="10.20.0.6",
                                                         media_on="10.30.0.6")]  # fmt: skip
    ours = own(trunks, "192.0.2.1", "192.0.2.9")
    assert ours.sip == ("192.0.2.1", "10.20.0.2", "10.20.0.6")
    assert ours.media == {"main": "192.0.2.9", "10.20.0.2": "10.20.0.2", "10.30.0.6": "10.30.0.6"}
    assert ours.media_of == {
        "192.0.2.1": "main", "10.20.0.2": "10.20.0.2", "10.20.0.6": "10.30.0.6",
    }  # fmt: skip


def test_a_hand_off_places_its_trunk_unless_that_is_done_by_hand(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(HAND_OFF, "utf-8")
    placed = load(tmp_path, {}).carriers.overrides["city"]["north"]
    assert (placed.receives_on, placed.media_on) == ("10.20.0.2", "10.30.0.2")
    by_hand = HAND_OFF + '[carriers.city.north]\nreceives_on = "10.20.0.9"\n'
    (tmp_path / FILE).write_text(by_hand, "utf-8")
    placed = load(tmp_path, {}).carriers.overrides["city"]["north"]
    assert (placed.receives_on, placed.media_on) == ("10.20.0.9", "10.30.0.2")
