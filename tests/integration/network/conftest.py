"""Two carriers that both hand off private networks, and between them the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socket import AF_INET
from typing import Any

import pytest

from gateway.network.apply import Notes, apply, claim_here, undo
from gateway.network.declared import Leg, legs
from gateway.network.kernel import Kernel, opened
from gateway.network.plan import Plan, plan
from gateway.network.things import Seen
from gateway.settings import FILE, load
from tests.integration.network.namespaces import Namespace, make

# Both carriers have the same next hop, the same servers at the same addresses, and give us an
# address of the same range: the worst that two of them can do without knowing of each other.
HOP, SERVER, MEDIA = "10.20.0.1", "10.5.5.5", "10.200.7.7"
OF_ALPHA, OF_BETA = "10.20.0.2", "10.20.0.3"
DECLARED = f"""
[network.alpha.kazan]
interface = "alpha0"
address = "{OF_ALPHA}/24"
gateway = "{HOP}"
sip = ["10.0.0.0/8"]
rtp = ["10.200.0.0/16"]

[network.beta.ufa]
interface = "beta0"
address = "{OF_BETA}/24"
gateway = "{HOP}"
sip = ["10.0.0.0/8"]
rtp = ["10.200.0.0/16"]
"""


@dataclass
class World:
    """Three namespaces and a home. The gateway's has addresses, routes and rules of others too."""

    gateway: Namespace
    alpha: Namespace
    beta: Namespace
    home: Path
    sockets: list[Any] = field(default_factory=list)

    def declare(self, text: str) -> None:
        (self.home / FILE).write_text(text, "utf-8")

    @property
    def legs(self) -> tuple[Leg, ...]:
        return legs(load(self.home, {}).network.hand_offs)

    @property
    def notes(self) -> Notes:
        return Notes(self.home / "network")

    def ask(self, question: Callable[[Kernel], Awaitable[Any]]) -> Any:
        """Ask the gateway's kernel, from inside."""

        async def asked() -> Any:
            async with opened() as kernel:
                return await question(kernel)

        return self.gateway.inside(lambda: asyncio.run(asked()))

    def seen(self) -> Seen:
        return self.ask(lambda kernel: kernel.see())

    def plan(self) -> Plan:
        return plan(self.legs, self.seen())

    def apply(self) -> Plan:
        wanted = self.legs
        return self.ask(lambda kernel: apply(kernel, self.notes, lambda seen: plan(wanted, seen)))

    def undo(self) -> Plan:
        return self.ask(lambda kernel: undo(kernel, self.notes))

    def command(self, *words: str) -> Any:
        return self.gateway.run(self.home, "gateway.cli", "network", *words)

    def everything(self) -> set[str]:
        """All of the gateway's IPv4 as the kernel tells it, but for counters and clocks."""

        async def all_of_it(route: Any) -> tuple[list[Any], list[Any]]:
            things = [
                message
                for kind in (route.addr, route.route, route.rule)
                async for message in await kind("dump", family=AF_INET)
            ]
            return things, [message async for message in await route.link("dump")]

        told, devices = self.gateway.netlink(all_of_it)
        links = [(link["index"], link["flags"] & 1, link.get("ifname")) for link in devices]
        plain = {
            str((one["event"], one.get("dst_len"), one.get("src_len"), _plain(one["attrs"])))
            for one in told
        }
        return plain | set(map(str, links))

    def udp(self, where: Namespace, ip: str, port: int = 0) -> Any:
        made = where.udp(ip, port)
        self.sockets.append(made)
        return made

    def ears(self, ip: str, port: int) -> dict[str, Any]:
        """Both carriers listen at the same address."""
        return {"alpha": self.udp(self.alpha, ip, port), "beta": self.udp(self.beta, ip, port)}


def _plain(attributes: Any) -> list[Any]:
    return [item for item in attributes if item[0] not in ("IFA_CACHEINFO", "RTA_CACHEINFO")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    spaces = make(3)
    world = World(*spaces, tmp_path)
    try:
        for name, carrier in (("alpha", world.alpha), ("beta", world.beta)):
            world.gateway.cable(f"{name}0", carrier, "out")
            carrier.address("out", f"{HOP}/24")
            for server in (SERVER, MEDIA):
                carrier.address("lo", f"{server}/32")
        _others(world)
        world.declare(DECLARED)
        yield world
    finally:
        for one in world.sockets:
            one.close()
        world.gateway.inside(claim_here).unlink(missing_ok=True)
        for space in spaces:
            space.close()


def _others(world: World) -> None:
    """What the machine's own network is made of: none of it is ours."""
    world.gateway.address("beta0", "192.0.2.10/24")
    index = world.gateway.index("beta0")
    hop = {"gateway": "192.0.2.1", "oif": index}
    world.gateway.route("add", dst="0.0.0.0/0", **hop)
    world.gateway.route("add", dst="198.51.100.0/24", table=21001, **hop)
    world.gateway.rule("add", src="192.0.2.10", src_len=32, table=21001, priority=500)
