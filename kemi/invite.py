"""The path of a new call on one screen: guard, read, decide, write, media, relay; it holds no rule
of routing itself.
"""

from __future__ import annotations

from kemi import announce, events, rounds
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.attempts import Pending, in_turn, try_next, with_room
from kemi.conversation import correlation
from kemi.facts import Facts
from kemi.ksr_mask import keep_cancels_words
from kemi.limits import RETRY_AFTER_S
from kemi.mask import invite as hiding
from kemi.mask.policy import is_masked
from kemi.media import flags
from kemi.nat import is_behind_nat
from kemi.plan import Plan, to_carrier, to_pbx, uris
from kemi.sim_plans import sim_plans
from kemi.where import where_registered
from kemi.worker import Worker, call_id
from kemi.writing import write
from number_registry import dialling
from number_registry.call import (
    Call,
    Drop,
    Peer,
    Reject,
    Side,
    ToCarrier,
    ToPbx,
    ToSim,
    Verdict,
    lot_of,
)
from number_registry.conversations import NOBODY
from number_registry.directory import Directory
from number_registry.model import Address, Pbx
from number_registry.pbx_profile import Profile
from number_registry.routing import decide

# Characters of From and To that a token carries; longer ones, or ones with our separator, are no
# honest identities.
LONGEST_IDENTITIES = 1000
REASONS = {
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
    415: "Unsupported Media Type",
    480: "Temporarily Unavailable",
    482: "Loop Detected",
    488: "Not Acceptable Here",
    503: "Service Unavailable",
}
ORDINARY = Profile()


def handle(worker: Worker, peer: Peer, facts: Facts, guest: str = "") -> None:
    """A new INVITE from a known neighbour. ``guest``: the address of one that had to prove itself,
    because it is known by no network.
    """
    if do.is_retransmission():
        return
    call = read(worker, peer, facts)
    directory = worker.directory()
    ident = call_id(facts.call_id, facts.from_tag, facts.cseq, facts.request_user, peer)
    verdict = decide(call, directory)
    plans: tuple[Plan, ...] = ()
    if isinstance(verdict, ToPbx):
        pbx = directory.pbx(verdict.pbx)
        if pbx is not None and not pbx.addresses:
            verdict = where_registered(worker, verdict, pbx)
        if isinstance(verdict, ToPbx):
            told = correlation(worker.sealer, ident, call, verdict)
            plans = (to_pbx(verdict, pbx, worker.ours.us, told),)
            if pbx is not None and pbx.profile.codec_rule == "refuse":
                verdict = _if_offered(verdict, pbx)
                plans = plans if isinstance(verdict, ToPbx) else ()
    elif isinstance(verdict, ToCarrier):
        ours = worker.ours
        rounds.of_leaving(verdict.shown.plus)
        plans = to_carrier(
            verdict, worker.carriers, ours.us, call.withheld, facts.call_id, ours.us_on
        )
        if not plans:
            verdict = Reject(503, "the carrier has no trunk that takes calls", verdict.trace)
    elif isinstance(verdict, ToSim):
        plans = sim_plans(worker, ident, call, verdict, directory, facts.call_id)
        if not plans:
            verdict = Reject(503, "its operator has no trunk to our SIMs", verdict.trace)
    if (
        len(facts.from_uri) + len(facts.to_uri) > LONGEST_IDENTITIES
        or "|" in facts.from_uri + facts.to_uri
    ):
        verdict, plans = Reject(403, "From or To cannot be carried", verdict.trace), ()
    offered = worker.config.media and message.has_sdp()
    guarded = plans and worker.config.media and not (offered or plans[0].emergency)
    if guarded and message.hides_sdp():
        verdict, plans = Reject(415, "its audio would pass the relay by", verdict.trace), ()
    if plans:
        verdict, plans = _masked(worker, verdict, plans, facts)
    if not plans:
        _record(worker, ident, call, verdict, facts, events.NOWHERE)
        if not (isinstance(verdict, Reject) and verdict.announce) or not announce.begin(
            worker, verdict, ident, facts, REASONS[verdict.status]
        ):
            refuse(verdict)
    else:
        if worker.media_codes:
            plans = tuple([_with_media(plan, worker, peer) for plan in plans])
        if worker.accounts:
            plans = tuple([_with_guests(plan, directory, guest) for plan in plans])
        _send(worker, ident, call, verdict, plans, facts, offered)


