"""Early media that we give ourselves: what has to be read for it, the 183, and the final answer
that comes later; it decides nothing.
"""

from __future__ import annotations

import KSR


def is_sdp() -> bool:
    """Whether the body is SDP and nothing else."""
    return KSR.kx.get_bodylen() > 0 and KSR.textops.has_body_type("application/sdp") > 0


def body() -> str:
    return str(KSR.kx.get_body() or "")


def wants_reliable() -> bool:
    """Whether provisional answers must be acknowledged (RFC 3262, section 3); said so if it cannot
    be read.
    """
    if KSR.hdr.is_present("Require") <= 0:
        return False
    try:
        return "100rel" in ",".join(KSR.hdr.gete_idx("Require", index) for index in range(4))
    except UnicodeDecodeError:
        return True


def answer_early(sdp: str, contact: str) -> None:
    """Early media (RFC 3261, section 13.2.1): the caller hears something before it is answered."""
    KSR.textops.set_reply_body(sdp, "application/sdp")
    KSR.hdr.append_to_reply(f"Contact: {contact}\r\n")
    KSR.tm.t_reply(183, "Session Progress")


def later(callback: str, milliseconds: int) -> bool:
    """Go on with the request at hand in Kamailio's async worker; nothing waits meanwhile."""
    return bool(getattr(KSR, "async").ms_route(callback, milliseconds) >= 0)


def answer_after_early(status: int, reason: str) -> None:
    """The final answer to what was answered early; nothing to one that was cancelled."""
    if KSR.tm.t_is_canceled() < 0:
        KSR.tm.t_reply(status, reason)


def note(call_id: str, ident: str) -> None:
    """Something is played to the caller of the INVITE with this Call-ID."""
    KSR.htable.sht_sets("announced", call_id, ident)


def noted(call_id: str) -> str:
    """Under which id the media relay plays; empty where it does not."""
    return str(KSR.htable.sht_gete("announced", call_id))


def forget(call_id: str) -> None:
    KSR.htable.sht_rm("announced", call_id)
