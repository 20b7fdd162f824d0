"""Two carriers with the same private networks and the same server address: calls in and out at
once, each by its own address of ours, heard both ways, ended from both sides.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway import ports as internal
from gateway.home import Home
from tests.integration.network.conftest import HOP, OF_ALPHA, OF_BETA, SERVER
from tests.integration.network.namespaces import Namespace, make
from tests.integration.network.processes import FarEnd, command

SETTINGS = """\
[sip]
address = "{net}.1"

[media]
address = "{net}.1"

[api]
address = "{net}.1"

[health]
enabled = true
interval_s = 0.5

[carriers.northline.moscow]
sources = ["{server}/32"]
proxies = ["sip:{server}:5060", "sip:{server}:5060;transport=tcp"]

[carriers.volga_city.kazan]
sources = ["{server}/32"]
proxies = ["sip:{server}:5060"]

[network.northline.moscow]
interface = "alpha0"
address = "{alpha}/24"
gateway = "{hop}"
sip = ["10.0.0.0/8"]
rtp = ["10.0.0.0/8"]

[network.volga_city.kazan]
interface = "beta0"
address = "{beta}/24"
gateway = "{hop}"
sip = ["10.0.0.0/8"]
rtp = ["10.0.0.0/8"]
"""


@dataclass
class Stack:
    """The gateway in its namespace, and the carriers in theirs."""

    gateway: Namespace
    alpha: Namespace
    beta: Namespace
    home: Home
    net: str

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return command(self.gateway, self.home.path, *words)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    gateway, alpha, beta = make(3)
    home = Home(Path(tempfile.mkdtemp(prefix="portgate-net-", dir="/tmp")))
    net = internal.demo_net(home.path)
    stack = Stack(gateway, alpha, beta, home, net)
    places = {"net": net, "server": SERVER, "alpha": OF_ALPHA, "beta": OF_BETA, "hop": HOP}
    home.settings.write_text(SETTINGS.format(**places), "utf-8")
    (home.path / "proved.json").write_text("[]", "utf-8")
    try:
        for name, carrier in (("alpha", alpha), ("beta", beta)):
            gateway.cable(f"{name}0", carrier, "out")
            carrier.address("out", f"{HOP}/24")
            carrier.address("lo", f"{SERVER}/32")
        # the carriers' networks are behind their gateways, and so are we for them
        applied = stack.command("network", "apply", "--yes")
        assert applied.returncode in (0, 2), applied.stderr
        up = stack.command("up", "--detach", "--json")
        assert up.returncode == 0, up.stderr + up.stdout
        yield stack
    finally:
        stack.command("down")
        shutil.rmtree(home.path)
        if home.run.exists():
            shutil.rmtree(home.run)
        for space in (gateway, alpha, beta):
            space.close()


@pytest.fixture
def ends() -> Iterator[list[FarEnd]]:
    made: list[FarEnd] = []
    yield made
    for one in made:
        one.close()


def _media(sdp: str) -> str:
    found = re.search(r"^c=IN IP4 (\S+)", sdp, re.MULTILINE)
    assert found
    return found[1]


IN = {
    "alpha": {"to": "+74951230001", "from": "+79160000001", "gateway": OF_ALPHA},
    "beta": {"to": "2220001", "from": "89160000002", "gateway": OF_BETA,
             "headers": [f"P-Asserted-Identity: <sip:89160000002@{SERVER}>"]},
}  # fmt: skip


@pytest.mark.parametrize("who_hangs_up", ["caller", "called"])
@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_a_call_in_from_either_is_heard_and_ended_from_either_side(
    stack: Stack, ends: list[FarEnd], name: str, who_hangs_up: str
) -> None:
    carrier = getattr(stack, name)
    pbx = FarEnd(stack.gateway, address=f"{stack.net}.21", hangs_up=who_hangs_up == "called")
    ends.append(pbx)
    caller = FarEnd(carrier, address=SERVER, hangs_up=who_hangs_up == "caller", **IN[name])
    ends.append(caller)

    near, far = caller.told(), pbx.told()

    assert near["status"] == 200
    assert near["heard"] and far["heard"]
    assert _media(far["sdp"]) == f"{stack.net}.1", "the PBX is spoken to from our own address"


@pytest.mark.parametrize("who_hangs_up", ["caller", "called"])
@pytest.mark.parametrize(
    ("name", "extension", "ours"), [("alpha", "101", OF_ALPHA), ("beta", "104", OF_BETA)]
)
def test_a_call_out_leaves_by_the_carriers_own_address(
    stack: Stack, ends: list[FarEnd], name: str, extension: str, ours: str, who_hangs_up: str
) -> None:
    carrier = FarEnd(getattr(stack, name), address=SERVER, hangs_up=who_hangs_up == "called")
    ends.append(carrier)
    pbx = FarEnd(
        stack.gateway, address=f"{stack.net}.21", to="+79161234567", gateway=f"{stack.net}.1",
        hangs_up=who_hangs_up == "caller", **{"from": extension},
    )  # fmt: skip
    ends.append(pbx)

    near, far = pbx.told(), carrier.told()

    assert near["status"] == 200
    assert near["heard"] and far["heard"]
    assert _media(far["sdp"]) == ours
    assert f"@{ours}" in far["from"], "the host that the carrier knows us by"
    assert far["routes"][0].startswith(f"<sip:{ours};"), "what is inside the call comes back there"


def test_calls_of_both_at_once_in_and_out(stack: Stack, ends: list[FarEnd]) -> None:
    """Two calls out to one and the same address, which is two servers."""
    for name in ("alpha", "beta"):
        ends.append(FarEnd(getattr(stack, name), address=SERVER))
    for last, extension in ((21, "101"), (22, "104")):
        ends.append(FarEnd(
            stack.gateway, address=f"{stack.net}.{last}", to="+79161234567",
            gateway=f"{stack.net}.1", hangs_up=True, rounds=3, **{"from": extension},
        ))  # fmt: skip
    alpha, beta, first, second = (one.told() for one in ends)
    assert (first["status"], second["status"]) == (200, 200)
    assert all(one["heard"] for one in (alpha, beta, first, second))
    assert (_media(alpha["sdp"]), _media(beta["sdp"])) == (OF_ALPHA, OF_BETA)


def test_a_call_that_one_trunk_cannot_take_goes_by_another_with_its_audio(
    stack: Stack, ends: list[FarEnd]
) -> None:
    """Nobody is there where Kazan is handed off; Ufa is offered audio at our ordinary address."""
    ufa = FarEnd(stack.gateway, address=f"{stack.net}.14")
    ends.append(ufa)
    pbx = FarEnd(
        stack.gateway, address=f"{stack.net}.21", to="+79161234567", gateway=f"{stack.net}.1",
        hangs_up=True, **{"from": "104"},
    )  # fmt: skip
    ends.append(pbx)
    near, far = pbx.told(), ufa.told()
    assert near["status"] == 200
    assert near["heard"] and far["heard"]
    assert _media(far["sdp"]) == f"{stack.net}.1"


def test_a_call_out_over_tcp_leaves_by_the_carriers_own_address(
    stack: Stack, ends: list[FarEnd]
) -> None:
    """UDP is not answered there; the trunk's second gateway is the same one over TCP."""
    carrier = FarEnd(stack.alpha, address=SERVER, transport="tcp")
    ends.append(carrier)
    pbx = FarEnd(
        stack.gateway, address=f"{stack.net}.21", to="+79161234567", gateway=f"{stack.net}.1",
        hangs_up=True, **{"from": "101"},
    )  # fmt: skip
    ends.append(pbx)
    near, far = pbx.told(), carrier.told()
    assert near["status"] == 200
    assert near["heard"] and far["heard"]
    assert _media(far["sdp"]) == OF_ALPHA
    assert far["routes"][0].startswith(f"<sip:{OF_ALPHA};transport=tcp")


def test_one_carrier_does_not_pass_for_the_other(stack: Stack, ends: list[FarEnd]) -> None:
    """The same server address at our other address is the other carrier: its numbers are read its
    way, and a plain number of the first means nothing to it.
    """
    listed = json.loads(stack.command("carriers", "list", "--json").stdout)
    on = {
        trunk["receives_on"]
        for carrier in listed["carriers"]
        for trunk in carrier["trunks"]
        if trunk["calls_from"] == [f"{SERVER}/32"]
    }
    assert on == {OF_ALPHA, OF_BETA}
