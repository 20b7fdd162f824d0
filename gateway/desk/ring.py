"""Rings an agent, then the client of a deal, and says what came of it; it writes to no call itself.

The agent's PBX is asked to place both calls: it dials the agent, and once they have answered the
deal, as that agent. So each leg crosses the gateway like one that somebody dialled, with all that
holds for it; the PBX carries the audio between them and hangs one up with the other, whatever
becomes of the daemon.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.calls.fold import Call
from gateway.desk.arrivals import Arrivals, within
from gateway.desk.socket import DeskError
from gateway.hooks.ami import Ami
from gateway.hooks.choose import hook
from gateway.hooks.said import Caller, HookError
from number_registry.deals import is_id
from number_registry.pbx_profile import Profile

AGENT_S = 45  # rings so long at most
CLIENT_S = 130.0  # a little longer than a call may ring (calls.no_answer_s)
LEG_S = 8.0  # from the agent's answer until the client's leg is there
TOLD_S = 1.0  # the journal may lag behind the PBX
_EXTENSION = re.compile(r"[0-9]{2,6}")


class Person(NamedTuple):
    """Who is rung: behind which PBX, and whether on a SIM of ours."""

    extension: str
    pbx: str
    has_sim: bool


class Result(msgspec.Struct, frozen=True):
    """``result``: connected; agent, client: that one was not reached, ``said`` why; dial: the PBX
    has no interface to ask. ``agent_call``, ``client_call``: our ids of the legs, where there are
    some: an agent at a phone of that PBX is rung by it alone.
    """

    result: Literal["connected", "agent", "client", "dial"]
    extension: str
    deal: str
    pbx: str
    said: str = ""
    agent_call: str = ""
    client_call: str = ""


class Ring:
    """``person``: by extension; ``profile``: of a PBX by name; both raise DeskError."""

    def __init__(
        self,
        arrivals: Arrivals,
        person: Callable[[str], Awaitable[Person]],
        profile: Callable[[str], Awaitable[Profile]],
        secrets: Path,
    ) -> None:
        self._arrivals, self._person, self._profile = arrivals, person, profile
        self._secrets = secrets

    async def verb(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request from the socket: extension, deal, perhaps pbx. Raises DeskError."""
        extension, deal = str(request.get("extension", "")), str(request.get("deal", ""))
        if not _EXTENSION.fullmatch(extension):
            raise DeskError(f"{extension!r} is no extension", "Give its digits, as 203")
        if not is_id(deal):
            raise DeskError(f"{deal!r} is no deal's id", "It has 3 to 9 digits: --deal 4711")
        person = await self._person(extension)
        pbx = str(request.get("pbx") or "") or person.pbx
        if not pbx:
            raise DeskError(f"{extension} is behind no PBX", "Name one to ask: --pbx NAME")
        done = await self.do(person._replace(pbx=pbx), deal)
        answer: dict[str, Any] = msgspec.to_builtins(done)
        return answer

    async def do(self, person: Person, deal: str) -> Result:
        """Raises DeskError where the PBX cannot be asked."""
        extension, pbx, has_sim = person
        result = Result("dial", extension, deal, pbx)
        first = f"{extension}*{deal}" if has_sim else extension
        now = time.time_ns() // 1000
        legs = {
            "agent": self._arrivals.expect(lambda one: _is(one, pbx, first, now)),
            "client": self._arrivals.expect(lambda one: _is(one, pbx, deal, now)),
            "agent over": self._arrivals.expect(
                lambda one: _is(one, pbx, first, now) and one.ended
            ),
            "client over": self._arrivals.expect(lambda one: _is_settled(one, pbx, deal, now)),
        }
        try:
            by = hook(pbx, await self._profile(pbx), self._secrets)
            if not isinstance(by, Ami):
                return result
            said = await by.ring(first, deal, Caller(extension, deal), AGENT_S)
            if not said.taken:
                over = await within(legs["agent over"], TOLD_S) if has_sim else None
                why = _why(over) if over is not None else said.words
                told = over.id if over is not None else ""
                return msgspec.structs.replace(result, result="agent", said=why, agent_call=told)
            agent = await within(legs["agent"], TOLD_S) if has_sim else None
            told = agent.id if agent is not None else ""
            return await self._client(msgspec.structs.replace(result, agent_call=told), legs)
        except HookError as error:
            raise DeskError(f"PBX {pbx}: {error}", f"{extension} dials {deal}") from error
        finally:
            for future in legs.values():
                future.cancel()

    async def _client(self, result: Result, legs: dict[str, asyncio.Future[Call]]) -> Result:
        """The agent has answered: what becomes of the client's leg."""
        missing = msgspec.structs.replace(result, result="client")
        begun = await within(legs["client"], LEG_S)
        if begun is None:
            said = f"PBX {result.pbx} did not dial {result.deal}: may it?"
            return msgspec.structs.replace(missing, said=said)
        missing = msgspec.structs.replace(missing, client_call=begun.id)
        settled = await within(legs["client over"], CLIENT_S)
        if settled is None:
            return msgspec.structs.replace(missing, said="no answer")
        if settled.answer is None:
            return msgspec.structs.replace(missing, said=_why(settled))
        return msgspec.structs.replace(missing, result="connected")


def _is(call: Call, pbx: str, digits: str, since: int) -> bool:
    start = call.start
    if start is None or start.t < since or start.dir != "out" or start.src != pbx:
        return False
    return start.called.replace("%2A", "*").replace("%2a", "*") == digits


def _is_settled(call: Call, pbx: str, digits: str, since: int) -> bool:
    return _is(call, pbx, digits, since) and (call.ended or call.answer is not None)


def _why(call: Call) -> str:
    """In a few words, without anybody's number."""
    if call.refused_at_once and call.start is not None:
        return call.start.rules[-1][1] if call.start.rules else str(call.start.status)
    end = call.end
    if end is None:
        return "it did not answer"
    if end.how == "cancel":
        return "it did not answer, or hung up first"
    return {486: "busy", 603: "declined", 408: "no answer", 480: "not reachable"}.get(
        end.status, f"refused with {end.status}"
    )
