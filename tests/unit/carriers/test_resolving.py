"""Carriers by name: what a name leads to is called, and sends calls only where nobody else does."""

from __future__ import annotations

from carrier_adapters.contract import Carrier, Gateway, Trunk
from carrier_adapters.kit.resolving import resolved
from number_registry.names import Answer, Target


class Named(Carrier):
    name = "named"
    trunks = (
        Trunk(
            "one",
            gateways=(Gateway("sip:both.test"), Gateway("sip:only-in.test", "in")),
        ),
    )


class Other(Carrier):
    name = "other"
    trunks = (Trunk("one", sources=("192.0.2.0/29",), proxies=("sip:192.0.2.1",)),)


def _leads(**where: str) -> dict[str, Answer]:
    return {
        f"sip:{name.replace('_', '-')}.test;transport=udp": Answer(
            (Target(f"sip:{host}:5060;transport=udp"),)
        )
        for name, host in where.items()
    }


CARRIERS = {"named": Named(), "other": Other()}


def test_what_a_name_leads_to_is_called_and_calls_us() -> None:
    found, refused = resolved(CARRIERS, _leads(both="198.51.100.1", only_in="198.51.100.2"))
    trunk = found["named"].trunk("one")
    assert [one.host for one in trunk.addresses] == ["198.51.100.1"]
    assert trunk.networks == ("198.51.100.1/32", "198.51.100.2/32")
    assert found["other"] is CARRIERS["other"]
    assert refused == ()


def test_dns_cannot_make_one_carriers_calls_anothers() -> None:
    found, refused = resolved(CARRIERS, _leads(both="192.0.2.3", only_in="192.0.2.4"))
    trunk = found["named"].trunk("one")
    assert [one.host for one in trunk.addresses] == ["192.0.2.3"], "it is still called there"
    assert trunk.networks == ()
    assert len(refused) == 2
    assert "other.one" in refused[0]


def test_a_carrier_reads_and_writes_as_before() -> None:
    found, _ = resolved(CARRIERS, _leads(both="198.51.100.1"))
    assert found["named"].trunk_for is not None
    assert found["named"].trunk("one").names == ("only-in.test",)
