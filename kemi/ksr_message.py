"""Reads the message at hand through KSR into plain values; it changes nothing and decides nothing.

KSR gives UTF-8 str or raises UnicodeDecodeError. Only URIs, tags and numbers are read here, never
display names or free text, so a CP1251 byte in a Subject cannot disturb a call; a URI with raw
8-bit bytes is malformed (RFC 3261, section 25.1) and the caller of these functions answers 400.
Names of pseudo-variables are constants on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

import KSR

from carrier_adapters.contract import Invite
from kemi.facts import Facts, Source
from kemi.plan import host_of, user_of

# The URI of each header that may name the caller; pv gives the parsed URI without the display name.
_CALLER_URIS = {
    "P-Asserted-Identity": "$ai",
    "Remote-Party-ID": "$re",
    "P-Preferred-Identity": "$pu",
}
# The same by the names that a PBX's profile has for them.
_CALLER_PLACES = {"asserted": "$ai", "remote_party": "$re", "diversion": "$di"}
_BINDINGS_MOST = 8
_BINDING_PARTS = ("addr", "received", "socket", "expires", "q", "user_agent")
_BINDINGS = tuple(
    tuple(f"$(ulc(pg=>{part})[{index}])" for part in _BINDING_PARTS)
    for index in range(_BINDINGS_MOST)
)
_Q_MOST = 1000
_RECORD_ROUTES_MOST = 16
_PRIVACIES_MOST = 4
_USERNAME = re.compile(r'(?:\s|,)username\s*=\s*"([^"\\]*)"', re.IGNORECASE)
_LOGIN_LONGEST = 2000
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_Q850 = re.compile(r"(?:^|,)\s*Q\.850\s*(?:;[^,]*?)?;\s*cause\s*=\s*(\d{1,3})\b", re.IGNORECASE)
_HIDING = frozenset({"id", "user", "header"})
# sanity lets a CSeq by that no call record holds (RFC 3261, 8.1.1.5: below 2**31)
_CSEQ_MOST = (1 << 32) - 1


def facts() -> Facts:
    """All of it in one go: a function for each would cost more than the reading itself."""
    pv, kx = KSR.pv, KSR.kx
    return Facts(
        kx.get_callid() or "",
        pv.gete("$ft"),
        min(int(pv.gete("$cs") or 0), _CSEQ_MOST),
        kx.get_furi() or "",
        kx.get_turi() or "",
        kx.gete_cturi(),
        kx.gete_ruser(),
        kx.gete_fuser(),
        kx.gete_tuser(),
        kx.get_srcip() or "",
        int(kx.get_srcport() or 0),
        (kx.get_proto() or "").lower(),
    )


def source_ip() -> str:
    return KSR.kx.get_srcip() or ""


def source() -> Source:
    kx = KSR.kx
    return Source(kx.get_srcip(), int(kx.get_srcport()), kx.get_proto().lower())


def received_on() -> str:
    """Our own address that the message came to."""
    return KSR.kx.get_rcvip() or ""


def asked_on() -> str:
    """Our own address that the request came to, of which an answer is at hand."""
    return KSR.pv.gete("$T_req($Ri)")


def leaves_by() -> str:
    """Our own address that the request at hand was told to leave by; empty where it was not."""
    return KSR.pv.gete("$fs").partition(":")[2].partition(":")[0]


def method_and_source() -> tuple[str, str]:
    """The method, and the address it came from."""
    kx = KSR.kx
    return kx.get_method() or "", kx.get_srcip() or ""


def call_id() -> str:
    return KSR.kx.get_callid() or ""


def has_to_tag() -> bool:
    return KSR.siputils.has_totag() > 0


def to_tag() -> str:
    return KSR.pv.gete("$tt")


def cseq() -> int:
    return min(int(KSR.pv.gete("$cs") or 0), _CSEQ_MOST)


def cseq_asked() -> int:
    """In a reply callback: the number of the request, as its sender sent it."""
    return int(KSR.pv.gete("$T_req($cs)") or 0)


def method() -> str:
    """Of a request, or of the request that an answer answers."""
    return KSR.kx.get_method() or ""


def where_to() -> tuple[str, str]:
    """Request-URI and next hop as they are by now; that may be empty."""
    return KSR.pv.gete("$ru"), KSR.kx.gete_duri()


def contact() -> str:
    return KSR.kx.gete_cturi()


def invite(facts: Facts, caller_header: str) -> Invite:
    """The INVITE as a carrier's adapter wants it; of the headers that name a caller only From and
    the declared one.
    """
    headers = {"From": facts.from_user}
    name = _CALLER_URIS.get(caller_header)
    if name is not None:
        headers[caller_header] = user_of(_uri(name))
    return Invite(facts.request_user, facts.to_user, headers, is_anonymous())


def _uri(name: str) -> str:
    """A URI that may be absent or unreadable; either way there is none to trust."""
    try:
        return str(KSR.pv.gete(name))
    except UnicodeDecodeError:
        return ""


def asserted_user() -> str:
    """The user in P-Asserted-Identity (RFC 3325); empty when there is none."""
    return user_of(_uri("$ai"))


def own_caller(places: Iterable[str], from_user: str) -> str:
    """The user in the first of these places that names one; `anonymous` is nobody's name."""
    for place in places:
        user = from_user if place == "from" else user_of(_uri(_CALLER_PLACES[place]))
        if user and user != "anonymous":
            return user
    return ""


