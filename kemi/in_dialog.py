"""Requests inside a call: found by the token in their Route alone, so that a restart in between
changes nothing.
"""

from __future__ import annotations

from kemi import asked, events
from kemi import ksr_accounts as accounts
from kemi import ksr_effects as do
from kemi import ksr_mask as mask
from kemi import ksr_message as message
from kemi.belonging import leads_to_neighbour, of_no_call
from kemi.mask import inside
from kemi.media import flags
from kemi.nat import is_behind_nat
from kemi.seal import Sealed, tag_crc
from kemi.worker import Worker

# What we say in Allow. A REFER or a REGISTER with a call's token would be led wherever its sender
# says, past every decision.
METHODS = frozenset({"INVITE", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "OPTIONS"})
# The SDP of these, and of an ACK, is an offer or an answer (RFC 6337, section 2.1); in an OPTIONS
# or its answer it only tells what somebody could do (RFC 3261, section 11.2).
NEGOTIATING = frozenset({"INVITE", "PRACK", "UPDATE"})


def handle(worker: Worker, method: str, stranger: str = "") -> None:
    """A request with a To tag from a known neighbour, which the caller has seen to: a token alone,
    overheard, must not let a stranger send anything through us. Its permission is a valid token.
    ``stranger``: an unknown address that it came from, which the token must name.
    """
    if mask.is_masked():
        # Its Request-URI is ours too, which loose routing would take for a strict router's doing.
        inside.handle(worker, method, stranger)
        return
    token, call_id, tag = message.route_token() if do.loose_route() else ("", "", "")
    sealed = worker.sealer.read(token, call_id) if token else None
    if stranger and (sealed is None or stranger not in sealed.guests.split(",")):
        if method == "ACK":
            do.is_retransmission()
        return
    if sealed is None:
        of_no_call(method)
        return
    # The direction, by the caller's tag; where neither tag is the caller's it is another dialog.
    from_caller = tag_crc(tag) == sealed.tag_crc
    if not from_caller and tag_crc(message.to_tag()) != sealed.tag_crc:
        of_no_call(method)
    elif method == "ACK":
        _acknowledge(worker, sealed, from_caller)
    elif method not in METHODS:
        do.answer_method_not_allowed()
    elif do.well_formed_inside() and not do.is_retransmission():
        _request(worker, method, sealed, from_caller, tag)


def _acknowledge(worker: Worker, sealed: Sealed, from_caller: bool) -> None:
    """The ACK to a 2xx: it has no answer, and may answer a delayed offer (RFC 3264)."""
    _write(sealed, from_caller)
    do.drop_identity_headers()
    if sealed.guests:
        accounts.drop_credentials()
    do.use_real_contact()
    if sealed.pace is not None:
        asked.acknowledge(sealed.pace, sealed.call, from_caller)
    if not leads_to_neighbour(worker, sealed.call, sealed.guests):
        return
    if worker.config.media and message.has_sdp() and not do.media_answer(sealed.call):
        # Without its ACK the call would be hung up; without the relay it may be heard.
        do.log_error(f"call {sealed.call}: the media relay did not take the SDP of an ACK")
    do.relay()


def _request(worker: Worker, method: str, sealed: Sealed, from_caller: bool, tag: str) -> None:
    changed = _write(sealed, from_caller)
    negotiating = worker.config.media and method in NEGOTIATING
    do.follow_reply_path()
    do.use_real_contact()
    if not leads_to_neighbour(worker, sealed.call, sealed.guests):
        do.answer(403, "Forbidden")
        return
    pace = sealed.pace
    cseq = asked.number(pace, from_caller) if pace else 0
    do.drop_identity_headers()  # what named the caller to us named it once, in the INVITE
    if sealed.guests:
        accounts.drop_credentials()
    if method == "BYE":
        _hang_up(worker, sealed, from_caller, tag)
    else:
        _record(worker, method, sealed, from_caller, cseq)
        if (
            negotiating
            and message.has_sdp()
            and not _media(worker, method, sealed, from_caller)
            and not sealed.urgent
        ):
            _refuse(method)
            return
        if changed and method == "INVITE":
            do.cancel_as_written()
    known = f"{sealed.call if negotiating else ''}|{changed or '|'}"
    if pace and pace.concerns(from_caller):
        asked.watch(worker, pace, sealed.call, method, cseq, known)
    elif changed or method != "BYE":
        do.remember(known)
        do.watch_request()
    if not do.relay():
        do.answer(503, "Service Unavailable")


def _hang_up(worker: Worker, sealed: Sealed, from_caller: bool, tag: str) -> None:
    """The dialog is over, and with it the call, unless the INVITE forked and was answered more than
    once: then the caller hangs up all but one (RFC 3261, section 13.2.2.4).
    """
    side, called_tag = ("a", message.to_tag()) if from_caller else ("b", tag)
    events.end(worker.journal, sealed.call, side=side, how="bye", status=200, called_tag=called_tag)
    if sealed.counted:
        worker.limits.hung_up(sealed.call, called_tag)
    if worker.media is not None:
        worker.media.release(sealed.call, called_tag)


def _refuse(method: str) -> None:
    """The media relay is not there. A re-INVITE is answered with a transaction, or its ACK would go
    on to the other side (RFC 3261, section 17.2.1).
    """
    say = do.answer_invite if method == "INVITE" else do.answer
    say(503, "Service Unavailable")


def _record(worker: Worker, method: str, sealed: Sealed, from_caller: bool, cseq: int) -> None:
    """What our own BYE must know: the CSeq used (``cseq``, where the other side has another one
    than the sender), and where the side is to be found from now on.
    """
    source, contact = message.source(), message.contact()
    connected = source.proto != "udp" and contact and worker.is_guest(source.ip)
    if connected or is_behind_nat(contact, source.ip):
        do.name_real_contact()
    events.update(
        worker.journal,
        sealed.call,
        side="a" if from_caller else "b",
        method=method,
        cseq=cseq or message.cseq(),
        contact=contact,
        source=source,
    )


def _write(sealed: Sealed, from_caller: bool) -> str:
    """From and To as the other side knows them. Returns ``from|to`` as the sender wrote them, for
    the answer; a part is empty where nothing was changed, and all of it where neither was.
    """
    _, _, _, from_a, to_a, from_b, to_b, nameless, *_ = sealed
    if nameless and from_caller:
        do.drop_display_names()
    if not from_b and not to_b:
        return ""
    if from_caller:
        near_from, near_to, far_from, far_to = from_a, to_a, from_b, to_b
    else:
        near_from, near_to, far_from, far_to = to_b, from_b, to_a, from_a
    if far_from:
        do.write_from(far_from)
    if far_to:
        do.write_to(far_to)
    return f"{near_from}|{near_to}"


def _media(worker: Worker, method: str, sealed: Sealed, from_caller: bool) -> bool:
    """An offer, or the answer to one that went the other way (RFC 3264; RFC 6337 lists who may send
    which when).
    """
    if method == "PRACK" and not sealed.offered:
        return do.media_answer(sealed.call)
    do.flag(do.FLAG_OFFERED)
    asked = ""
    if sealed.media:
        towards, offering = sealed.media.split("/")
        asked = flags(towards, offering) if from_caller else flags(offering, towards)
    ours = worker.ours
    if not ours.several:
        return do.media_offer(sealed.call, asked)
    on = message.received_on()
    return do.media_offer(sealed.call, asked + ours.media_way(on, message.leaves_by() or on))
