"""A PBX is bought, added by a preset, reached by UDP or TCP, and gets its first numbers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sip.moving import Moving
from tests.sip.people import World
from tests.sip.real_pbxs.asterisk import CHAN_SIP, PJSIP, Kind
from tests.sip.real_pbxs.office import HOSTS, Office, both_hear
from tests.sip.stack import Stack

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]
NUMBER = "+78432220003"
TRANSPORTS = {"third": "udp", "fourth": "tcp"}


@pytest.fixture(scope="module", params=["third", "fourth"])
def added(request: pytest.FixtureRequest, stack: Stack) -> Iterator[str]:
    """Name of the new PBX; the third is reached over UDP, the fourth over TCP."""
    name: str = request.param
    where = f"sip:{stack.host(HOSTS[name])}:5060;transport={TRANSPORTS[name]}"
    does(stack, "pbx", "add", name, where, "--preset", "asterisk")
    does(stack, "pbx", "swap", "old", name, "--city", "Kazan")
    yield name
    does(stack, "pbx", "undo")


def does(stack: Stack, *words: str) -> None:
    done = stack.command(*words)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", [CHAN_SIP, PJSIP], ids=lambda kind: kind.name)
async def test_it_is_rung_and_calls_out(
    world: World, office: Office, added: str, kind: Kind
) -> None:
    await Moving(office.stack, NUMBER).until_at(added)
    async with office.pbx(added, kind, transport=TRANSPORTS[added], shows=NUMBER):
        async with office.phone("109", at=added) as phone, world.carrier("volga_city") as carrier:
            call = await carrier.calls(NUMBER)
            far = await phone.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            await far.bye()
            await call.until_over()
        async with (
            world.phone_network("volga_city") as outside,
            office.dialling("109", at=added) as phone,
        ):
            call = await phone.dials("89161234567")
            far = await outside.call()
            assert await call.until_final() == 200
            assert await both_hear(call, far)
            await far.bye()
            await call.until_over()
