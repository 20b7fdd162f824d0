"""The far ends of the SIP stories, placed where the demo company has them, writing as they do."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.endpoints import ANSWERS, AnswerScript, Callee, Caller, CallScript, Leg, tone
from gateway.trial.plan import as_written
from number_registry.e164 import E164
from tests.sip.stack import Stack

CARRIERS = {"northline": 11, "volga_city": 12}
PBXS = {"old": 21, "old second": 22, "new": 31}


class Calling(Caller):
    """A far end that places calls through the gateway."""

    def __init__(self, stack: Stack, last: int, **rest: Any) -> None:
        super().__init__(stack.host(last), **rest)
        self.stack = stack

    async def sends(
        self, request_user: str, from_user: str, *, call_id: str = "", **script: Any
    ) -> Leg:
        """An INVITE with exactly these user parts; `script` as in CallScript."""
        us = f"{self.stack.address[0]}:{self.stack.address[1]}"
        defaults = {
            "request_uri": f"sip:{request_user}@{us}",
            "from_header": f"<sip:{from_user}@{self.address}>",
            "to_header": f"<sip:{request_user}@{us}>",
        }
        call = CallScript(**{**defaults, **script})
        return await self.invites(call, self.stack.address, call_id=call_id)


class CarrierCalling(Calling):
    """A carrier that brings a call to one of our numbers, written as this carrier writes."""

    def __init__(self, stack: Stack, carrier: str, **rest: Any) -> None:
        super().__init__(stack, CARRIERS[carrier], name=carrier, **rest)
        self.carrier = carrier

    async def calls(self, to: str, *, from_: str = "+79160000001", **script: Any) -> Leg:
        facts = self.stack.known()
        number, sender = E164(to.removeprefix("+")), E164(from_.removeprefix("+"))
        trunk = facts.trunk_of_number(self.carrier, number)
        assert trunk is not None
        invite = as_written(facts.carriers[self.carrier], trunk, number, sender)
        named = dict(invite.headers)
        from_user = named.pop("From")
        headers = [f"{name}: <sip:{user}@{self.address}>" for name, user in named.items()]
        headers += script.pop("headers", ())
        return await self.sends(invite.request_user, from_user, headers=tuple(headers), **script)


class PbxCalling(Calling):
    """A PBX from which somebody calls out."""

    def __init__(self, stack: Stack, pbx: str, **rest: Any) -> None:
        super().__init__(stack, PBXS[pbx], name=pbx, **rest)

    async def calls(self, to: str, *, from_: str = "101", **script: Any) -> Leg:
        return await self.sends(to, from_, **script)


def answering(stack: Stack, last: int, name: str, how: str | AnswerScript, **rest: Any) -> Callee:
    script = ANSWERS[how] if isinstance(how, str) else how
    return Callee(stack.host(last), script=script, name=name, **rest)


class World:
    """What a story needs: `async with world.carrier() as carrier, world.pbx() as pbx:`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def carrier(self, name: str = "northline", **rest: Any) -> CarrierCalling:
        """A carrier that will call us."""
        return CarrierCalling(self.stack, name, **rest)

    def pbx(self, name: str = "old", how: str | AnswerScript = "answer", **rest: Any) -> Callee:
        """A PBX that will be called."""
        return answering(self.stack, PBXS[name], name, how, **rest)

    def pbx_calling(self, name: str = "old", **rest: Any) -> PbxCalling:
        """A PBX that will call out."""
        return PbxCalling(self.stack, name, **rest)

    def phone_network(
        self, carrier: str = "northline", how: str | AnswerScript = "answer", **rest: Any
    ) -> Callee:
        """A carrier that will be called."""
        return answering(self.stack, CARRIERS[carrier], carrier, how, **rest)

    async def record(self, leg: Leg) -> dict[str, Any]:
        """The finished record of a call, found by what its caller knows of it."""
        return await self.stack.record(leg.call_id)


async def both_hear(near: Leg, far: Leg) -> bool:
    """Each side hears the tone of the other, long enough and unbroken."""
    heard = await asyncio.gather(far.voice.hears(tone.CALLER_HZ), near.voice.hears(tone.CALLEE_HZ))
    if not all(heard):
        print(f"caller {near.voice.story()}; callee {far.voice.story()}")
        print(f"caller {near.summary()}; callee {far.summary()}")
    return all(heard)


async def neither_hears_anew(near: Leg, far: Leg, within: float) -> bool:
    """From now on nothing more arrives at either side."""
    near.voice.ear.forget()
    far.voice.ear.forget()
    await asyncio.gather(
        far.voice.hears(tone.CALLER_HZ, within=within),
        near.voice.hears(tone.CALLEE_HZ, within=within),
    )
    return near.voice.ear.packets == far.voice.ear.packets == 0
