"""The only hands that touch a live call: they end it on both sides, and decide nothing.

Seen on Kamailio 5.6.3: `tm.t_uac_start` sends our BYE from Kamailio's own socket with the tags,
Call-ID, CSeq and Route set that it is given, and repeats it until it is answered. But it appends a
second tag to a From that has one (kamailio pull request 3251, mended after 5.6). Kamailio's
callback for local requests (kemi/router.py) takes that off again; 6.0 does not need it and is not
hurt by it. `tm.cancel` cancels a set-up by its Call-ID and CSeq; the caller then hears 487.
"""

from __future__ import annotations

import time
from typing import Literal

import structlog

from gateway.calls import events
from gateway.calls.dialog import NoDialogError, bye
from gateway.calls.events import End, Party
from gateway.calls.fold import Call
from gateway.calls.journal import Writer
from gateway.kamailio_rpc import KamailioRpc, RpcError
from gateway.rtpengine_ng import Ng, NgError

# ITU-T Q.850: 16 normal call clearing, 102 recovery on timer expiry.
_Q850 = {"bye": 16, "timeout": 102}
_SIDES: tuple[Party, Party] = ("a", "b")

_log = structlog.get_logger("gateway.calls")


class Control:
    """Acts through one host's Kamailio and rtpengine; `ng` is None where no audio is relayed."""

    def __init__(self, rpc: KamailioRpc, ng: Ng | None, writer: Writer) -> None:
        self._rpc, self._ng, self._writer = rpc, ng, writer

    async def hang_up(
        self, call: Call, reason: str, how: Literal["bye", "timeout"] = "bye", *, media: bool = True
    ) -> None:
        """End the call on both sides; `reason` is for the record, the sides do not hear it.

        Recorded after the BYEs are on their way: killed in between, the next daemon finds the call
        still up and says BYE again, which the far side answers with 481. `media=False` when
        rtpengine has lost the call already. Raises KamailioGoneError, and then nothing is recorded.
        """
        if call.ended:
            return
        if call.answer is None:
            await self._give_up(call, reason)
            return
        now = _now()
        for side in _SIDES:
            await self._bye(call, side, how)
        if media:
            await self._delete_media(call)
        self._record(End(c=call.id, t=now, side="gw", how=how, reason=reason))

    def close_lost(self, call: Call, reason: str) -> None:
        """Record that a call was never answered although nobody will say so any more."""
        if not call.ended:
            self._record(End(c=call.id, t=_now(), side="gw", how="failed", reason=reason))

    async def _bye(self, call: Call, side: Party, how: str) -> None:
        try:
            await self._rpc.ask("tm.t_uac_start", *bye(call, side, _Q850[how]))
        except (NoDialogError, RpcError) as error:
            # The other side must be told all the same, and asking again would change nothing.
            _log.error("bye not sent", call=call.id, side=side, error=str(error))

    async def _give_up(self, call: Call, reason: str) -> None:
        """A call that is not answered yet: Kamailio cancels what it has sent (RFC 3261, 9.1)."""
        now = _now()
        if call.start is not None:
            try:
                await self._rpc.ask("tm.cancel", call.start.cid, str(call.start.cseq))
            except RpcError as error:
                _log.warning("nothing to cancel", call=call.id, error=str(error))
        await self._delete_media(call)
        self._record(End(c=call.id, t=now, side="gw", how="cancel", status=487, reason=reason))

    async def _delete_media(self, call: Call) -> None:
        if self._ng is None or call.start is None or not call.start.media:
            return
        try:
            await self._ng.delete(call.id)
        except NgError as error:
            # rtpengine forgets a call without packets by itself.
            _log.warning("media not deleted", call=call.id, error=str(error))

    def _record(self, end: End) -> None:
        self._writer.write(events.line(end))
        _log.info("call ended by the gateway", call=end.c, how=end.how, reason=end.reason)


def _now() -> int:
    return time.time_ns() // 1000
