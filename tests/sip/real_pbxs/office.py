"""The company's two real PBXs with their phones, placed where the demo company has its PBXs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.endpoints import AnswerScript, Callee, Caller, CallScript, Leg
from tests.sip import people
from tests.sip.people import PBXS, World, answering
from tests.sip.real_pbxs.asterisk import CHAN_SIP, PJSIP, Asterisk, Kind

# Which program is which PBX of the demo company. Of all Debian suites Asterisk alone is there to be
# had (no FreeSWITCH, no Yate), so the two kinds are its two SIP stacks, written years apart by
# different people: chan_sip, gone from Asterisk since 21, and PJSIP, over the library pjproject.
# They differ in all that a gateway meets: headers, re-INVITEs, hold, refusals, timers.
KINDS: dict[str, Kind] = {"old": CHAN_SIP, "old second": CHAN_SIP, "new": PJSIP}
# PBXs that register, each kind by each transport.
CLOUDS = {
    "cloud-chan_sip-udp": 43,
    "cloud-chan_sip-tcp": 44,
    "cloud-pjsip-udp": 45,
    "cloud-pjsip-tcp": 46,
}
HOSTS = {**PBXS, "third": 41, "fourth": 42, **CLOUDS}
# Extension 101 shows its own number, the others that of the city.
PHONES = {
    "old": {"101": 51, "102": 52},
    "old second": {"101": 51, "102": 52},
    "new": {"103": 61, "107": 62},
    "third": {"109": 71},
    "fourth": {"109": 71},
    **{name: {"109": 71} for name in CLOUDS},
}


class Office:
    """What a story needs beside carriers: `async with office.pbx("old") as old`."""

    def __init__(self, world: World, roots: dict[str, Path]) -> None:
        self.world, self.stack, self.roots = world, world.stack, roots

    @asynccontextmanager
    async def pbx(
        self, name: str, kind: Kind | None = None, **rest: Any
    ) -> AsyncIterator[Asterisk]:
        """The PBX of this name, running; another kind than usual where told. `rest` as in
        `Asterisk`.
        """
        kind = kind or KINDS[name]
        phones = {phone: self.stack.host(last) for phone, last in PHONES[name].items()}
        where = self.stack.host(HOSTS[name]), self.stack.address[0]
        plain = name.replace(" ", "-")
        async with Asterisk(kind, self.roots[kind.suite], plain, *where, phones, **rest) as found:
            yield found

    def phone(
        self, extension: str, how: str | AnswerScript = "answer", *, at: str = "old"
    ) -> Callee:
        """A phone that will be rung."""
        return answering(self.stack, PHONES[at][extension], f"phone {extension}", how)

    def dialling(self, extension: str, *, at: str = "old") -> Dialling:
        """A phone on which somebody will dial."""
        return Dialling(self, extension, at)


class Dialling(Caller):
    """A phone that places calls through its PBX."""

    def __init__(self, office: Office, extension: str, pbx: str) -> None:
        address = office.stack.host(PHONES[pbx][extension])
        super().__init__(address, name=f"phone {extension}")
        self.extension, self.pbx = extension, office.stack.host(HOSTS[pbx])

    async def dials(self, digits: str) -> Leg:
        script = CallScript(
            request_uri=f"sip:{digits}@{self.pbx}",
            from_header=f"<sip:{self.extension}@{self.pbx}>",
            to_header=f"<sip:{digits}@{self.pbx}>",
        )
        return await self.invites(script, (self.pbx, 5060), user=self.extension)


async def both_hear(near: Leg, far: Leg) -> bool:
    """Each side hears the tone of the other, unbroken.

    A second look, at what comes from then on, because Asterisk changes its RTP once when it joins
    two legs: it goes on with the sequence numbers of the other leg, which looks like a great loss.
    """
    if await people.both_hear(near, far):
        return True
    near.voice.ear.forget()
    far.voice.ear.forget()
    return await people.both_hear(near, far)
