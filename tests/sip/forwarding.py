"""A PBX that forwards: it takes a call of the gateway's and sends it back to it as a call of its
own, with a Call-ID, tags and Max-Forwards of its own, and joins what both sides say.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway.endpoints.message import SipMessage
from tests.sip.raw import Raw, answer, raw_socket, request

Headers = dict[str, str]
Forwards = Callable[[SipMessage], tuple[str, Headers]]


@dataclass
class Joined:
    """One call in, and the call out that it became."""

    came: SipMessage
    call_id: str
    ended: int = 0
    answered: SipMessage | None = None


@dataclass
class ForwardingPbx:
    """Runs while its socket is open. ``how``: from an INVITE to the user that it is forwarded to
    and the headers that the new one has.
    """

    raw: Raw
    address: str
    gateway: tuple[str, int]
    how: Forwards
    joined: dict[str, Joined] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                self._heard(await self.raw.hears(3600))

    def _heard(self, heard: SipMessage) -> None:
        if heard.status is None:
            if heard.method == "INVITE":
                self._forward(heard)
            elif heard.method in ("BYE", "CANCEL"):
                self.raw.sends(answer(heard, 200), self.gateway)
        elif heard.method == "INVITE" and (joined := self.joined.get(heard.call_id)):
            self._join(joined, heard)

    def _forward(self, came: SipMessage) -> None:
        if any(came.call_id == one.came.call_id for one in self.joined.values()):
            return  # a retransmission
        self.raw.sends(answer(came, 180), self.gateway)  # as one does who may take a while
        user, headers = self.how(came)
        call_id = f"{secrets.token_hex(8)}@{self.address}"
        facts = {"Call_ID": call_id, "Contact": f"<sip:pbx@{self.address}:5060>", **headers}
        uri = f"sip:{user}@{self.gateway[0]}"
        sent = request("INVITE", uri, f"{self.address}:5060", came.body, **facts)
        self.joined[call_id] = Joined(came, call_id)
        self.raw.sends(sent, self.gateway)

    def _join(self, joined: Joined, heard: SipMessage) -> None:
        assert heard.status is not None
        if heard.status < 200:
            if heard.status > 100:
                self.raw.sends(answer(joined.came, heard.status), self.gateway)
            return
        repeated, joined.ended = joined.ended, heard.status
        if heard.status < 300:
            joined.answered = heard
            self._acknowledge(heard)
        if not repeated:
            contact = f"Contact: <sip:pbx@{self.address}:5060>"
            kind = ["Content-Type: application/sdp"] if heard.body else []
            body = heard.body.encode()
            self.raw.sends(
                answer(joined.came, heard.status, contact, *kind, body=body), self.gateway
            )

    def _acknowledge(self, heard: SipMessage) -> None:
        routes = [part for value in heard.all("Record-Route") for part in value.split(",")]
        ack = request(
            "ACK", heard.header("Contact").strip("<>"), f"{self.address}:5060",
            Call_ID=heard.call_id, CSeq=f"{heard.cseq} ACK", From=heard.header("From"),
            To=heard.header("To"), Route=", ".join(reversed(routes)),
        )  # fmt: skip
        self.raw.sends(ack, self.gateway)

    def hang_up(self, joined: Joined) -> None:
        """End the leg that it sent."""
        heard = joined.answered
        assert heard is not None
        routes = [part for value in heard.all("Record-Route") for part in value.split(",")]
        bye = request(
            "BYE", heard.header("Contact").strip("<>"), f"{self.address}:5060",
            Call_ID=heard.call_id, CSeq=f"{heard.cseq + 1} BYE", From=heard.header("From"),
            To=heard.header("To"), Route=", ".join(reversed(routes)),
        )  # fmt: skip
        self.raw.sends(bye, self.gateway)


@asynccontextmanager
async def forwarding_pbx(
    address: str, gateway: tuple[str, int], how: Forwards
) -> AsyncIterator[ForwardingPbx]:
    """A PBX at this address, until it is left."""
    async with raw_socket(address, 5060) as raw:
        pbx = ForwardingPbx(raw, address, gateway, how)
        task = asyncio.create_task(pbx.run())
        try:
            yield pbx
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task  # what went wrong in it is said here
