"""A real PBX in some cloud, whose address nobody knows, registers with its password, is rung where
it registered from, and proves each call out.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sip.moving import Moving
from tests.sip.people import World
from tests.sip.real_pbxs.asterisk import CHAN_SIP, PJSIP
from tests.sip.real_pbxs.office import CLOUDS, Office, both_hear
from tests.sip.stack import Stack

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]
NUMBER = "+78432220003"


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest, stack: Stack) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and login of the new PBX, which has the numbers of Kazan."""
    name: str = request.param
    login = done(stack, "pbx", "add", name, "--preset", "asterisk", "--trust", "register")["login"]
    done(stack, "pbx", "swap", "old", name, "--city", "Kazan")
    yield name, login
    done(stack, "pbx", "undo")


def done(stack: Stack, *words: str) -> Any:
    run = stack.command(*words, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


async def until_registered(office: Office, name: str, count: int) -> None:
    async with asyncio.timeout(15):
        while True:
            listed = await asyncio.to_thread(done, office.stack, "pbx", "list")
            (row,) = [one for one in listed["pbxs"] if one["name"] == name]
            if len(row["registered"]) == count:
                return


async def test_it_is_rung_and_calls_out(
    world: World, office: Office, cloud: tuple[str, dict[str, str]]
) -> None:
    name, login = cloud
    kind = CHAN_SIP if "chan_sip" in name else PJSIP
    await Moving(office.stack, NUMBER).until_at(name)
    async with office.pbx(name, kind, transport=name[-3:], shows=NUMBER, login=login) as pbx:
        await until_registered(office, name, 1)
        if kind is CHAN_SIP:  # strangers hear nothing: it asked in vain until it had registered
            await pbx.until_trunk_up()
        async with office.phone("109", at=name) as phone, world.carrier("volga_city") as carrier:
            call = await carrier.calls(NUMBER)
            far = await phone.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            await far.bye()
            await call.until_over()
        async with (
            world.phone_network("volga_city") as outside,
            office.dialling("109", at=name) as phone,
        ):
            call = await phone.dials("89161234567")
            far = await outside.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            assert not re.search(r"(?i)authorization", far.invite.text)
            await far.bye()
            await call.until_over()
        said = await pbx.says(
            "sip show registry" if kind is CHAN_SIP else "pjsip show registrations"
        )
        assert re.search(r"\bRegistered", said)
        if kind is PJSIP:  # chan_sip has no word for leaving
            await pbx.says("pjsip send unregister portgate")
            await until_registered(office, name, 0)