def _if_offered(verdict: ToPbx, pbx: Pbx) -> Verdict:
    """The verdict, unless the call offers none of the codecs that the PBX has."""
    codecs = pbx.profile.codecs
    if not codecs or not message.has_sdp() or message.offers_any(codecs):
        return verdict
    said = f"PBX {pbx.name} takes {', '.join(codecs)} only, and none is offered"
    return Reject(488, said, (*verdict.trace, ("refused", f"488: {said}")))


def _masked(
    worker: Worker, verdict: Verdict, plans: tuple[Plan, ...], facts: Facts
) -> tuple[Verdict, tuple[Plan, ...]]:
    """The plans of a call that may have to be masked; none where it cannot be: then it fails."""
    assert not isinstance(verdict, Reject | Drop)  # for these there are no plans
    if not is_masked(worker.config.masking, verdict):
        return verdict, plans
    status, why = hiding.refusal(worker, facts.contact)
    if status:
        trace = (*verdict.trace, ("refused", f"{status}: the call cannot be masked: {why}"))
        return Reject(status, f"the call cannot be masked: {why}", trace), ()
    return verdict, tuple([plan._replace(masked=True) for plan in plans])


def _with_media(plan: Plan, worker: Worker, peer: Peer) -> Plan:
    """The plan with what either side asks of the media relay."""
    codes = worker.media_codes
    called = codes.get((plan.to, plan.trunk), "")
    calling = codes.get((peer.name, peer.trunk), "")
    return plan._replace(media=f"{called}/{calling}") if called or calling else plan


def _with_guests(plan: Plan, directory: Directory, guest: str) -> Plan:
    """The plan with the addresses that belong to this call though they are no neighbours'."""
    pbx = None if plan.trunk else directory.pbx(plan.to)
    hosts = [guest] if guest else []
    if pbx is not None and pbx.account is not None:
        hosts += [address.host for address in plan.addresses]
    return plan._replace(guests=",".join(dict.fromkeys(hosts)))


def read(worker: Worker, peer: Peer, facts: Facts) -> Call:
    """The INVITE at hand as a call, read as its sender writes."""
    if peer.side is Side.PBX:
        return _read_from_pbx(worker, peer, facts)
    carrier = worker.carriers[peer.name]
    invite = message.invite(facts, carrier.caller_header)
    trunk = carrier.trunk(peer.trunk)
    parties = carrier.parties(invite, trunk)
    called, caller, withheld, _ = parties
    lot, from_sim = lot_of(facts.call_id), trunk.serves == "sims"
    again = (rounds.of_sim if from_sim else rounds.of_arrival)(caller, called)
    return Call(peer, called, caller, withheld, lot, from_sim, NOBODY, again)


