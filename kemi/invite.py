"""The path of a new call on one screen: guard, read, decide, write, media, relay; it holds no rule
of routing itself.
"""

from __future__ import annotations

from typing import Any

from kemi import events
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.attempts import Pending, try_next
from kemi.nat import is_behind_nat
from kemi.plan import Plan, to_carrier, to_pbx
from kemi.seal import Sealed, tag_crc
from kemi.worker import Worker, call_id
from number_registry import dialling
from number_registry.call import Call, Drop, Peer, Reject, Side, ToCarrier, ToPbx, Verdict
from number_registry.dialling import DialPlan
from number_registry.routing import decide

# Characters of From and To that a token carries; longer ones, or ones with our separator, are no
# honest identities.
LONGEST_IDENTITIES = 1000
REASONS = {
    403: "Forbidden",
    404: "Not Found",
    480: "Temporarily Unavailable",
    503: "Service Unavailable",
}
PBX_PLAN = DialPlan()


def handle(worker: Worker, peer: Peer, facts: message.Facts) -> None:
    """A new INVITE from a known neighbour."""
    if do.is_retransmission():
        return
    call = read(worker, peer, facts)
    directory = worker.directory()
    verdict = decide(call, directory)
    plan: Plan | None = None
    if isinstance(verdict, ToPbx):
        plan = to_pbx(verdict, directory.pbx(verdict.pbx), worker.us)
    elif isinstance(verdict, ToCarrier):
        plan = to_carrier(verdict, worker.carriers, worker.us, call.withheld)
        if plan is None:
            verdict = Reject(503, "the carrier has no trunk that takes calls", verdict.trace)
    if (
        len(facts.from_uri) + len(facts.to_uri) > LONGEST_IDENTITIES
        or "|" in facts.from_uri + facts.to_uri
    ):
        verdict, plan = Reject(403, "From or To cannot be carried", verdict.trace), None
    ident = call_id(facts.call_id, facts.from_tag, facts.cseq, facts.request_user, peer)
    if plan is None:
        _record(worker, ident, call, verdict, {}, facts)
        refuse(verdict)
    else:
        _send(worker, ident, call, verdict, plan, facts)


def read(worker: Worker, peer: Peer, facts: message.Facts) -> Call:
    """The INVITE at hand as a call, read as its sender writes."""
    if peer.side is Side.PBX:
        return _read_from_pbx(peer, facts)
    carrier = worker.carriers[peer.name]
    invite = message.invite(facts, carrier.caller_header)
    parties = carrier.parties(invite, carrier.trunk(peer.trunk))
    return Call(peer, parties.called, parties.caller, parties.withheld)


def _read_from_pbx(peer: Peer, facts: message.Facts) -> Call:
    called = dialling.read(facts.request_user, PBX_PLAN)
    withheld = message.is_anonymous()
    user = (message.asserted_user() if withheld else "") or facts.from_user
    caller = dialling.read(user, PBX_PLAN)
    return Call(peer, called or facts.request_user, caller.plus if caller else user, withheld)


def refuse(verdict: Verdict) -> None:
    """Say no, or say nothing."""
    if not isinstance(verdict, Drop):
        status = verdict.status if isinstance(verdict, Reject) else 503
        do.answer_invite(status, REASONS.get(status, "Refused"))


def _send(
    worker: Worker,
    ident: str,
    call: Call,
    verdict: Verdict,
    plan: Plan,
    facts: message.Facts,
) -> None:
    """Write the call for its far side, record it, relay it to the first address that takes it."""
    # The host in From and To is nobody's business: a URI is written anew only where the far side
    # wants another user.
    new_from = facts.from_user != plan.from_user
    new_to = facts.to_user != plan.to_user
    from_uri = plan.from_uri if new_from else facts.from_uri
    to_uri = f"sip:{plan.to_user}@{plan.to_host}" if new_to else facts.to_uri
    media = worker.config.media
    written = events.towards(
        plan.to, plan.shown, plan.user, plan.addresses[0].uri, from_uri, to_uri, media
    )
    _record(worker, ident, call, verdict, written, facts)
    if new_from:
        do.write_from(from_uri)
    if new_to:
        do.write_to(to_uri)
        do.cancel_as_written()
    if not plan.keep_display:
        do.drop_display_names()
    do.replace_identity_headers(plan.headers)
    do.follow_reply_path()
    if is_behind_nat(facts.contact, facts.ip):
        do.name_real_contact()
    offered = media and message.has_sdp()
    near_from, far_from = (facts.from_uri, from_uri) if new_from else ("", "")
    near_to, far_to = (facts.to_uri, to_uri) if new_to else ("", "")
    sealed = Sealed(ident, tag_crc(facts.from_tag), offered, near_from, near_to, far_from, far_to)
    do.record_route(worker.sealer.token(sealed, facts.call_id))
    if offered:
        do.flag(do.FLAG_OFFERED)
        if not do.media_offer(ident) and not plan.emergency:
            _give_up(worker, ident, "no media relay")
            return
    if not try_next(
        worker, Pending(ident, near_from, near_to, plan.user, plan.addresses, 0, plan.retry)
    ):
        _give_up(worker, ident, "no address could be reached")


def _give_up(worker: Worker, ident: str, reason: str) -> None:
    events.end(worker.journal, ident, side="gw", how="failed", status=503, reason=reason)
    do.answer_invite(503, "Service Unavailable")


def _record(
    worker: Worker,
    ident: str,
    call: Call,
    verdict: Verdict,
    written: dict[str, Any],
    facts: message.Facts,
) -> None:
    """The start event: all that a call record, and a hang-up of our own, will need."""
    events.start(
        worker.journal,
        ident,
        call,
        kind=events.KINDS[type(verdict)],
        inbound=call.peer.side is Side.CARRIER,
        addr=f"{facts.ip}:{facts.port}/{facts.proto}",
        cid=facts.call_id,
        ft=facts.from_tag,
        cseq=facts.cseq,
        contact=facts.contact,
        routes=message.record_routes(),
        from_uri=facts.from_uri,
        to_uri=facts.to_uri,
        sock=worker.socket(facts.proto),
        status=verdict.status if isinstance(verdict, Reject) else 0,
        trace=verdict.trace,
        written=written,
    )
