"""A carrier's hand-off: gateways one way or both, shares by weight, names, and secrets by name."""

from __future__ import annotations

from collections import Counter

import pytest

from carrier_adapters.contract import Digest, Gateway, Registration, Trunk
from carrier_adapters.kit.trunk import FieldError
from number_registry.names import Answer, Target


def test_gateways_take_calls_send_calls_or_both() -> None:
    trunk = Trunk(
        "one",
        gateways=(
            Gateway("sip:192.0.2.1", "in"),
            Gateway("sip:192.0.2.2", "out"),
            Gateway("sip:192.0.2.3;transport=tcp"),
        ),
    )
    assert trunk.networks == ("192.0.2.1/32", "192.0.2.3/32")
    assert [address.host for address in trunk.addresses] == ["192.0.2.2", "192.0.2.3"]


def test_a_gateway_inside_a_source_network_is_not_named_twice() -> None:
    trunk = Trunk("one", sources=("192.0.2.0/29",), gateways=(Gateway("sip:192.0.2.2"),))
    assert trunk.networks == ("192.0.2.0/29",)


def test_proxies_are_tried_in_the_order_they_are_written() -> None:
    trunk = Trunk("one", proxies=("sip:192.0.2.9", "sip:192.0.2.1"))
    assert [address.host for address in trunk.in_order("any")] == ["192.0.2.9", "192.0.2.1"]


def test_gateways_of_one_priority_share_calls_by_weight_and_a_call_keeps_its_order() -> None:
    trunk = Trunk(
        "one",
        gateways=(
            Gateway("sip:192.0.2.1", "out", weight=3),
            Gateway("sip:192.0.2.2", "out", weight=1),
            Gateway("sip:192.0.2.3", "out", priority=1),
        ),
    )
    orders = [[address.host for address in trunk.in_order(f"call {n}")] for n in range(2000)]
    first = Counter(order[0] for order in orders)
    assert 1400 < first["192.0.2.1"] < 1600
    assert first["192.0.2.3"] == 0
    assert all(order[2] == "192.0.2.3" for order in orders), "a later priority waits"
    assert trunk.in_order("call 7") == trunk.in_order("call 7")


def test_a_name_waits_until_it_is_resolved() -> None:
    trunk = Trunk("one", gateways=(Gateway("sip:sbc.carrier.example;transport=tls", priority=5),))
    (gateway,) = trunk.gateways
    assert (trunk.addresses, trunk.names, gateway.srv) == ((), ("sbc.carrier.example",), True)
    told = Answer((Target("sip:198.51.100.1:5061;transport=tls"),))
    found = trunk.resolved({"sip:sbc.carrier.example;transport=tls": told})
    assert (found.addresses[0].uri, found.addresses[0].priority, found.names) == (
        "sip:198.51.100.1:5061;transport=tls", 5, (),
    )  # fmt: skip
    assert found.networks == ("198.51.100.1/32",), "it sends us calls too"
    assert trunk.resolved({}).names == ("sbc.carrier.example",)


def test_a_name_with_records_of_its_own_order_keeps_its_place_among_the_gateways() -> None:
    trunk = Trunk(
        "one",
        gateways=(
            Gateway("sip:192.0.2.9", "out", priority=1),
            Gateway("sip:carrier.example", "out", priority=0),
        ),
    )
    told = Answer(
        (
            Target("sip:192.0.2.1:5060;transport=udp", 10, 3),
            Target("sip:192.0.2.2:5060;transport=udp", 10, 1),
            Target("sip:192.0.2.3:5070;transport=udp", 20, 0),
        )
    )
    found = trunk.resolved({"sip:carrier.example;transport=udp": told})
    orders = [[one.host for one in found.in_order(f"call {n}")] for n in range(2000)]
    assert {tuple(order[2:]) for order in orders} == {("192.0.2.3", "192.0.2.9")}
    assert 1400 < sum(order[0] == "192.0.2.1" for order in orders) < 1600
    assert found.networks == (), "a gateway that only takes calls sends none"


@pytest.mark.parametrize(
    ("uri", "port", "srv"),
    [
        ("sip:192.0.2.1", 5060, False),
        ("sip:192.0.2.1;transport=tls", 5061, False),
        ("sip:[2001:db8::1]:5070", 5070, False),
        ("sip:[2001:db8::1]", 5060, False),
        ("sip:sbc.example:5080", 5080, False),
        ("sip:sbc.example", 5060, True),
    ],
)
def test_a_gateways_port_is_its_own_or_that_of_its_transport(
    uri: str, port: int, srv: bool
) -> None:
    gateway = Gateway(uri)
    assert (gateway.address.port, gateway.srv) == (port, srv)


def test_a_secret_written_into_the_file_is_refused_and_not_repeated() -> None:
    with pytest.raises(FieldError) as caught:
        Digest("portgate", "S3cret-Word!")
    assert "S3cret" not in str(caught.value)


def test_a_registration_says_where_and_how_long() -> None:
    with pytest.raises(FieldError, match="expires_s"):
        Registration("u", "a_secret", "sip:192.0.2.1", expires_s=5)
    assert Registration("u", "a_secret", "sip:registrar.example").kind == "register"