def _read_from_pbx(worker: Worker, peer: Peer, facts: Facts) -> Call:
    pbx = worker.directory().pbx(peer.name)
    profile = pbx.profile if pbx is not None else ORDINARY
    called = dialling.read(facts.request_user, profile.plan)
    withheld = message.is_anonymous()
    if profile.own_caller_in == ORDINARY.own_caller_in:
        user = message.asserted_user() if withheld else ""
    else:
        user = message.own_caller(profile.own_caller_in, facts.from_user)
    user = user or facts.from_user
    caller = dialling.read(user, profile.plan)
    shown = caller.plus if caller else user
    to, lot = called or facts.request_user, lot_of(facts.call_id)
    behind = worker.reader.behind(peer.name, profile.plan, caller, to)
    again, at_once = rounds.of_pbx(peer.name, shown, to, behind.came_by)
    return Call(peer, to, shown, withheld, lot, False, behind, again, at_once)


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
    plans: tuple[Plan, ...],
    facts: Facts,
    offered: bool,
) -> None:
    """Write the call for its far side, record it, relay it to the first address that takes it.
    ``offered``: it carries an SDP offer for the media relay.
    """
    steps = in_turn(plans, worker.health.down)
    if worker.limits.of:
        steps, passed = with_room(worker, ident, plans, steps)
        if passed:
            verdict = verdict._replace(trace=(*verdict.trace, *passed))
        if not steps:
            _full(worker, ident, call, verdict, facts)
            return
        if call.peer.trunk:  # it rings already: counted, whatever the limit says
            worker.limits.take(ident, call.peer.name, call.peer.trunk, urgent=True)
    way, address = steps[0]
    plan = plans[way]
    masked = plan.masked
    several = len(plans) > 1 or plan.asks or masked
    to, trunk, user, emergency, media = plan.to, plan.trunk, plan.user, plan.emergency, plan.media
    _, _, _, own_from, own_to, contact, _, from_user, to_user, ip, _, proto = facts
    written = uris(plan, own_from, from_user, own_to, to_user)
    near_from, near_to, far_from, far_to = written
    far = (user, address.uri, far_from or own_from, far_to or own_to)
    names = hiding.names(worker, ident) if masked else events.AS_IT_CAME
    _record(worker, ident, call, verdict, facts, (to, trunk, plan.shown, *far, *names))
    if several:
        near_from, near_to = own_from, own_to  # some attempt may change them
        do.cancel_as_written()
    else:
        plans = ()
        pace = worker.asking.get(call.peer) if worker.asking else None
        write(worker, ident, plan, facts, written, offered, pace)
        if far_to:
            do.cancel_as_written()
    do.follow_reply_path()
    if masked:
        do.flag(do.FLAG_MASKED)
        keep_cancels_words()
        if offered:
            do.flag(do.FLAG_OFFERED)  # each attempt makes an offer of its own
            do.flag(do.FLAG_OFFERS)
    elif is_behind_nat(contact, ip) or (proto != "udp" and worker.is_guest(ip)):
        do.name_real_contact()
    if offered and not masked:
        do.flag(do.FLAG_OFFERED)
        asked = flags(*media.split("/")) if media else ""
        apart = several and (worker.ours.several or any([one.media != media for one in plans]))
        if not _media(worker, ident, address, apart, asked) and not emergency:
            _give_up(worker, ident, "no media relay")
            return
    if not try_next(worker, Pending(ident, near_from, near_to, to, trunk, user, steps, plans)):
        if offered and worker.media is not None:
            worker.media.release(ident)
        _give_up(worker, ident, "no address could be reached")


def _media(worker: Worker, ident: str, address: Address, apart: bool, asked: str) -> bool:
    """Offer it to the media relay, with what both sides ask of that. ``apart``: attempts leave by
    different addresses of ours, or ask different things, so each makes an offer of its own
    (kemi/writing.py).
    """
    if apart:
        do.flag(do.FLAG_OFFERS)
        return True
    ours = worker.ours
    if not ours.several:
        return do.media_offer(ident, asked)
    return do.media_offer(ident, asked + ours.media_way(message.received_on(), address.source))


def _full(worker: Worker, ident: str, call: Call, verdict: Verdict, facts: Facts) -> None:
    """No trunk that could take the call has room for it."""
    last = verdict.trace[-1][1]
    trace = (*verdict.trace, ("refused", f"503: {last}"))
    _record(worker, ident, call, Reject(503, last, trace), facts, events.NOWHERE)
    do.say_retry_after(RETRY_AFTER_S)
    do.answer_invite(503, REASONS[503])


def _give_up(worker: Worker, ident: str, reason: str) -> None:
    if worker.limits.of:
        worker.limits.free(ident)
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
        sock=worker.ours.socket(facts.proto),
        status=verdict.status if isinstance(verdict, Reject) else 0,
        media=worker.config.media and towards is not events.NOWHERE,
        verdict=verdict,
        towards=towards,
    )
