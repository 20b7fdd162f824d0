"""Does what was decided, through KSR; the only place that reads return codes. It decides nothing.

KEMI's results: > 0 true, < 0 false, 0 = stop this script now. Every function here that may meet a 0
says so by Stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import KSR

from kemi.plan import CORRELATION
from number_registry.model import Address

# Message flags: set before t_relay they are the transaction's, in replies and failures too.
FLAG_OFFERED = 1  # the request's SDP is an offer, so the reply's is the answer
FLAG_RANG = 2
FLAG_COUNTED = 3  # the call holds a channel of a trunk that has limits
FLAG_INSTEAD = 8  # an agent's phone is rung, and operators take the call if nobody answers there
FLAG_OFFERS = 4  # each attempt makes its own offer to the media relay
FLAG_MASKED = 5

IDENTITY_HEADERS = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Privacy")
# A new call goes where we decided: a Route that its sender put in must not lead it elsewhere.
FOREIGN_HEADERS = (*IDENTITY_HEADERS, "Route", CORRELATION)
OUTSIDE_HEADERS = (*FOREIGN_HEADERS, "Diversion", "History-Info")
INSIDE_HEADERS = (*IDENTITY_HEADERS, CORRELATION, "Diversion", "History-Info")
_TO_RTPENGINE = "trust-address replace-origin replace-session-connection ICE=remove call-id="
HOPS = 70
RELAY_BEFORE = 2  # as kamailio.cfg numbers it
ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO\r\n"


# Our socket by (our address, transport); empty where there is only one address: Kamailio knows it.
_sockets: dict[tuple[str, str], str] = {}


def leave_by(sockets: Mapping[tuple[str, str], str], main: str) -> None:
    """Each request that is aimed is told the socket it leaves by; ``main``: what "" stands for."""
    _sockets.clear()
    mains = {(main, key[1]): name for key, name in sockets.items() if not key[0]}
    _sockets.update({**sockets, **mains})


def log_error(text: str) -> None:
    KSR.err(text.replace("\n", " ")[:600] + "\n")


def log_warning(text: str) -> None:
    KSR.warn(text.replace("\n", " ")[:600] + "\n")


# -- answering ---------------------------------------------------------------------------------


def answer(status: int, reason: str) -> None:
    """A final answer to the request at hand, with a transaction when there is one."""
    KSR.sl.send_reply(status, reason)


def answer_invite(status: int, reason: str) -> None:
    """A final answer that is retransmitted until its ACK comes (RFC 3261, section 17.2.1)."""
    if KSR.tm.t_newtran() < 0:
        return  # the transaction exists: this is a retransmission, and tm has answered it
    KSR.tm.t_reply(status, reason)


def answer_failed(status: int, reason: str) -> None:
    """In a failure callback: answer the caller with this instead of what the far side said."""
    KSR.tm.t_reply(status, reason)


def answer_options() -> None:
    KSR.hdr.append_to_reply("Accept: application/sdp\r\n" + ALLOW)
    KSR.sl.send_reply(200, "OK")


def say_retry_after(seconds: int) -> None:
    """Goes with a 503 (RFC 3261, section 20.33)."""
    KSR.hdr.append_to_reply(f"Retry-After: {seconds}\r\n")


def say_accepted_bodies() -> None:
    """Goes with a 415 (RFC 3261, section 21.4.13)."""
    KSR.hdr.append_to_reply("Accept: application/sdp, multipart/mixed\r\n")


def answer_method_not_allowed() -> None:
    """Says which methods would be (RFC 3261, section 21.4.6)."""
    KSR.hdr.append_to_reply(ALLOW)
    KSR.sl.send_reply(405, "Method Not Allowed")


def answer_broken(status: int, reason: str) -> None:
    """The last resort of a callback: never to an ACK, which has no answer (RFC 3261, 17)."""
    if not KSR.is_ACK():  # the method's text may hold the very bytes that could not be read
        KSR.sl.send_reply(status, reason)


def mend_doubled_from_tag() -> None:
    """tm.t_uac_start of 5.6 adds a From tag to one that is there (kamailio pull request 3251)."""
    if str(KSR.pv.gete("$hdr(From)")).count(";tag=") > 1:
        KSR.textops.subst_hf("From", "/;tag=[^;]+$//", "f")


# -- checks ------------------------------------------------------------------------------------


def hops_left() -> bool:
    """Counts Max-Forwards down (RFC 3261, section 16.3 step 3)."""
    return KSR.maxfwd.process_maxfwd(HOPS) > 0


def well_formed() -> bool:
    """Checks what RFC 3261 demands of every request; sanity answers 400 and the like by itself.

    2023 = version, scheme, required headers, Via, CSeq method and value, Content-Length, digits of
    Expires, Proxy-Require (420, section 16.3 step 5), parse of URIs; 7 = Request-URI, From and To.
    """
    return KSR.sanity.sanity_check(2023, 7) > 0


def well_formed_inside() -> bool:
    """The part of `well_formed` that a request inside a call could smuggle past us or into its
    record: 736 = CSeq method and value, Content-Length, Proxy-Require.
    """
    return KSR.sanity.sanity_check(736, 0) > 0


def is_retransmission() -> bool:
    """True when tm has dealt with the request at hand: a retransmission, or an ACK to a negative
    final answer.
    """
    return KSR.tm.t_check_trans() == 0


def matches_transaction() -> bool:
    return KSR.tm.t_check_trans() > 0


def drop() -> None:
    """The answer at hand goes nowhere."""
    KSR.set_drop()


def was_cancelled() -> bool:
    return KSR.tm.t_is_canceled() > 0


def failure_status() -> int:
    return int(KSR.pv.gete("$T_reply_code") or 0)


# -- writing -----------------------------------------------------------------------------------


def write_from(uri: str) -> None:
    """From of the message at hand. Once for each message: a second time would concatenate."""
    KSR.pv.sets("$fu", uri)


def write_to(uri: str) -> None:
    KSR.pv.sets("$tu", uri)


def drop_display_names() -> None:
    KSR.pv.unset("$fn")
    KSR.pv.unset("$tn")


def replace_identity_headers(headers: Iterable[tuple[str, str]], outside: bool) -> None:
    """Whatever named the caller goes, ``outside`` its history too; what is to name it comes."""
    remove = KSR.hdr.remove
    for name in OUTSIDE_HEADERS if outside else FOREIGN_HEADERS:
        remove(name)
    for name, value in headers:
        if name == "Session-Expires" and KSR.hdr.is_present(name) > 0:
            continue  # its caller has asked already
        if name not in OUTSIDE_HEADERS:
            remove(name)
        KSR.hdr.append(f"{name}: {value}\r\n")


def drop_identity_headers() -> None:
    """Inside a call: its Route leads on, and stays. To ask costs less than to remove."""
    for name in INSIDE_HEADERS:
        if KSR.hdr.is_present(name) > 0:
            KSR.hdr.remove(name)


def record_route(token: str) -> None:
    # add_rr_param would take 512 bytes at most, and then leave the call without its token
    KSR.rr.record_route_params(";pg=" + token)


def loose_route() -> bool:
    return KSR.rr.loose_route() > 0


def follow_reply_path() -> None:
    """Answers go where the request came from, whatever its Via says (RFC 3581)."""
    KSR.force_rport()


def name_real_contact() -> None:
    """Remember, in the Contact itself, where a sender behind NAT really is."""
    KSR.nathelper.set_contact_alias()


def use_real_contact() -> None:
    KSR.nathelper.handle_ruri_alias()


def aim(request_user: str, address: Address) -> None:
    """Where the request at hand goes next."""
    sets, where = KSR.pv.sets, address.where
    sets("$ru", "sip:" + where if "@" in where else f"sip:{request_user}@{where}")
    sets("$du", address.uri)
    if _sockets:
        sets("$fs", _sockets[address.source, address.transport])


# -- relaying ----------------------------------------------------------------------------------


def cancel_as_written() -> None:
    """Else a CANCEL would carry the caller's To instead of the one written."""
    KSR.tm.t_use_uac_headers()


