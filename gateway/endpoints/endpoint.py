"""A carrier or a PBX for test calls: SIP by SIPp, audio by us; knows no registry, no gateway."""

from __future__ import annotations

import asyncio
import errno
from types import TracebackType
from typing import Self

from gateway.endpoints import g711, tone
from gateway.endpoints.leg import PATIENCE_S, Leg
from gateway.endpoints.message import SipMessage
from gateway.endpoints.script import AnswerScript, CallScript, Place, render
from gateway.endpoints.sipp import EndpointError, SippProcess
from gateway.endpoints.voice import Voice, open_voice


class Endpoint:
    """Common to both ends: one SIPp process, one audio port, and the calls seen.

    `claims` is the address it writes into Via, Contact and SDP when that is not its own: a device
    behind NAT. Use as `async with`; everything it started ends with it.
    """

    _hz: int

    def __init__(
        self,
        address: str,
        port: int = 5060,
        *,
        name: str = "",
        transport: str = "udp",
        claims: str = "",
        codecs: tuple[int, ...] = (g711.PCMA, g711.PCMU),
        hz: int | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self.name = name or type(self).__name__.lower()
        self.transport = transport
        self.claims = claims or address
        self.codecs = codecs
        self.hz = hz if hz is not None else self._hz
        self.legs: dict[str, Leg] = {}
        self.messages: list[SipMessage] = []
        self._voice: Voice | None = None
        self._sipp: SippProcess | None = None
        self._news = asyncio.Event()

    @property
    def voice(self) -> Voice:
        if self._voice is None:
            raise EndpointError(f"{self.name} was not started")
        return self._voice

    @property
    def errors(self) -> list[str]:
        """What SIPp found unexpected, in its own words."""
        return self._sipp.errors if self._sipp is not None else []

    @property
    def pid(self) -> int:
        if self._sipp is None:
            raise EndpointError(f"{self.name} was not started")
        return self._sipp.pid

    async def __aenter__(self) -> Self:
        try:
            self._voice = await open_voice(self.address, self.hz)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            why = f"{self.name} would stand at {self.address}, which this machine does not have"
            raise EndpointError(why) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sipp is not None:
            await self._sipp.close()
        if self._voice is not None:
            self._voice.close()

    async def _run(
        self,
        script: CallScript | AnswerScript,
        user: str,
        remote: str = "",
        calls: int = 0,
        call_id: str = "",
    ) -> None:
        if self._sipp is not None:
            await self._sipp.close()
        place = Place(
            host=self.claims,
            transport=self.transport,
            media_host=self.claims,
            media_port=self.voice.address[1],
            agent=f"Portgate test endpoint {self.name}",
            contact_user=user,
            codecs=self.codecs,
        )
        self._sipp = SippProcess(
            address=self.address,
            port=self.port,
            transport=self.transport,
            on_message=self._note,
            on_lost_order=self._lose,
        )
        await self._sipp.start(render(script, place), remote=remote, calls=calls, call_id=call_id)

    def _note(self, message: SipMessage) -> None:
        self.messages.append(message)
        leg = self.legs.get(message.call_id)
        if leg is None:
            if not (message.is_request and message.method == "INVITE"):
                return  # a check whether we are alive, or something late of a call before us
            leg = Leg(message.call_id, self.voice, self._order)
            self.legs[message.call_id] = leg
        leg.note(message)
        self._news.set()

    def _lose(self, call_id: str, words: str) -> None:
        self.legs[call_id].lose(words)

    async def _order(self, call_id: str, words: str) -> None:
        assert self._sipp is not None
        await self._sipp.order(call_id, words)

    async def nth_leg(self, number: int, within: float) -> Leg:
        """The call that came or went as the nth since the start, 1 for the first."""
        try:
            async with asyncio.timeout(within):
                while len(self.legs) < number:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise EndpointError(
                f"{self.name} waited {within:g} s for a call; "
                + (" ".join(self.errors[-3:]) or "nothing came")
            ) from None
        return list(self.legs.values())[number - 1]


class Caller(Endpoint):
    """Places calls, one at a time. The tone it says is tone.CALLER_HZ."""

    _hz = tone.CALLER_HZ

    async def invites(
        self, script: CallScript, to: tuple[str, int], *, user: str = "caller", call_id: str = ""
    ) -> Leg:
        """Send the INVITE to `to` (address, port) and return the call as soon as it was sent.

        Without a `call_id` SIPp makes one.
        """
        before = len(self.legs)
        await self._run(script, user, remote=f"{to[0]}:{to[1]}", calls=1, call_id=call_id)
        return await self.nth_leg(before + 1, PATIENCE_S)


class Callee(Endpoint):
    """Waits for calls and treats each by its script. The tone it says is tone.CALLEE_HZ."""

    _hz = tone.CALLEE_HZ

    def __init__(
        self, address: str, port: int = 5060, *, script: AnswerScript | None = None, **rest: object
    ) -> None:
        super().__init__(address, port, **rest)  # type: ignore[arg-type]
        self.script = script or AnswerScript()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            await self._run(self.script, "callee")
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def call(self, number: int = 1, within: float = PATIENCE_S) -> Leg:
        """The nth call that arrived, as soon as it has."""
        return await self.nth_leg(number, within)
