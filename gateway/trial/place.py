"""Places a planned call for real, judges its audio, awaits its record; decides nothing."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from gateway.endpoints import ANSWERS, Callee, Caller, CallScript, Leg, tone
from gateway.endpoints.message import SipMessage
from gateway.endpoints.sipp import EndpointError, is_bound
from gateway.home import Home
from gateway.trial.known import Known
from gateway.trial.plan import Plan
from gateway.trial.result import Audio, CallResult, Step, kind
from number_registry.call import ToPbx, lot_of
from number_registry.model import Address
from number_registry.store.pool import connect
from number_registry.store.queries import SQL

TALK_S = 1.2
RING_S = 1.0  # a call that will not be answered rings so long before the caller gives up
SETUP_S = 20.0
RECORD_S = 8.0
POLL_S = 0.02
# What mends a far side that cannot be taken: somebody else's address, or one that is in use.
NEEDS = (
    "Test endpoints take the places of carriers and PBXs: the addresses must be of this machine, "
    "and free. Try with loopback ones (127.0.64.2), then call through the real ones by telephone"
)
CALLER_PORT = 5062  # where the caller sits when its own port is the far side's too


@dataclass(frozen=True)
class Wishes:
    """How the far side shall behave. `dead` addresses of it are left without an endpoint."""

    answer: str = "answer"
    dead: int = 0


@dataclass(frozen=True)
class Trial:
    """All that was seen: the result for scripts, and both legs for people."""

    result: CallResult
    near: Leg
    far: Leg | None
    caller: str  # the name of the side that called

    @property
    def before(self) -> SipMessage:
        """The INVITE as the caller sent it."""
        return self.near.invite

    @property
    def after(self) -> SipMessage | None:
        """The INVITE as the far side received it."""
        return self.far.invite if self.far is not None else None


async def place(home: Home, known: Known, plan: Plan, wishes: Wishes = Wishes()) -> Trial:
    """Raises EndpointError when a test endpoint cannot be started where the registry has it."""
    started = time.time()
    async with AsyncExitStack() as stack:
        callee = await _callee(stack, plan, wishes)
        caller = await stack.enter_async_context(_caller(plan, callee))
        gateway = (known.inside.address, known.inside.port)
        drawn = call_id_of(plan.read.lot)
        near = await caller.invites(
            script(plan, known), gateway, user=plan.peer.name, call_id=drawn
        )
        far, audio = await _lived(near, callee, wishes)
        record = await record_of(home, near.call_id, started)
    return Trial(_result(plan, near, far, audio, record), near, far, plan.peer.name)


def call_id_of(lot: int) -> str:
    """A fresh Call-ID that draws this lot, so that the call goes where its plan says."""
    while lot_of(found := f"{uuid4().hex}@portgate.test") != lot:
        continue
    return found


def script(plan: Plan, known: Known) -> CallScript:
    """The INVITE as its sender writes it."""
    us = f"{known.inside.us}:{known.inside.port}"
    invite, host = plan.invite, plan.source.host
    named = {**invite.headers}
    from_user = named.pop("From")
    return CallScript(
        request_uri=f"sip:{invite.request_user}@{us}",
        from_header=f"<sip:{from_user}@{host}>",
        to_header=f"<sip:{invite.to_user}@{known.inside.us}>",
        headers=tuple(f"{name}: <sip:{user}@{host}>" for name, user in named.items()),
    )


async def _callee(stack: AsyncExitStack, plan: Plan, wishes: Wishes) -> Callee | None:
    alive = plan.far[wishes.dead :]
    if not alive:
        return None
    callee = Callee(
        alive[0].host,
        alive[0].port,
        name=plan.pbx if isinstance(plan.verdict, ToPbx) else plan.carrier,
        transport=alive[0].transport.value,
        script=ANSWERS[wishes.answer],
    )
    return await stack.enter_async_context(callee)


def _caller(plan: Plan, callee: Callee | None) -> Caller:
    here: Address = plan.source
    port = here.port
    if is_bound(here.host, port, "udp") or (callee and callee.address == here.host):
        port = CALLER_PORT
    return Caller(here.host, port, name=plan.peer.name)


async def _lived(near: Leg, callee: Callee | None, wishes: Wishes) -> tuple[Leg | None, Audio]:
    """Live through the call to its end; what each side heard."""
    silent = Audio(False, False)
    waiting = wishes.answer in ("noanswer", "trying", "silent", "early_media")
    if waiting:
        await near.until(lambda leg: leg.final is not None, "a final response", RING_S, quiet=True)
        if near.final is None:
            await near.cancel()
    await near.until(lambda leg: leg.final is not None, "a final response", SETUP_S, quiet=True)
    far = next(iter(callee.legs.values()), None) if callee is not None else None
    if not near.answered or far is None:
        await near.until(lambda leg: leg.over, "the end", 2.0, quiet=True)
        return far, silent
    answered = time.monotonic()
    a_to_b, b_to_a = await asyncio.gather(
        far.voice.hears(tone.CALLER_HZ), near.voice.hears(tone.CALLEE_HZ)
    )
    await asyncio.sleep(max(0.0, TALK_S - (time.monotonic() - answered)))
    await near.bye()
    return far, Audio(a_to_b, b_to_a)


async def record_of(home: Home, sip_call_id: str, since: float) -> dict[str, Any] | None:
    """The row of `calls` of this SIP Call-ID, once it says that the call is over.

    None when none comes in RECORD_S; `since` (seconds since the epoch) keeps the search short.
    """
    try:
        connection = await connect(home.postgres_dsn, "portgate-call")
    except OSError:
        return None  # PostgreSQL is down: calls work without it, records come later
    row = None
    give_up = time.monotonic() + RECORD_S
    try:
        # After that, what there is by then is shown as it is.
        while (row is None or row["phase"] != "ended") and time.monotonic() < give_up:
            row = await connection.fetchrow(SQL["call_by_sip_call_id"], sip_call_id, since)
            await asyncio.sleep(POLL_S)
    finally:
        await connection.close()
    return None if row is None else _plain(dict(row))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    row.pop("state")  # the fold's own memory, of no use to a reader
    plain: dict[str, Any] = msgspec.to_builtins(row)
    return plain


def _result(
    plan: Plan, near: Leg, far: Leg | None, audio: Audio, record: dict[str, Any] | None
) -> CallResult:
    after = far.invite if far is not None else None
    trace = [Step(rule, said) for rule, said in (record or {}).get("rules", [])]
    return CallResult(
        answered=near.answered,
        final_status=near.final_status,
        verdict=kind(plan.verdict),
        carrier=plan.carrier,
        pbx=plan.pbx,
        shown_caller=shown_caller(after) if after else "",
        dialled=user_of(after.uri) if after else plan.invite.request_user,
        audio=audio,
        post_dial_delay_ms=near.post_dial_delay_ms,
        call_id=record["id"] if record else None,
        call_record=record,
        trace=trace or [Step(rule, said) for rule, said in plan.trace],
    )


def shown_caller(invite: SipMessage) -> str:
    """The caller that the far side is shown: an asserted identity first, else From (RFC 3325)."""
    asserted = invite.header("P-Asserted-Identity")
    return user_of(asserted) or user_of(invite.header("From"))


def user_of(text: str) -> str:
    """User part of the first sip: or tel: URI in a header or a URI."""
    _, found, rest = text.partition("sip:")
    if not found:
        return text.partition("tel:")[2].partition(";")[0].partition(">")[0]
    return rest.partition("@")[0] if "@" in rest else ""


async def prove(home: Home, known: Known) -> list[Trial]:
    """One call in and one out with the demo company: a number of each carrier would take longer."""
    from gateway.trial.plan import plan
    from number_registry.e164 import E164

    inbound = plan(known, E164("74951230000"), E164("79161234567"))
    outbound = plan(known, E164("79161234567"), "101")
    return [await place(home, known, one) for one in (inbound, outbound)]


__all__ = ["EndpointError", "Trial", "Wishes", "place", "prove"]
