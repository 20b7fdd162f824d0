"""The path of a new call on one screen: guard, read, decide, write, media, relay; it holds no rule
of routing itself.
"""

from __future__ import annotations

from kemi import events
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.attempts import Pending, try_next
from kemi.facts import Facts
from kemi.health import alive_first
from kemi.nat import is_behind_nat
from kemi.plan import Plan, to_carrier, to_pbx
from kemi.seal import Sealed, tag_crc
from kemi.worker import Worker, call_id
from number_registry import dialling
from number_registry.call import (
    Call,
    Drop,
    Peer,
    Reject,
    Side,
    ToCarrier,
    ToPbx,
    Verdict,
    lot_of,
)
from number_registry.dialling import DialPlan
from number_registry.routing import decide

# Characters of From and To that a token carries; longer ones, or ones with our separator, are no
# honest identities.
LONGEST_IDENTITIES = 1000
REASONS = {
    403: "Forbidden",
    404: "Not Found",
    415: "Unsupported Media Type",
    480: "Temporarily Unavailable",
    503: "Service Unavailable",
}
PBX_PLAN = DialPlan()


def handle(worker: Worker, peer: Peer, facts: Facts) -> None:
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
        plan = to_carrier(verdict, worker.carriers, worker.us, call.withheld, facts.call_id)
        if plan is None:
            verdict = Reject(503, "the carrier has no trunk that takes calls", verdict.trace)
    if (
        len(facts.from_uri) + len(facts.to_uri) > LONGEST_IDENTITIES
        or "|" in facts.from_uri + facts.to_uri
    ):
        verdict, plan = Reject(403, "From or To cannot be carried", verdict.trace), None
    offered = worker.config.media and message.has_sdp()
    if plan and worker.config.media and not (offered or plan.emergency) and message.hides_sdp():
        verdict, plan = Reject(415, "its audio would pass the relay by", verdict.trace), None
    ident = call_id(facts.call_id, facts.from_tag, facts.cseq, facts.request_user, peer)
    if plan is None:
        _record(worker, ident, call, verdict, facts, events.NOWHERE)
        refuse(verdict)
    else:
        _send(worker, ident, call, verdict, plan, facts, offered)


def read(worker: Worker, peer: Peer, facts: Facts) -> Call:
    """The INVITE at hand as a call, read as its sender writes."""
    if peer.side is Side.PBX:
        return _read_from_pbx(peer, facts)
    carrier = worker.carriers[peer.name]
    invite = message.invite(facts, carrier.caller_header)
    trunk = carrier.trunk(peer.trunk)
    parties = carrier.parties(invite, trunk)
    lot, from_sim = lot_of(facts.call_id), trunk.serves == "sims"
    return Call(peer, parties.called, parties.caller, parties.withheld, lot, from_sim)


def _read_from_pbx(peer: Peer, facts: Facts) -> Call:
    called = dialling.read(facts.request_user, PBX_PLAN)
    withheld = message.is_anonymous()
    user = (message.asserted_user() if withheld else "") or facts.from_user
    caller = dialling.read(user, PBX_PLAN)
    shown = caller.plus if caller else user
    return Call(peer, called or facts.request_user, shown, withheld, lot_of(facts.call_id))


def refuse(verdict: Verdict) -> None:
    """Say no, or say nothing."""
    if not isinstance(verdict, Drop):
        status = verdict.status if isinstance(verdict, Reject) else 503
        if status == 415:
            do.say_accepted_bodies()
        do.answer_invite(status, REASONS.get(status, "Refused"))


def _send(
    worker: Worker,
    ident: str,
    call: Call,
    verdict: Verdict,
    plan: Plan,
    facts: Facts,
    offered: bool,
) -> None:
    """Write the call for its far side, record it, relay it to the first address that takes it.
    ``offered``: it carries an SDP offer for the media relay.
    """
    sip_call_id, tag, _, own_from, own_to, contact, _, from_user, to_user, ip, _, _ = facts
    _, user, far_to_user, far_from_user, far_from, to_host = plan[:6]
    addresses = plan.addresses
    if worker.health.down:
        addresses = alive_first(addresses, worker.health.down)
    near_from, near_to, far_to = own_from, own_to, f"sip:{far_to_user}@{to_host}"
    # The host in From and To is nobody's business: a URI is written anew only where the far side
    # wants another user.
    if from_user == far_from_user:
        near_from = far_from = ""
    else:
        do.write_from(far_from)
    if to_user == far_to_user:
        near_to = far_to = ""
    else:
        do.write_to(far_to)
        do.cancel_as_written()
    written = (plan.to, plan.shown, user, addresses[0].uri, far_from or own_from, far_to or own_to)
    _record(worker, ident, call, verdict, facts, written)
    if not plan.keep_display:
        do.drop_display_names()
    do.replace_identity_headers(plan.headers)
    do.follow_reply_path()
    if is_behind_nat(contact, ip):
        do.name_real_contact()
    uris = near_from, near_to, far_from, far_to
    sealed = Sealed(ident, tag_crc(tag), offered, *uris, not plan.keep_display, plan.emergency)
    do.record_route(worker.sealer.token(sealed, sip_call_id))
    if offered:
        do.flag(do.FLAG_OFFERED)
        if not do.media_offer(ident) and not plan.emergency:
            _give_up(worker, ident, "no media relay")
            return
    if not try_next(worker, Pending(ident, near_from, near_to, user, addresses, 0, plan.retry)):
        if offered and worker.media is not None:
            worker.media.release(ident)
        _give_up(worker, ident, "no address could be reached")


def _give_up(worker: Worker, ident: str, reason: str) -> None:
    events.end(worker.journal, ident, side="gw", how="failed", status=503, reason=reason)
    do.answer_invite(503, "Service Unavailable")


def _record(
    worker: Worker,
    ident: str,
    call: Call,
    verdict: Verdict,
    facts: Facts,
    towards: events.Towards,
) -> None:
    """The start event: all that a call record, and a hang-up of our own, will need."""
    events.start(
        worker.journal,
        ident,
        call,
        facts,
        kind=events.KINDS[type(verdict)],
        routes=message.record_routes(),
        sock=worker.socket(facts.proto),
        status=verdict.status if isinstance(verdict, Reject) else 0,
        media=worker.config.media and towards is not events.NOWHERE,
        trace=verdict.trace,
        towards=towards,
    )
