"""A trunk is offered the codecs that its carrier's file names, transcoded where the caller has none
of them; each attempt has its own.
"""

from __future__ import annotations

import pytest

from gateway.endpoints import g711
from tests.sip.failover_trunks.conftest import Trunks
from tests.sip.people import both_hear

pytestmark = pytest.mark.asyncio

UFA = "+73472660008"


def payloads(sdp: str) -> list[str]:
    (media,) = [line for line in sdp.splitlines() if line.startswith("m=audio")]
    return media.split()[3:]


async def test_the_second_trunk_takes_another_codec_than_the_first(trunks: Trunks) -> None:
    async with (
        trunks.trunk("moscow", "overloaded") as first,
        trunks.trunk("spare", codecs=(g711.PCMU,)) as second,
        trunks.pbx_calling(codecs=(g711.PCMA,)) as pbx,
    ):
        call = await pbx.calls("89161234567", from_="101")
        assert await call.until_final() == 200
        far = await second.call()
        assert await both_hear(call, far)
        await call.hold()
        again = far.received("INVITE", nth=2)
        await call.bye()
        tried = await first.call()
    assert payloads(tried.invite.body)[0] == "8"
    assert payloads(far.invite.body) == ["0", "101"]
    assert again is not None and payloads(again.body)[0] == "0"


async def test_a_trunk_is_offered_its_own_codecs_only(trunks: Trunks) -> None:
    async with (
        trunks.trunk("ural ufa", codecs=(g711.PCMA,)) as ufa,
        trunks.pbx_calling(codecs=(g711.PCMU,)) as pbx,
    ):
        call = await pbx.calls("89161234567", from_=UFA)
        assert await call.until_final() == 200
        far = await ufa.call()
        assert await both_hear(call, far)
        await call.bye()
    assert payloads(far.invite.body) == ["8", "18", "101"]
