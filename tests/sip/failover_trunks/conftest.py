"""A stack whose carriers have trunks that write differently, with the patience of every day."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.endpoints import ANSWERS, AnswerScript, Callee
from gateway.home import Home
from gateway.stack.render import REPO
from tests.sip.people import Calling, World, answering
from tests.sip.stack import running_stack

# Northline as it is, and beside it a spare trunk with other ways: national digits, and the caller
# in P-Asserted-Identity too; and it says 500 with cause 34 for "all lines busy".
NORTHLINE = '''\
"""Northline with a spare trunk that writes differently."""

from carrier_adapters.contract import E164, Carrier, Failure, FarSide, Trunk


class Northline(Carrier):
    name = "northline"
    title = "Northline Telecom"
    trunks = (
        Trunk("moscow", sources=("192.0.2.0/29",), proxies=("sip:192.0.2.2",), area_code="495"),
        Trunk(
            "spare",
            proxies=("sip:{net}.41", "sip:{net}.42"),
            codecs=("PCMU", "telephone-event"),
        ),
    )

    def written(self, number: E164, trunk: Trunk) -> str:
        if trunk.name != "spare":
            return super().written(number, trunk)
        return "8" + number[1:] if number[0] == "7" else "810" + number

    def far_side(self, called: str, shown: E164, trunk: Trunk) -> FarSide:
        far = super().far_side(called, shown, trunk)
        if trunk.name != "spare":
            return far
        asserted = f"<sip:{{far.from_user}}@{{{{us}}}}>"
        return far._replace(headers=(("P-Asserted-Identity", asserted),))

    def failure(self, status: int, cause: int = 0) -> Failure:
        if status == 500 and cause == 34:
            return Failure.ELSEWHERE
        return super().failure(status, cause)
'''
TCP_TRUNK = """\
        Trunk("tcp", proxies=("sip:{net}.51;transport=tcp", "sip:{net}.52;transport=tcp")),
        Trunk(
            "sims","""
# Carriers as they are but for this: (what stands there, what instead). Two are trusted by address
# and have little room, one has a second trunk, over TCP.
CHANGED = {
    "steppe_mobile": ((r' +Trunk\(\n +"sims",', TCP_TRUNK),),
    "ural_link": (
        (r" +auth=.*\n", ""),
        (r"channels=30,\n +calls_per_second=5,", "channels=2,"),
        ("channels=10,", "channels=1,"),
    ),
    "oblako_resale": (
        (r" +auth=.*\n", ""),
        ("calls_per_second=1", "calls_per_second=2"),
        ("channels=4", "channels=9"),
    ),
}
HOSTS = {
    **{"ekaterinburg": 15, "ural ufa": 16, "cloud": 19, "moscow": 11, "spare": 41},
    **{"tcp second": 52, "spare second": 42, "kazan": 12, "kazan second": 13, "ufa": 14},
}


class Trunks(World):
    """Far ends by the trunk or gateway that they are."""

    def brings(self, name: str) -> Calling:
        """This trunk as it brings us calls."""
        return Calling(self.stack, HOSTS[name], name=name)

    def trunk(self, name: str, how: str | AnswerScript = "answer", **rest: Any) -> Callee:
        return answering(self.stack, HOSTS[name], name, how, **rest)


def _carriers(folder: Path, net: str) -> str:
    """Ours in place of the one of that name, and the others as they are; the setting for it."""
    shutil.copytree(
        REPO / "carrier_adapters", folder, ignore=shutil.ignore_patterns("kit", "__pycache__")
    )
    (folder / "northline.py").write_text(NORTHLINE.format(net=net))
    for name, changes in CHANGED.items():
        file = folder / f"{name}.py"
        text = file.read_text()
        for pattern, instead in changes:
            text, done = re.subn(pattern, instead.replace("{net}", net), text)
            assert done, f"{name}.py has no {pattern}"
        file.write_text(text)
    return f'[carriers]\nfolder = "{folder}"\n'


@pytest.fixture(scope="session")
def trunk_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunks]:
    name = f"trunks-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    folder = tmp_path_factory.mktemp("carriers") / "carriers"

    def more(home: Home, net: str) -> str:
        return _carriers(folder, net)

    with running_stack(name, silent_ms=4000, more=more) as stack:
        asyncio.run(_leaves(stack.home.postgres_dsn, 74951230002, "volga_city"))
        yield Trunks(stack)


@pytest.fixture
def trunks(trunk_stack: Trunks) -> Iterator[Trunks]:
    yield trunk_stack
    assert trunk_stack.stack.new_complaints() == []


async def _leaves(dsn: str, e164: int, carrier: str) -> None:
    """The number is still told to this carrier, which it is leaving."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO tenancies (e164, contract_id, addendum, slot, state)"
            " SELECT $1, o.id, 'old', 2, 'porting_out' FROM contracts o"
            " JOIN carriers c ON c.id = o.carrier_id WHERE c.name = $2 LIMIT 1",
            e164,
            carrier,
        )
    finally:
        await connection.close()


__all__ = ["ANSWERS", "Trunks"]
