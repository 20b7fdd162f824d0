"""Two carriers with the same private network: each call and its audio leave by the right one."""

from __future__ import annotations

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from gateway.network.things import TABLES, Route, Rule
from tests.integration.network.conftest import (
    DECLARED,
    HOP,
    MEDIA,
    OF_ALPHA,
    OF_BETA,
    SERVER,
    World,
)
from tests.integration.network.namespaces import make, who_hears


def test_the_same_address_is_a_different_server_for_each_address_of_ours(world: World) -> None:
    world.apply()
    ears = world.ears(SERVER, 5060)

    from_alpha = world.udp(world.gateway, OF_ALPHA, 5060)
    from_beta = world.udp(world.gateway, OF_BETA, 5060)

    assert who_hears(from_alpha, (SERVER, 5060), ears) == "alpha"
    assert who_hears(from_beta, (SERVER, 5060), ears) == "beta"


def test_audio_goes_the_same_way_as_its_call(world: World) -> None:
    world.apply()
    ears = world.ears(MEDIA, 30000)

    assert who_hears(world.udp(world.gateway, OF_ALPHA, 20000), (MEDIA, 30000), ears) == "alpha"
    assert who_hears(world.udp(world.gateway, OF_BETA, 20000), (MEDIA, 30000), ears) == "beta"


def test_the_next_hop_itself_is_reached_on_its_own_link(world: World) -> None:
    world.apply()
    ears = world.ears(HOP, 5060)

    assert who_hears(world.udp(world.gateway, OF_BETA), (HOP, 5060), ears) == "beta"
    assert who_hears(world.udp(world.gateway, OF_ALPHA), (HOP, 5060), ears) == "alpha"


def test_it_works_where_the_kernel_checks_the_way_back_strictly(world: World) -> None:
    world.gateway.set("net.ipv4.conf.all.rp_filter", "1")
    world.apply()
    ears = world.ears(SERVER, 5060)

    assert who_hears(world.udp(world.gateway, OF_ALPHA), (SERVER, 5060), ears) == "alpha"
    assert who_hears(world.udp(world.gateway, OF_BETA), (SERVER, 5060), ears) == "beta"


def test_a_call_from_the_carrier_is_answered_to_that_carrier(world: World) -> None:
    world.apply()
    ours = world.udp(world.gateway, OF_BETA, 5060)
    theirs = world.udp(world.beta, SERVER, 5060)

    theirs.sendto(b"INVITE", (OF_BETA, 5060))
    ours.settimeout(5)
    _, came_from = ours.recvfrom(100)
    ours.sendto(b"100", came_from)

    theirs.settimeout(5)
    assert theirs.recvfrom(100) == (b"100", (OF_BETA, 5060))


def test_nothing_leaves_another_way_than_through_the_carrier(world: World) -> None:
    """The machine has a default route; our address of a carrier is not sent there."""
    world.apply()
    ours = world.udp(world.gateway, OF_ALPHA)

    with pytest.raises(OSError, match="No route to host"):
        ours.sendto(b"?", ("203.0.113.5", 5060))

    world.gateway.switch("alpha0", "down")
    with pytest.raises(OSError, match="No route to host"):
        ours.sendto(b"?", (SERVER, 5060))


def test_media_handed_off_by_another_cable_takes_that_cable(world: World) -> None:
    (elsewhere,) = make(1)
    try:
        world.gateway.cable("media0", elsewhere, "out")
        elsewhere.address("out", "10.30.0.1/30")
        elsewhere.address("lo", f"{SERVER}/32")
        apart = 'rtp_interface = "media0"\nrtp_address = "10.30.0.2/30"\n'
        apart += 'rtp_gateway = "10.30.0.1"\nrtp = ["10.0.0.0/8"]\n'
        world.declare(DECLARED.replace('rtp = ["10.200.0.0/16"]\n', apart, 1))
        world.apply()
        ears = {**world.ears(SERVER, 5060), "media": world.udp(elsewhere, SERVER, 5060)}

        call, audio = world.udp(world.gateway, OF_ALPHA), world.udp(world.gateway, "10.30.0.2")

        assert who_hears(call, (SERVER, 5060), ears) == "alpha"
        assert who_hears(audio, (SERVER, 5060), ears) == "media"
    finally:
        elsewhere.close()


def test_others_addresses_routes_and_rules_are_as_they_were(world: World) -> None:
    before = world.seen()

    world.apply()

    after = world.seen()
    assert after.others == before.others
    assert {one.table for one in after.mine if isinstance(one, Route | Rule)} == {
        TABLES[0],
        TABLES[2],  # the second is used by somebody else
    }


def test_undo_leaves_the_kernel_exactly_as_it_was(world: World) -> None:
    before = world.everything()

    world.apply()
    assert world.everything() > before
    world.undo()

    assert world.everything() == before


def test_undo_of_a_change_is_the_network_before_the_change(world: World) -> None:
    world.apply()
    before = world.everything()
    world.declare(DECLARED.replace("10.200.0.0/16", "10.201.0.0/16", 1).split("[network.beta")[0])

    assert {change.op for change in world.apply().changes} == {"+", "-"}
    world.undo()

    assert world.everything() == before


def test_a_replaced_gateway_is_used_from_the_next_packet_on(world: World) -> None:
    world.apply()
    world.alpha.address("out", "10.20.0.9/24")
    ears = world.ears(SERVER, 5060)
    ours = world.udp(world.gateway, OF_ALPHA)
    world.declare(DECLARED.replace(f'gateway = "{HOP}"', 'gateway = "10.20.0.9"', 1))

    assert [change.op for change in world.apply().changes] == ["~", "~"]

    assert who_hears(ours, (SERVER, 5060), ears) == "alpha"
    assert world.plan().changes == ()


def test_a_vlan_hand_off_is_made_and_taken_back(world: World) -> None:
    parent = world.gateway.index("alpha0")
    try:
        new = {"ifname": "alpha0.9", "kind": "vlan", "link": parent, "vlan_id": 9}
        world.gateway.netlink(lambda route: route.link("add", **new))
        made = world.gateway.index("alpha0.9")
        world.gateway.netlink(lambda route: route.link("del", index=made))
    except NetlinkError as error:
        pytest.skip(f"this kernel makes no VLAN devices: {error}")
    before = world.everything()
    world.declare(DECLARED.replace('"alpha0"', '"alpha0"\nvlan = 120'))

    world.apply()
    assert world.seen().devices["alpha0.120"].up
    assert world.plan().changes == ()
    world.undo()

    assert world.everything() == before
