"""What an engineer writes about a hand-off, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import daemon
from gateway.home import Home
from gateway.network.declared import Leg, legs
from gateway.ports import InternalPorts
from gateway.settings import FILE, SettingsError, load

PLAIN = """
[network.alpha.kazan]
interface = "eth1"
address = "10.20.0.2/30"
gateway = "10.20.0.1"
sip = ["10.0.0.0/8"]
rtp = ["10.128.0.0/9"]
"""


def read(home: Path, text: str) -> tuple[Leg, ...]:
    (home / FILE).write_text(text, "utf-8")
    return legs(load(home, {}).network.hand_offs)


def test_one_hand_off_is_one_leg_for_calls_and_audio(tmp_path: Path) -> None:
    (leg,) = read(tmp_path, PLAIN)

    assert (leg.names, leg.uses) == (("alpha.kazan",), ("SIP", "RTP"))
    assert (leg.device, leg.address) == ("eth1", "10.20.0.2")
    assert leg.routes == (
        ("10.20.0.0/30", ""),
        ("10.0.0.0/8", "10.20.0.1"),
        ("10.128.0.0/9", "10.20.0.1"),
    )


def test_media_handed_off_separately_is_a_leg_of_its_own(tmp_path: Path) -> None:
    apart = 'rtp_interface = "eth2"\nrtp_vlan = 30\nrtp_address = "10.30.0.2/30"\n'

    sip, rtp = read(tmp_path, PLAIN + apart + 'rtp_gateway = "10.30.0.1"\n')

    assert (sip.uses, sip.device, sip.address) == (("SIP",), "eth1", "10.20.0.2")
    assert ("10.128.0.0/9", "10.20.0.1") not in sip.routes
    assert (rtp.uses, rtp.device, rtp.address) == (("RTP",), "eth2.30", "10.30.0.2")
    assert rtp.routes == (("10.30.0.0/30", ""), ("10.128.0.0/9", "10.30.0.1"))


def test_media_from_a_second_address_of_the_same_link_keeps_the_gateway(tmp_path: Path) -> None:
    text = PLAIN.replace("/30", "/29") + 'rtp_address = "10.20.0.3/29"\n'

    _, rtp = read(tmp_path, text)

    assert (rtp.device, rtp.routes[-1]) == ("eth1", ("10.128.0.0/9", "10.20.0.1"))


def test_two_cities_of_a_carrier_may_share_one_hand_off(tmp_path: Path) -> None:
    ufa = PLAIN.replace("kazan", "ufa").replace("10.128.0.0/9", "172.16.0.0/12")

    (leg,) = read(tmp_path, PLAIN + ufa)

    assert leg.names == ("alpha.kazan", "alpha.ufa")
    assert {network for network, _ in leg.routes} >= {"10.128.0.0/9", "172.16.0.0/12"}


def test_a_next_hop_outside_our_network_is_reached_on_the_link(tmp_path: Path) -> None:
    (leg,) = read(tmp_path, PLAIN.replace("10.20.0.2/30", "192.0.2.7/32"))

    assert leg.routes[0] == ("10.20.0.1/32", "")


def test_their_server_on_the_link_itself_needs_no_next_hop(tmp_path: Path) -> None:
    (leg,) = read(tmp_path, PLAIN.replace("10.0.0.0/8", "10.20.0.1/32"))

    assert "10.20.0.1/32" not in dict(leg.routes)
    assert ("10.20.0.0/30", "") in leg.routes


@pytest.mark.parametrize(
    ("line", "instead", "at", "says"),
    [
        ('gateway = "10.20.0.1"', 'gatway = "10.20.0.1"', 5, "Did you mean `gateway`?"),
        ('address = "10.20.0.2/30"', 'address = "10.20.0.2"', 4, "needs its prefix length"),
        ('address = "10.20.0.2/30"', 'address = "10.20.0.0/30"', 4, "the network's own"),
        ('address = "10.20.0.2/30"', 'address = "fd00::2/64"', 4, "must be like 10.20.0.2/30"),
        ('gateway = "10.20.0.1"', 'gateway = "10.20.0.2"', 5, "is our own address"),
        ('gateway = "10.20.0.1"', 'gateway = "here"', 5, "must be an IPv4 address"),
        ('interface = "eth1"', 'interface = "a b"', 3, "must be the name of an interface"),
        ('interface = "eth1"', 'interface = "averylongname1"\nvlan = 4000', 3, "longer than 15"),
        ('interface = "eth1"', 'interface = "eth1"\nvlan = 4095', 4, "<= 4094"),
        ('interface = "eth1"', "", 2, "missing required field `interface`"),
        ('sip = ["10.0.0.0/8"]', 'sip = ["10.0.0.1/8"]', 6, "has host bits set"),
        ('sip = ["10.0.0.0/8"]', "rtp_vlan = 7", 2, "`rtp_address` is needed"),
    ],
)
def test_a_wrong_line_is_named_with_its_mend(
    tmp_path: Path, line: str, instead: str, at: int, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, PLAIN.replace(line, instead))

    assert caught.value.where == f"{tmp_path / FILE}:{at}"
    assert says in str(caught.value)
    assert caught.value.mend


def test_a_hand_off_without_their_networks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="say which networks are theirs"):
        read(tmp_path, '[network.alpha.kazan]\ninterface = "eth1"\naddress = "10.20.0.2/30"\n')


def test_keys_without_a_trunk_are_told_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Write `\[network.alpha.TRUNK\]`"):
        read(tmp_path, '[network.alpha]\ninterface = "eth1"\n')


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (PLAIN.replace("alpha", "beta"), "also our address of alpha.kazan"),
        (PLAIN.replace("kazan", "ufa").replace("eth1", "eth2"), "One address is on one interface"),
        (PLAIN.replace("kazan", "ufa").replace("20.0.1", "20.0.9"), "there are two ways"),
    ],
)
def test_two_hand_offs_that_cannot_both_be_are_refused(
    tmp_path: Path, other: str, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, PLAIN + other)

    assert caught.value.where == f"{tmp_path / FILE}:11"
    assert says in str(caught.value)


def test_the_daemon_watches_only_where_networks_are_declared(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.journal.mkdir()
    ports = InternalPorts(ng=8700, rtp_min=10000, rtp_max=10099, demo_net="127.9.9")

    def duties() -> list[str]:
        made = daemon.compose(home, load(tmp_path, {}), ports)
        made.close()
        return [duty.name for duty in made.duties]

    assert "network" not in duties()
    (tmp_path / FILE).write_text(PLAIN, "utf-8")
    assert "network" in duties()
