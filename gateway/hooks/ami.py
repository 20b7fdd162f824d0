"""Asterisk's manager interface: one connection for one request; it knows no call but by the SIP
Call-ID of its leg.

The client's own channel is redirected. Asterisk then hangs the other side of its bridge up, so the
operator is free; a REFER on the client's leg would move the operator instead.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from gateway.hooks.said import Caller, HookError, Leg, Place, Said

ANSWER_S = 5.0
CHANNELS_MOST = 5000
# How each of Asterisk's SIP stacks tells the Call-ID of a channel.
_CALL_ID = {"PJSIP": "CHANNEL(pjsip,call-id)", "SIP": "SIPCALLID"}

Answer = dict[str, str]


class Ami:
    """``place.at``: HOST:PORT. The manager account needs read and write of call and reporting, and
    originate where it is to ring somebody.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    async def transfer(self, leg: Leg, digits: str) -> Said:
        """As `Hook.transfer` says."""
        async with _session(self._place) as session:
            channel = await session.channel_of(leg.sip_call_id)
            if channel is None:
                return Said(False, "the PBX has no channel of this call any more")
            answer = await session.ask(
                "Redirect",
                Channel=channel,
                Context=self._place.context,
                Exten=digits,
                Priority="1",
            )
            return Said(answer.get("Response") == "Success", answer.get("Message", ""))

    async def ring(self, first: str, then: str, caller: Caller, seconds: int) -> Said:
        """As `Hook.ring` says: taken when the first has answered."""
        context = self._place.context
        async with _session(self._place, seconds + ANSWER_S) as session:
            answer = await session.ask(
                "Originate",
                Channel=f"Local/{first}@{context}",
                Context=context,
                Exten=then,
                Priority="1",
                CallerID=f'"{caller.name}" <{caller.extension}>',
                Timeout=str(seconds * 1000),
            )
            return Said(answer.get("Response") == "Success", answer.get("Message", ""))


class _Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)

    async def ask(self, action: str, **fields: str) -> Answer:
        """One action and its answer."""
        number = self._send(action, fields)
        while True:
            answer = await self._read()
            if answer.get("ActionID") == number and "Response" in answer:
                return answer

    def _send(self, action: str, fields: Mapping[str, str]) -> str:
        number = str(next(self._numbers))
        lines = [f"Action: {action}", f"ActionID: {number}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise HookError("a line break in what the PBX would be asked")
        self._writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        return number

    async def _read(self) -> Answer:
        """The next answer or event: lines up to an empty one."""
        answer: Answer = {}
        while line := (await self._reader.readline()).decode("utf-8", "replace").rstrip("\r\n"):
            name, _, value = line.partition(":")
            answer[name] = value.strip()
        if not answer and self._reader.at_eof():
            raise HookError("the PBX closed its manager interface")
        return answer

    async def channels(self) -> list[str]:
        """Names of all channels."""
        number = self._send("CoreShowChannels", {})
        found: list[str] = []
        while len(found) < CHANNELS_MOST:
            answer = await self._read()
            if answer.get("ActionID") != number:
                continue
            if answer.get("Response") == "Error":
                raise HookError(f"the PBX does not list its channels: {answer.get('Message')}")
            if answer.get("Event") == "CoreShowChannel":
                found.append(answer.get("Channel", ""))
            elif answer.get("Event") == "CoreShowChannelsComplete":
                break
        return found

    async def channel_of(self, sip_call_id: str) -> str | None:
        """The channel whose SIP leg has this Call-ID. All are asked at once."""
        asked: dict[str, str] = {}
        for channel in await self.channels():
            variable = _CALL_ID.get(channel.partition("/")[0])
            if variable is not None:
                number = self._send("Getvar", {"Channel": channel, "Variable": variable})
                asked[number] = channel
        while asked:
            answer = await self._read()
            channel = asked.pop(answer.get("ActionID", ""), "")
            if channel and answer.get("Value") == sip_call_id:
                return channel
        return None


@asynccontextmanager
async def _session(place: Place, seconds: float = ANSWER_S) -> AsyncIterator[_Session]:
    """Logged in, for so long at most. Raises HookError."""
    host, _, port = place.at.rpartition(":")
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                await reader.readline()  # its greeting
                session = _Session(reader, writer)
                login = await session.ask(
                    "Login", Username=place.user, Secret=place.secret, Events="off"
                )
                if login.get("Response") != "Success":
                    raise HookError(f"the PBX does not let {place.user!r} in")
                yield session
            finally:
                writer.close()
    except TimeoutError as error:
        raise HookError(f"{place.at} did not answer in {seconds:g} s") from error
    except (OSError, ValueError) as error:
        raise HookError(f"{place.at} cannot be reached: {error}") from error
