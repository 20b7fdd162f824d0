"""One call as one far end lived it: messages, audio, orders; it knows no gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.endpoints import g711, sdp
from gateway.endpoints.message import SipMessage
from gateway.endpoints.sipp import EndpointError
from gateway.endpoints.voice import Voice

PATIENCE_S = 10.0
ANSWER_S = 2.0  # for an answer of our own; SIPp may have given up the call


class Leg:
    """The messages of one Call-ID in the order seen, and what can be done with the call.

    Waits end as soon as the awaited message is in SIPp's log; after `within` seconds they raise
    EndpointError that tells what was seen instead, and at once when an order was lost.
    """

    def __init__(
        self, call_id: str, voice: Voice, order: Callable[[str, str], Awaitable[None]]
    ) -> None:
        self.call_id = call_id
        self.voice = voice
        self.messages: list[SipMessage] = []
        self._order = order
        self._lost_order = ""
        self._news = asyncio.Event()
        self._mine: sdp.Audio | None = None
        self._theirs: sdp.Audio | None = None

    # what happened

    def note(self, message: SipMessage) -> None:
        """Called by the endpoint for each message of this call."""
        self.messages.append(message)
        self._follow_audio(message)
        self._news.set()

    def lose(self, words: str) -> None:
        """Called by the endpoint when an order came while SIPp could not take it."""
        self._lost_order = words
        self._news.set()

    def find(
        self, what: str | int, *, sent: bool | None = None, of: str = "", nth: int = 1
    ) -> SipMessage | None:
        """The nth message that is a request with this method or a response with this status.

        `of` narrows a response to those that answer this method. Retransmissions count once.
        """
        seen: set[tuple[object, ...]] = set()
        for message in self.messages:
            right = message.status == what if isinstance(what, int) else message.method == what
            if isinstance(what, str) and not message.is_request:
                right = False
            if not right or (sent is not None and message.sent != sent):
                continue
            if of and message.method != of:
                continue
            key = (message.start, message.header("CSeq"), message.header("Via"), message.body)
            if key in seen:
                continue
            seen.add(key)
            if len(seen) == nth:
                return message
        return None

    def sent(self, what: str | int, *, of: str = "", nth: int = 1) -> SipMessage | None:
        return self.find(what, sent=True, of=of, nth=nth)

    def received(self, what: str | int, *, of: str = "", nth: int = 1) -> SipMessage | None:
        return self.find(what, sent=False, of=of, nth=nth)

    @property
    def invite(self) -> SipMessage:
        found = self.find("INVITE")
        if found is None:
            raise EndpointError("this call has no INVITE")
        return found

    @property
    def final(self) -> SipMessage | None:
        """The final response to the first INVITE."""
        first = self.invite.cseq
        for message in self.messages:
            mine = message.method == "INVITE" and message.cseq == first
            if mine and (message.status or 0) >= 200:
                return message
        return None

    @property
    def final_status(self) -> int | None:
        return self.final.status if self.final is not None else None

    @property
    def answered(self) -> bool:
        return self.final_status == 200

    @property
    def over(self) -> bool:
        """A refusal was acknowledged, or a BYE was answered."""
        if self.final is None:
            return False
        if not self.answered:
            return self.find("ACK") is not None
        return any(
            (message.status or 0) >= 200 and message.method == "BYE" for message in self.messages
        )

    @property
    def post_dial_delay_ms(self) -> float | None:
        """From the INVITE to the first 180, 183 or 200, in milliseconds."""
        for message in self.messages:
            if message.status in (180, 181, 182, 183, 200) and message.method == "INVITE":
                return round((message.at - self.invite.at) * 1000, 1)
        return None

    @property
    def audio_offered(self) -> sdp.Audio | None:
        """The last audio description of the other side."""
        return self._theirs

    async def until(
        self,
        done: Callable[[Leg], bool],
        what: str,
        within: float = PATIENCE_S,
        *,
        quiet: bool = False,
    ) -> None:
        """Wait for a condition over the messages; `what` names it in the error.

        `quiet`: just return when the time is over, for a caller who looks at what there is.
        """
        try:
            async with asyncio.timeout(within):
                while not done(self):
                    if self._lost_order:
                        raise EndpointError(
                            f"order lost: {self._lost_order}; seen so far: {self.summary()}"
                        )
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            if quiet:
                return
            raise EndpointError(
                f"waited {within:g} s for {what}; seen so far: {self.summary()}"
            ) from None

    async def until_received(
        self, what: str | int, *, of: str = "", nth: int = 1, within: float = PATIENCE_S
    ) -> SipMessage:
        await self.until(
            lambda leg: leg.received(what, of=of, nth=nth) is not None, f"{what} {of}", within
        )
        found = self.received(what, of=of, nth=nth)
        assert found is not None
        return found

    async def until_final(self, within: float = PATIENCE_S) -> int:
        await self.until(lambda leg: leg.final is not None, "a final response", within)
        assert self.final_status is not None
        return self.final_status

    async def until_over(self, within: float = PATIENCE_S) -> None:
        await self.until(lambda leg: leg.over, "the end of the call", within)

    @property
    def _idle(self) -> bool:
        """Whether every request that came inside the call has its answer, as far as we know."""
        waiting: set[tuple[str, int]] = set()
        for message in self.messages:
            request = (message.method, message.cseq)
            if message.sent and (message.status or 0) >= 200:
                waiting.discard(request)
            elif not message.sent and message.is_request and message.method != "ACK":
                waiting.add(request)
        return waiting <= {("INVITE", self.invite.cseq)}  # the call itself may wait for an order

    def summary(self) -> str:
        arrows = (f"{'>' if one.sent else '<'} {one.label}" for one in self.messages)
        return ", ".join(arrows) or "nothing"

    # what to do

    async def order(self, words: str) -> None:
        """Anything the scenario understands; the named orders below are the usual ones.

        An order that meets the scenario while it makes up an answer would be lost, so that is
        waited for first; the scenario itself keeps one that comes before the ACK.
        """
        await self.until(lambda leg: leg._idle, "our answer", ANSWER_S, quiet=True)
        await self._order(self.call_id, words)

    async def bye(self, within: float = PATIENCE_S) -> None:
        """Hang up and wait until the other side has agreed."""
        await self.order("bye")
        await self.until_over(within)

    async def cancel(self) -> None:
        await self.order("cancel")

    async def hold(self, direction: str = "sendonly", within: float = PATIENCE_S) -> None:
        """re-INVITE with a new direction; waits for its 200."""
        await self._dialog_request("INVITE", f"reinvite {direction}", within)

    async def resume(self, within: float = PATIENCE_S) -> None:
        await self.hold("sendrecv", within)

    async def ask_offer(self, within: float = PATIENCE_S) -> None:
        """re-INVITE without SDP; the answer goes into the ACK."""
        await self._dialog_request("INVITE", "ask_offer", within)

    async def update(self, direction: str = "", within: float = PATIENCE_S) -> None:
        """UPDATE (RFC 3311), with SDP when a direction is given."""
        words = f"update_offer {direction}" if direction else "update"
        await self._dialog_request("UPDATE", words, within)

    async def info(self, digit: str, within: float = PATIENCE_S) -> None:
        """A key press as SIP INFO, application/dtmf-relay."""
        await self._dialog_request("INFO", f"info {digit}", within)

    async def _dialog_request(self, method: str, words: str, within: float) -> None:
        def answers(leg: Leg) -> int:
            return sum(
                1
                for one in leg.messages
                if not one.sent and (one.status or 0) >= 200 and one.method == method
            )

        before = answers(self)
        await self.order(words)
        await self.until(lambda leg: answers(leg) > before, f"an answer to {method}", within)

    # audio follows what was negotiated

    def _follow_audio(self, message: SipMessage) -> None:
        described = sdp.audio(message.body)
        if described is not None:
            if message.sent:
                self._mine = described
            else:
                self._theirs = described
        if self._mine is None or self._theirs is None:
            return  # nothing is agreed yet
        refused = (message.status or 0) >= 300 and message.method == "INVITE" and not self.answered
        if message.method == "BYE" or refused:
            self.voice.talking = False
            return
        if described is None:
            return
        theirs = self._theirs
        self.voice.remote = (theirs.address, theirs.port)
        self.voice.ear.telephone_event = self._mine.telephone_event
        self.voice.telephone_event = theirs.telephone_event
        known = [one for one in theirs.formats if one in (g711.PCMA, g711.PCMU)]
        if known:
            self.voice.payload_type = known[0]
        may_send = self._mine.direction in ("sendrecv", "sendonly")
        self.voice.talking = may_send and theirs.wants_audio