def watch_invite(branch: bool, asks: bool) -> None:
    """``branch``: each attempt is written in a branch of its own. ``asks``: for credentials."""
    if asks:
        KSR.tm.t_on_reply("ksr_asked_invite_reply")
        KSR.tm.t_on_failure("ksr_asked_invite_failed")
    else:
        KSR.tm.t_on_reply("ksr_invite_reply")
        KSR.tm.t_on_failure("ksr_invite_failed")
    if branch:
        KSR.tm.t_on_branch("ksr_invite_branch")


def watch_request() -> None:
    KSR.tm.t_on_reply("ksr_dialog_reply")


def patience(invite_ms: int, first_ms: int) -> None:
    """How long the far side may stay without a final answer from now on, and without any."""
    KSR.tm.t_set_fr(invite_ms, first_ms)


def relay() -> bool:
    """Send the request at hand on, statefully. False when it could not even be sent."""
    return KSR.tm.t_relay() >= 0


def remember(text: str, again: bool = False) -> None:
    """Keep a text with the transaction; `remembered` reads it in replies and failures. ``again``:
    it replaces one.
    """
    if again:
        KSR.pvx.avp_rm("pg")
    KSR.pvx.avp_sets("pg", text)


def remembered() -> str:
    return str(KSR.pvx.avp_gete("pg"))


def flag(number: int) -> None:
    KSR.setflag(number)


def unflag(number: int) -> None:
    KSR.resetflag(number)


def is_flagged(number: int) -> bool:
    return bool(KSR.isflagset(number))


# -- media -------------------------------------------------------------------------------------


def media_offer(call: str, asked: str = "") -> bool:
    """``asked``: what else the relay shall do, between which interfaces; a space at its end."""
    return KSR.rtpengine.rtpengine_offer(asked + _TO_RTPENGINE + call) > 0


def media_of_before() -> None:
    """What follows for this message is for the relay that was there before the last restart."""
    KSR.rtpengine.set_rtpengine_set(RELAY_BEFORE)


def media_answer(call: str) -> bool:
    return KSR.rtpengine.rtpengine_answer(_TO_RTPENGINE + call) > 0
