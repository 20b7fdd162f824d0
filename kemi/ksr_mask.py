"""Takes the message at hand apart and puts another one in its place, through KSR; it decides
nothing, and what it could not write it says so of.

Every header goes, by one expression that spares none but Content-Length, whose value Kamailio
writes itself; then one block of text comes. So nothing of the old message is left but the number of
its bytes, however it was spelled.

What Kamailio 5.6 does while it builds the request must be known here: it tells the topmost Via
where the request came from (RFC 3581), inside the header that has just been taken out. That would
put the caller's address into the far side's message. So the message is first said to have come from
ourselves, and a Via of our own is put where the text will land.
"""

from __future__ import annotations

from base64 import b64decode
from typing import NamedTuple

import KSR

from kemi.ksr_message import readable

_EVERY, _BUT = ".", "^(l|content-length)$"
_VIA = "^v(ia)?[ \t]*:"
_ROUTES_MOST = 16


class Near(NamedTuple):
    """The request that an answer is to: as its sender wrote it, and where it came from."""

    vias: str
    from_: str
    to: str
    call_id: str
    cseq: str
    routes: str
    ip: str
    port: int


def is_masked() -> bool:
    """Whether the Route of a request inside a call is one that we gave in a masked call."""
    return ";pm=" in readable(lambda: str(KSR.hdr.gete("Route")))


def token() -> str:
    """Of a request inside a masked call: the parts of the token in all its Routes, put together."""
    parts = []
    for index in range(_ROUTES_MOST):
        value = KSR.hdr.gete_idx("Route", index)
        if not value:
            break
        for route in value.split(","):
            parts.append(route.partition(";pm=")[2].partition(";")[0].partition(">")[0].strip())
    return "".join(parts)


def request_user() -> str:
    return KSR.kx.gete_ruser()


def near() -> Near:
    """In a reply or failure callback."""
    get = KSR.pv.gete
    return Near(
        str(get("$T_req($(hdr(Via)[*]))")),
        readable(lambda: str(get("$T_req($hdr(From))"))) or _bare("$T_req($fu)", "$T_req($ft)"),
        readable(lambda: str(get("$T_req($hdr(To))"))) or _bare("$T_req($tu)", "$T_req($tt)"),
        str(get("$T_req($ci)")),
        str(get("$T_req($hdr(CSeq))")),
        readable(lambda: str(get("$T_req($(hdr(Record-Route)[*]))"))),
        str(get("$T_req($si)")),
        int(get("$T_req($sp)") or 0),
    )


def _bare(uri: str, tag: str) -> str:
    """A From or To whose display name has foreign bytes, without it."""
    said = str(KSR.pv.gete(uri))
    mark = str(KSR.pv.gete(tag))
    return f"<{said}>;tag={mark}" if mark else f"<{said}>"


def near_socket() -> tuple[str, str]:
    """Our address that the request came to, and by what: udp, tcp or tls."""
    return str(KSR.pv.gete("$T_req($Ri)")), str(KSR.pv.gete("$T_req($proto)")).lower()


def header(name: str) -> str:
    """Of the message at hand: the first of this name; empty where it has foreign bytes."""
    if KSR.hdr.is_present(name) <= 0:
        return ""
    return readable(lambda: str(KSR.hdr.gete(name)))


def every(name: str) -> str:
    """All headers of this name, with commas."""
    if KSR.hdr.is_present(name) <= 0:
        return ""
    found = []
    for index in range(_ROUTES_MOST):
        value = readable(lambda at=index: str(KSR.hdr.gete_idx(name, at)))  # type: ignore[misc]
        if not value:
            break
        found.append(value)
    return ", ".join(found)


def failed_header(name: str) -> str:
    """In a failure callback: of the answer that failed. One of Min-SE, Retry-After and Reason."""
    return readable(lambda: str(KSR.pv.gete(_OF_FAILURE[name])))


_OF_FAILURE = {
    "Min-SE": "$T_rpl($hdr(Min-SE))",
    "Retry-After": "$T_rpl($hdr(Retry-After))",
    "Reason": "$T_rpl($(hdr(Reason)[*]))",
}


