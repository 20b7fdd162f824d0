"""Has the client of a live call sent to somebody else by their PBX, and says what came of it; it
writes to no call itself.

The PBX is asked through the interface of its profile. A REFER on the client's leg would move the
operator, so none is ever sent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import structlog

from gateway.calls.fold import Call
from gateway.desk.arrivals import Arrivals, within
from gateway.desk.finding import at_pbx, find
from gateway.desk.socket import DeskError
from gateway.hooks.choose import hook
from gateway.hooks.said import HookError
from number_registry.deals import is_id
from number_registry.pbx_profile import Profile

ARRIVES_S = 8.0
_EXTENSION = re.compile(r"[0-9]{1,8}")
_log = structlog.get_logger("gateway.desk")


class Result(msgspec.Struct, frozen=True):
    """``result``: done: the leg has arrived; asked: the PBX said yes, and nothing came; refused: by
    the PBX, or by us when the leg arrived; dial: it has no interface: the operator dials
    ``digits``. ``said``: the words of whoever refused. ``leg``: the call that arrived.
    """

    result: Literal["done", "asked", "refused", "dial"]
    call: str
    pbx: str
    digits: str
    said: str = ""
    leg: str = ""


class Transfer:
    """``calls``: those that are up now. ``profile``: of a PBX, by its name. ``secrets``: folder."""

    def __init__(
        self,
        calls: Callable[[], Mapping[str, Call]],
        arrivals: Arrivals,
        profile: Callable[[str], Awaitable[Profile]],
        secrets: Path,
    ) -> None:
        self._calls, self._arrivals, self._profile = calls, arrivals, profile
        self._secrets = secrets

    async def verb(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request from the socket: call, to, deal. Raises DeskError."""
        digits = what_to_dial(str(request.get("to", "")), str(request.get("deal") or ""))
        done = await self.do(str(request.get("call", "")), digits)
        answer: dict[str, Any] = msgspec.to_builtins(done)
        return answer

    async def do(self, wanted: str, digits: str) -> Result:
        """``wanted``: as `finding.find` takes it. Raises DeskError."""
        call = find(self._calls(), wanted)
        pbx, leg = at_pbx(call)
        result = Result("dial", call.id, pbx, digits)
        try:
            by = hook(pbx, await self._profile(pbx), self._secrets)
            if by is None:
                return result
            now = time.time_ns() // 1000
            coming = self._arrivals.expect(lambda one: _is_leg(one, pbx, digits, now))
            try:
                said = await by.transfer(leg, digits)
            except BaseException:
                coming.cancel()
                raise
        except HookError as error:
            raise DeskError(f"PBX {pbx}: {error}", f"Dial {digits} there") from error
        _log.info("transfer", call=call.id, pbx=pbx, taken=said.taken, said=said.words)
        result = msgspec.structs.replace(result, said=said.words)
        if not said.taken:
            coming.cancel()
            return msgspec.structs.replace(result, result="refused")
        arrived = await within(coming, ARRIVES_S)
        if arrived is None:
            return msgspec.structs.replace(result, result="asked")
        if arrived.start is not None and arrived.refused_at_once:
            why = arrived.start.rules[-1][1] if arrived.start.rules else str(arrived.start.status)
            return msgspec.structs.replace(result, result="refused", said=why, leg=arrived.id)
        return msgspec.structs.replace(result, result="done", leg=arrived.id)


def what_to_dial(to: str, deal: str) -> str:
    """``203*4711``, or ``203`` without a deal. Raises DeskError."""
    if not _EXTENSION.fullmatch(to):
        raise DeskError(f"{to!r} is no extension", "Give its digits: --to 203")
    if deal and not is_id(deal):
        raise DeskError(f"{deal!r} is no deal's id", "It has 3 to 9 digits: --deal 4711")
    return f"{to}*{deal}" if deal else to


def _is_leg(call: Call, pbx: str, digits: str, since: int) -> bool:
    start = call.start
    if start is None or start.t < since or start.dir != "out" or start.src != pbx:
        return False
    return start.called.replace("%2A", "*").replace("%2a", "*") == digits