def to_user() -> str:
    return KSR.kx.gete_tuser()


def login_user() -> str:
    """Whom the credentials of the request are of; empty when it has none that can be read. Read as
    text, since Kamailio's parser writes a line of log for each stranger's that are none.
    """
    for header in ("Proxy-Authorization", "Authorization"):
        if KSR.hdr.is_present(header) > 0:
            found = _USERNAME.search(readable(partial(KSR.hdr.gete, header))[:_LOGIN_LONGEST])
            return found[1] if found else ""
    return ""


def is_login_for_this() -> bool:
    """Whether the credentials were made for the user that the Request-URI asks for (RFC 7616,
    section 3.4.6). Its host, port and parameters are written differently by honest clients.
    """
    asked, uri = KSR.kx.gete_ruser(), user_of(readable(lambda: str(KSR.pv.gete("$adu"))))
    return uri == asked.partition(";")[0].partition(":")[0]


def invite_source() -> str:
    """Of a CANCEL: where the INVITE came from that it ends; empty when there is none."""
    return str(KSR.pv.gete("$T_inv($si)"))


def bindings(user: str) -> list[tuple[str, str, str, int, float, str]]:
    """What Kamailio's registrar holds: (Contact, received, socket, expires, q, User-Agent)."""
    if KSR.registrar.reg_fetch_contacts("location", f"sip:{user}@any", "pg") < 0:
        return []
    found = []
    for addr, received, socket, expires, q, agent in _BINDINGS:
        contact = readable(lambda name=addr: str(KSR.pv.gete(name)))  # type: ignore[misc]
        if contact:
            value = KSR.pv.gete(q)
            found.append(
                (
                    contact,
                    str(KSR.pv.gete(received)),
                    str(KSR.pv.gete(socket)),
                    int(KSR.pv.gete(expires) or 0),
                    int(value) / _Q_MOST if str(value).isdecimal() else 1.0,
                    readable(lambda name=agent: str(KSR.pv.gete(name))),  # type: ignore[misc]
                )
            )
    KSR.registrar.reg_free_contacts("pg")
    return found


def is_anonymous() -> bool:
    """RFC 3323, section 4.2 (every Privacy header) and RFC 3261, section 8.1.1.3 (anonymous
    From).
    """
    if KSR.hdr.is_present("Privacy") > 0:
        try:
            values = [KSR.hdr.gete_idx("Privacy", index) for index in range(_PRIVACIES_MOST)]
        except UnicodeDecodeError:
            return True
        if values[-1]:
            return True  # nobody writes so many: one that hides may stand behind them
        wants = ";".join(values).lower().replace(",", ";")
        return not _HIDING.isdisjoint(word.strip() for word in wants.split(";"))
    return KSR.kx.gete_fhost() == "anonymous.invalid"


