"""A cloud PBX behind address translation registers to us with a password, is called, is heard, and
is hung up on, though nobody outside can send anything to the address it names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import ports as internal
from gateway.endpoints import tone
from gateway.home import Home
from tests.integration.network.namespaces import Namespace, make
from tests.integration.network.processes import FarEnd, command
from tests.sip.baresip import config

US, ROUTER, HIDDEN = "198.51.100.1", "198.51.100.77", "192.168.7.7"
NUMBER = "+74951230009"
SETTINGS = f"""\
[sip]
address = "{US}"

[media]
address = "{US}"

[health]
enabled = false
"""


class Office:
    """The gateway, a router that translates, and behind that the PBX's network."""

    def __init__(self, gateway: Namespace, router: Namespace, hidden: Namespace) -> None:
        self.gateway, self.router, self.hidden = gateway, router, hidden
        self.home = Home(Path(tempfile.mkdtemp(prefix="portgate-nat-", dir="/tmp")))
        self.net = internal.demo_net(self.home.path)
        self.home.settings.write_text(SETTINGS, "utf-8")
        (self.home.path / "proved.json").write_text("[]", "utf-8")

    def wire(self) -> None:
        self.gateway.cable("wan0", self.router, "wan")
        self.router.cable("lan", self.hidden, "eth0")
        self.gateway.address("wan0", f"{US}/24")
        self.router.address("wan", f"{ROUTER}/24")
        self.router.address("lan", "192.168.7.1/24")
        self.hidden.address("eth0", f"{HIDDEN}/24")
        self.hidden.route("add", dst="default", gateway="192.168.7.1")
        self.router.set("net.ipv4.ip_forward", "1")
        words = ["iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "wan", "-j", "MASQUERADE"]
        done = self.router.inside(lambda: subprocess.run(words, capture_output=True, check=False))
        if done.returncode:
            pytest.skip(f"no address translation here: {done.stderr.decode()}")

    def command(self, *words: str) -> str:
        done = command(self.gateway, self.home.path, *words)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def close(self) -> None:
        command(self.gateway, self.home.path, "down")
        shutil.rmtree(self.home.path)
        if self.home.run.exists():
            shutil.rmtree(self.home.run)
        for space in (self.gateway, self.router, self.hidden):
            space.close()


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    for program in ("baresip", "iptables"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed here")
    office = Office(*make(3))
    try:
        office.wire()
        office.command("up", "--detach", "--json")
        yield office
    finally:
        office.close()


def _registered(office: Office, name: str) -> dict[str, object]:
    give_up = time.monotonic() + 8
    while True:
        rows = json.loads(office.command("pbx", "list", "--json"))["pbxs"]
        (row,) = [one for one in rows if one["name"] == name]
        if row["registered"]:
            return dict(row["registered"][0])
        assert time.monotonic() < give_up, row


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_pbx_behind_translation_is_called_heard_and_hung_up_on(
    office: Office, tmp_path: Path, transport: str
) -> None:
    name = f"cloud-{transport}"
    words = ("--trust", "register", "--did-in", "to", "--json")
    login = json.loads(office.command("pbx", "add", name, *words))["login"]
    office.command("pbx", "share", NUMBER, name, "100")
    (tmp_path / "config").write_text(config(HIDDEN, hz=tone.CALLEE_HZ))
    (tmp_path / "accounts").write_text(
        f"<sip:{login['user']}@{US}>;auth_user={login['user']};auth_pass={login['password']}"
        f';regint=60;answermode=auto;outbound="sip:{US};transport={transport}"\n'
    )
    where = f"--net=/proc/{os.getpid()}/fd/{office.hidden.fd}"
    with (tmp_path / "log").open("w") as log:
        pbx = subprocess.Popen(
            ["nsenter", where, "baresip", "-f", str(tmp_path), "-v", "-t", "40"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        assert _registered(office, name)["transport"] == transport
        carrier = FarEnd(
            office.gateway, address=f"{office.net}.11", to=NUMBER, gateway=US,
            hangs_up=True, **{"from": "+79161234567"},
        )  # fmt: skip
        told = carrier.told()
    finally:
        pbx.terminate()
        pbx.wait()
    assert told["status"] == 200, (tmp_path / "log").read_text()
    assert told["heard"]