def body() -> tuple[str, str]:
    """Content-Type and body of the message at hand, the bytes of that as Latin-1."""
    if KSR.kx.get_bodylen() <= 0:
        return "", ""
    kind = readable(lambda: str(KSR.hdr.gete("Content-Type")))
    try:
        return kind, str(KSR.pv.gete("$rb"))
    except UnicodeDecodeError:
        coded = str(KSR.pv.gete("$(rb{s.encode.base64})"))
        return kind, b64decode(coded).decode("latin-1")


def max_forwards() -> int:
    """As it was counted down."""
    return int(KSR.hdr.gete("Max-Forwards") or 69)  # none: maxfwd puts 70 in


def write_request(lines: str, kind: str, text: str, us: str, port: int) -> bool:
    """Puts these header lines and this body in place of all there is. False where that could not be
    done in full; then it must not leave. ``us``: our address, which stands in the second Via.
    """
    if KSR.corex.set_source_address(f"udp:{us}:{port}") <= 0:
        return False
    if KSR.textops.remove_hf_exp(_EVERY, _BUT) <= 0:
        return False
    mark = f"Via: SIP/2.0/UDP {us}:{port};branch=z9hG4bKportgate"
    if KSR.textops.search_append(_VIA, mark) <= 0:
        return False
    return _put("\r\n" + lines, kind, text)


def write_reply(status: int, reason: str, lines: str, kind: str, text: str) -> bool:
    """The same for an answer; its status stays, its words are ours."""
    if KSR.textopsx.change_reply_status(status, reason) <= 0:
        return False
    if KSR.textops.remove_hf_exp(_EVERY, _BUT) <= 0:
        return False
    if not text and KSR.hdr.is_present("Content-Length") <= 0:
        lines += "Content-Length: 0\r\n"
    return _put(lines, kind, text)


def _put(lines: str, kind: str, text: str) -> bool:
    for index in range(1, _ROUTES_MOST):
        if not readable(lambda at=index: str(KSR.hdr.gete_idx("Content-Length", at))):  # type: ignore[misc]
            break
        KSR.textops.remove_hf_idx("Content-Length", index)  # only one of them is written anew
    if text and readable(lambda: str(KSR.hdr.gete("Content-Type"))) == kind:
        lines += f"Content-Type: {kind}\r\n"  # else set_body writes it
    if KSR.hdr.append_after(lines, "Via") <= 0:
        return False
    if text and KSR.textops.set_body(text, kind) <= 0:
        return False
    # set_body takes the place of as many bytes as Content-Length tells; what else there is, even
    # behind the end of an answer, goes here.
    return KSR.kx.get_bodylen() <= 0 or KSR.textopsx.remove_body() > 0


def keep_cancels_words() -> None:
    """What a CANCEL says of its reason stays on its own side."""
    KSR.tm.t_set_no_e2e_cancel_reason(1)


def answer_failed(status: int, reason: str, lines: str) -> None:
    """In a failure callback: the caller is told this, and nothing of what the far side said."""
    if lines:
        KSR.hdr.append_to_reply(lines)
    KSR.tm.t_reply(status, reason)


def remember_way(text: str) -> None:
    """Kept with the transaction beside what `ksr_effects.remember` keeps."""
    KSR.pvx.avp_rm("pm")
    KSR.pvx.avp_sets("pm", text)


def remembered_way() -> str:
    return str(KSR.pvx.avp_gete("pm"))


def watch_invite(asks: bool) -> None:
    KSR.tm.t_on_reply("ksr_masked_invite_reply")
    KSR.tm.t_on_failure("ksr_asked_invite_failed" if asks else "ksr_invite_failed")
    KSR.tm.t_on_branch("ksr_invite_branch")


def watch_request() -> None:
    KSR.tm.t_on_reply("ksr_masked_reply")
    KSR.tm.t_on_failure("ksr_masked_failed")
    KSR.tm.t_on_branch("ksr_masked_branch")


def aim(uri: str, next_hop: str, socket: str) -> None:
    """Where a request inside a call goes."""
    KSR.pv.sets("$ru", uri)
    if next_hop:
        KSR.pv.sets("$du", next_hop)
    else:
        KSR.pv.unset("$du")  # loose routing may have found another Route
    if socket:
        KSR.pv.sets("$fs", socket)
