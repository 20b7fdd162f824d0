"""What a real PBX tells on its trunk of the people behind it stays on our side of the gateway."""

from __future__ import annotations

import pytest

from gateway.endpoints import Leg
from tests.sip.people import World
from tests.sip.real_pbxs.asterisk import Asterisk
from tests.sip.real_pbxs.office import Office, both_hear

pytestmark = [pytest.mark.asyncio, pytest.mark.pbx]
MOSCOW = {"old": "+74951230003", "new": "+74951230015"}
SIDES = pytest.mark.parametrize(("name", "extension"), [("old", "101"), ("new", "103")])


def heard_of(leg: Leg, *words: str) -> list[str]:
    """Lines of what this far end received that hold any of these words."""
    lines = [
        line
        for message in leg.messages
        if not message.sent
        for line in (message.start, *(f"{name}: {value}" for name, value in message.headers))
    ]
    return [line for line in lines if any(word in line for word in words)]


async def transfer(pbx: Asterisk, to: str) -> None:
    """The caller of the one call through the trunk goes to this extension."""
    listed = await pbx.says("core show channels concise")
    trunk = next(line.split("!")[0] for line in listed.splitlines() if "/portgate-" in line)
    await pbx.says(f"channel redirect {trunk} from-phones,{to},1")


@SIDES
async def test_who_answered_is_not_told_outside(
    world: World, office: Office, name: str, extension: str
) -> None:
    async with (
        office.pbx(name, tells_who=True),
        office.phone(extension, at=name) as phone,
        world.carrier("northline") as carrier,
    ):
        call = await carrier.calls(MOSCOW[name])
        far = await phone.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await call.bye()
    assert heard_of(call, "Extension", f"sip:{extension}@") == []


@pytest.mark.parametrize(
    ("name", "extension", "colleague"), [("old", "101", "102"), ("new", "103", "107")]
)
async def test_a_caller_who_is_transferred_is_not_told_to_whom(
    world: World, office: Office, name: str, extension: str, colleague: str
) -> None:
    async with (
        office.pbx(name, tells_who=True) as pbx,
        office.phone(extension, at=name) as first,
        office.phone(colleague, at=name) as second,
        world.carrier("northline") as carrier,
    ):
        call = await carrier.calls(MOSCOW[name])
        far = await first.call()
        assert await call.until_final() == 200
        assert await both_hear(call, far)
        await transfer(pbx, colleague)
        await far.until_over()
        call.voice.ear.forget()
        assert await both_hear(call, await second.call())
        # chan_sip tells the new one by re-INVITE, PJSIP by UPDATE where the other side allows it
        told = [one.start for one in call.messages if not one.sent and one.is_request]
        await call.bye()
    assert (name == "new") or told, told
    assert heard_of(call, "Extension", f"sip:{extension}@", f"sip:{colleague}@") == []