def has_sdp() -> bool:
    """Whether the body is SDP, or a multipart that holds one."""
    if KSR.kx.get_bodylen() <= 0:
        return False
    has = KSR.textops.has_body_type
    if has("application/sdp") > 0:
        return True
    return has("multipart/mixed") > 0 and KSR.textops.search_body("application/sdp") > 0


def offers_any(codecs: Iterable[str]) -> bool:
    """Whether the SDP of the message has one of these codecs, by name or by static number."""
    return any(KSR.sdpops.sdp_with_codecs_by_name(codec) > 0 for codec in codecs)


def hides_sdp() -> bool:
    """Whether a body that `has_sdp` did not take speaks of SDP all the same: a multipart of another
    kind, which the media relay cannot read.
    """
    return KSR.kx.get_bodylen() > 0 and KSR.textops.search_body("application/sdp") > 0


def readable(read: Callable[[], str]) -> str:
    """What `read` gives; empty when its bytes are foreign. For answers, which are worth more than
    any one of their parts, and whose sender cannot be told that it is wrong.
    """
    try:
        return read()
    except UnicodeDecodeError:
        return ""


def record_routes() -> list[str]:
    """The URIs of all Record-Route headers, topmost first, split where several share one line (RFC
    3261, 7.3.1).
    """
    if KSR.hdr.is_present("Record-Route") <= 0:
        return []
    routes: list[str] = []
    for index in range(_RECORD_ROUTES_MOST):
        value: str = KSR.hdr.gete_idx("Record-Route", index)
        if not value:
            break
        routes += [part.strip() for part in value.split(",")]
    return routes


def route_token() -> tuple[str, str, str]:
    """The token in the Route that loose routing has just taken off, the Call-ID it must belong to,
    and the From tag; all empty when the Route holds none.
    """
    uri = KSR.pv.gete("$route_uri")
    _, found, rest = uri.partition(";pg=")
    if not found:
        return "", "", ""
    token = rest.partition(";")[0].rstrip(">")
    return token, KSR.kx.get_callid() or "", KSR.pv.gete("$ft")


def answered_method() -> str:
    """Method of the request that the answer at hand belongs to."""
    return KSR.kx.get_method() or ""


def next_hop() -> str:
    """Host that a request inside a call would go to now: of its next Route or alias, else of its
    Request-URI. Empty where the URI names a second one (maddr, RFC 3261, section 19.1.1).
    """
    uri = KSR.kx.gete_duri()
    if not uri:
        uri = KSR.pv.gete("$ru")
    return "" if "maddr=" in uri.lower() else host_of(uri)


def reason() -> str:
    """The words beside the status of an answer."""
    return KSR.pv.gete("$rr")


def q850_cause() -> int:
    """In a failure callback: the Q.850 cause in the Reason headers of the answer that failed (RFC
    3326), 0 where it has none, or where its bytes are foreign.
    """
    return cause_in(readable(_failure_reasons))


def _failure_reasons() -> str:
    return str(KSR.pv.gete("$T_rpl($(hdr(Reason)[*]))"))


def cause_in(reasons: str) -> int:
    """The cause of the first Q.850 reason in a list of them, 0 where there is none (RFC 3326,
    section 2; Q.850 table 1 ends at 127).
    """
    found = _Q850.search(_QUOTED.sub("", reasons)) if reasons else None
    return min(int(found[1]), 127) if found else 0


def is_legible() -> bool:
    """Whether Kamailio can tell all headers apart; none can be found or taken out where it can
    not.
    """
    return KSR.hdr.is_present("Via") > 0


def has_one_via() -> bool:
    """Whether the answer at hand has only one Via, so that there is nobody to send it on to."""
    get = KSR.hdr.gete_idx
    try:
        return bool(get("Via", 0)) and not get("Via", 1) and "," not in get("Via", 0)
    except UnicodeDecodeError:
        return False


def status() -> int:
    return int(KSR.kx.get_status())
