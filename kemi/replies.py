"""Answers on their way back: own identities restored, media answered, ring and answer recorded,
failures tried elsewhere.
"""

from __future__ import annotations

import time

from kemi import events, late
from kemi import ksr_branches as branches
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.attempts import Pending, goes_on, try_next
from kemi.facts import Source
from kemi.mask import answers
from kemi.mask.token import near_tag, seed_of
from kemi.nat import is_behind_nat
from kemi.seal import Sealed
from kemi.worker import Worker

OF_BEFORE_S = 60.0  # as long as a transaction may outlive its ring time (max_inv_lifetime)
# Answers of the far side that must not reach the near one as they are, and what is said instead.
REDIRECTS_BECOME = (480, "Temporarily Unavailable")
CHALLENGES = (401, 407)
CHALLENGES_BECOME = (503, "Service Unavailable")


def invite_reply(worker: Worker) -> None:
    """A provisional or final answer to a new INVITE."""
    status = message.status()
    if status == 100:
        return
    call = _restore_identities()
    do.drop_identity_headers()  # who answered: an extension and its name are nobody's outside
    if status >= 300:
        return
    if late.any_given_up[0] and late.is_given_up(call):
        do.drop()  # tm drops provisional answers only
        return
    contact = message.readable(message.contact)
    source = message.source()
    connected = source.proto != "udp" and contact and worker.is_guest(source.ip)
    if connected or is_behind_nat(contact, source.ip):
        do.name_real_contact()  # of a 18x too: a PRACK goes there (RFC 3262)
    if status >= 200:
        _answered(worker, call, status, contact, source)
    elif status >= 180 and not do.is_flagged(do.FLAG_RANG):
        _rings(worker, call, status)
    if worker.config.media:
        _media(worker, call)


def _rings(worker: Worker, call: str, status: int) -> None:
    do.flag(do.FLAG_RANG)
    config, others_wait = worker.config, do.is_flagged(do.FLAG_INSTEAD)
    do.patience(config.agent_rings_ms if others_wait else config.no_answer_ms, 0)
    events.ring(worker.journal, call, status)


def masked_invite_reply(worker: Worker) -> None:
    """The same for a masked call, which gets an answer of ours instead."""
    status = message.status()
    if status == 100:
        return
    if status >= 300:
        answers.nothing_crosses()  # `invite_failed` says what the caller is told
        return
    call = do.remembered().partition("|")[0]
    if late.any_given_up[0] and late.is_given_up(call):
        do.drop()  # tm drops provisional answers only
        if status < 200:
            return
    elif status >= 200:
        contact, source = message.readable(message.contact), message.source()
        tag = message.readable(message.to_tag)
        near = near_tag(seed_of(worker.sealer, call), tag)
        _answered(worker, call, status, contact, source, near)
    elif status >= 180 and not do.is_flagged(do.FLAG_RANG):
        _rings(worker, call, status)
    if not answers.to_invite(worker, call, branches.far_routes()):
        answers.nothing_crosses()


def _answered(
    worker: Worker, call: str, status: int, contact: str, source: Source, near: str = ""
) -> None:
    tag = message.readable(message.to_tag)
    events.answer(
        worker.journal,
        call,
        status=status,
        tag=tag,
        near_tag=near,
        contact=contact,
        routes=branches.far_routes(),
        source=source,
        sock=worker.ours.socket(source.proto),
    )
    if worker.limits.of and do.is_flagged(do.FLAG_COUNTED):
        worker.limits.answered(call, tag)


def of_before(worker: Worker) -> bool:
    """An answer to an INVITE that the Kamailio before this one had sent on: no transaction knows
    it, and the caller is still waiting. Its second Via says where it goes, as for a proxy that
    keeps no state (RFC 3261, section 16.11). True where it shall.

    Only from neighbours, only as long as such a call can still be waiting; one that makes a dialog
    must carry our token, which tells all that the transaction would have known.
    """
    waiting_s = worker.config.no_answer_ms / 1000 + OF_BEFORE_S
    if time.monotonic() - worker.started > waiting_s:
        return False
    ip = message.source_ip()
    if worker.peer(ip) is None and not worker.knows(ip):
        return False
    if message.answered_method() != "INVITE":
        return False
    status = message.status()
    if status >= 300 or status == 100:
        return status >= 300
    token = branches.record_route_token()
    sealed = worker.sealer.read(token, message.call_id()) if token else None
    if sealed is None:
        return False
    if sealed.from_a:
        do.write_from(sealed.from_a)
    if sealed.to_a:
        do.write_to(sealed.to_a)
    contact, source = message.readable(message.contact), message.source()
    if is_behind_nat(contact, source.ip):
        do.name_real_contact()
    if status >= 200:
        _answered(worker, sealed.call, status, contact, source)
    else:
        events.ring(worker.journal, sealed.call, status)
    _media_of_before(worker, sealed)
    return True


