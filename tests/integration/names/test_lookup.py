"""Names asked of a real DNS server: SRV first, then addresses, and every way in which it fails."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gateway.names.lookup import Found, Lookup, UnresolvedError
from number_registry.names import Asked, Target, asked
from tests.nameserver import NameServer, nameserver

pytestmark = pytest.mark.asyncio


@pytest.fixture
def server() -> Iterator[NameServer]:
    with nameserver() as found:
        yield found


def _asked(uri: str) -> Asked:
    found = asked(uri)
    assert found is not None
    return found


async def ask(server: NameServer, uri: str, within: float = 2.0) -> Found:
    return await Lookup([server.address], within, ["192.0.2.100"]).ask(_asked(uri))


async def test_without_a_port_srv_says_host_port_and_order(server: NameServer) -> None:
    server.records = {
        "_sip._udp.carrier.test SRV": ["20 0 5060 b.carrier.test.", "10 3 5070 a.carrier.test."],
        "a.carrier.test A": ["192.0.2.2", "192.0.2.1"],
        "b.carrier.test A": ["192.0.2.9"],
    }
    found = await ask(server, "sip:carrier.test")
    assert found.targets == (
        Target("sip:192.0.2.1:5070;transport=udp", 10, 3),
        Target("sip:192.0.2.2:5070;transport=udp", 10, 3),
        Target("sip:192.0.2.9:5060;transport=udp", 20, 0),
    )
    assert found.ttl == 1


async def test_with_a_port_srv_is_not_asked(server: NameServer) -> None:
    server.records = {"gw.test A": ["192.0.2.7"]}
    found = await ask(server, "sip:gw.test:5080;transport=tcp")
    assert found.targets == (Target("sip:192.0.2.7:5080;transport=tcp"),)
    assert server.asked == ["gw.test A"]


async def test_without_srv_the_name_itself_is_the_host(server: NameServer) -> None:
    server.records = {"gw.test A": ["192.0.2.7"]}
    found = await ask(server, "sip:gw.test;transport=tls")
    assert found.targets == (Target("sip:192.0.2.7:5061;transport=tls"),)
    assert server.asked[0] == "_sips._tcp.gw.test SRV"


async def test_one_dead_target_leaves_the_others(server: NameServer) -> None:
    server.records = {
        "_sip._udp.c.test SRV": ["1 0 5060 gone.test.", "2 0 5060 there.test."],
        "there.test A": ["192.0.2.3"],
    }
    found = await ask(server, "sip:c.test")
    assert [target.uri for target in found.targets] == ["sip:192.0.2.3:5060;transport=udp"]


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ({}, "gw.test has no IPv4 address"),
        ({"_sip._udp.gw.test SRV": ["0 0 0 ."], "gw.test A": ["192.0.2.1"]}, "no such service"),
        ({"gw.test A": ["192.0.2.100"]}, "leads to no address that can be called"),
        ({"gw.test A": ["0.0.0.0", "224.0.0.5"]}, "leads to no address that can be called"),
        ({"_sip._udp.gw.test SRV": ["0 0 5060 x.test."]}, "none of x.test has an address"),
    ],
)
async def test_an_answer_that_cannot_be_used_says_why(
    server: NameServer, records: dict[str, list[str]], says: str
) -> None:
    server.records = records
    with pytest.raises(UnresolvedError, match=says):
        await ask(server, "sip:gw.test")


@pytest.mark.parametrize("how", ["silent", "broken", "late"])
async def test_a_dead_or_slow_server_costs_no_more_than_its_limit(
    server: NameServer, how: str
) -> None:
    server.how = how
    began = time.monotonic()
    with pytest.raises(UnresolvedError):
        await ask(server, "sip:gw.test", within=0.5)
    assert time.monotonic() - began < 1.5