def _media_of_before(worker: Worker, sealed: Sealed) -> None:
    if not worker.config.media or not message.has_sdp():
        return
    if worker.config.ng_before:
        do.media_of_before()
    done = do.media_answer(sealed.call) if sealed.offered else do.media_offer(sealed.call)
    if not done:
        do.log_error(f"call {sealed.call}: the media relay did not take the SDP of an answer")


def dialog_reply(worker: Worker) -> None:
    """An answer to a request inside the call."""
    call = _restore_identities()
    do.drop_identity_headers()
    if message.status() >= 300:
        return
    contact = message.readable(message.contact)
    if contact and is_behind_nat(contact, message.source_ip()):
        do.name_real_contact()  # a 2xx names the target anew (RFC 3261, 12.2.1.2)
    if call:  # empty where the request could carry neither offer nor answer
        _media(worker, call)


def _restore_identities() -> str:
    """Gives the request's sender its own From and To back (RFC 3261, section 8.2.6.2); returns the
    call's id.
    """
    call, from_uri, to_uri, *_ = do.remembered().split("|", 3)
    if from_uri:
        do.write_from(from_uri)
    if to_uri:
        do.write_to(to_uri)
    return call


def _media(worker: Worker, call: str) -> None:
    if not message.has_sdp():
        return
    if do.is_flagged(do.FLAG_OFFERED):
        done = do.media_answer(call)
    else:
        ours = worker.ours
        way = ours.media_way(message.received_on(), message.asked_on()) if ours.several else ""
        done = do.media_offer(call, way)
    if not done:
        do.log_error(f"call {call}: the media relay did not take the SDP of an answer")


def invite_failed(worker: Worker, refused: bool = False) -> None:
    """Every branch has failed: try the next address where that may help, else tell the caller and
    close the record. ``refused``: they ask for credentials, and ours were no good.
    """
    pending = Pending.read(do.remembered())
    status = do.failure_status()
    if do.was_cancelled():
        # The caller hears 487, whatever the far side says to its CANCEL (RFC 3261, 9.2): a 503
        # would reach it as 500. A far side that stayed silent ran into our timer: tm says 487.
        if status == 408:
            late.give_up(pending.call, late.ALL)
        _end(worker, pending.call, "cancel", 487)
        if status not in (408, 487) or do.is_flagged(do.FLAG_MASKED):
            do.answer_failed(487, "Request Terminated")
        return
    rang = do.is_flagged(do.FLAG_RANG)
    do.unflag(do.FLAG_RANG)  # the next address has yet to ring
    cause = message.q850_cause()
    meant = CHALLENGES_BECOME[0] if refused else status  # a gateway that does not serve us
    onwards = goes_on(worker, pending, meant, cause, rang)
    if onwards is not None and try_next(worker, onwards, (status, cause)):
        return
    if status == 408:
        late.give_up(pending.call, late.ALL)
    _end(worker, pending.call, "timeout" if status == 408 else "failed", status, cause)
    if do.is_flagged(do.FLAG_MASKED):
        answers.refuse(status)
    elif 300 <= status < 400:
        do.answer_failed(*REDIRECTS_BECOME)
    elif status in CHALLENGES:
        do.answer_failed(*CHALLENGES_BECOME)


def _end(worker: Worker, call: str, how: str, status: int, cause: int = 0) -> None:
    side = "a" if how == "cancel" else "gw" if how == "timeout" else "b"
    events.end(worker.journal, call, side=side, how=how, status=status, q850=cause)
    if worker.limits.of:
        worker.limits.free(call)
    if worker.media is not None:
        worker.media.release(call)
