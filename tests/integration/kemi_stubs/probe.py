"""Questions and edits put to KSR, the same for Kamailio and for the fake; it compares nothing.

Runs inside Kamailio too, so it imports only the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PV_NAMES = _words(
    "$fu $fU $fd $ft $fn $tu $tU $td $tt $tn $ru $rU $rd $ou $oU $rm $ci $cs $rs $rr $si $sp $Ri "
    "$Rp $proto $ct $ua $mb $ml $bs $rb $du $dd $cT $cl $ai $re $pu $mt $hdr(From) $hdr(f) "
    "$hdr(Subject) $hdr(X-None) $hdr(Contact) $hdr(P-Asserted-Identity) "
    "$(hdr(Subject){s.encode.base64}) $(fn{s.encode.base64}) $(hdr(Via)[0]) $(hdr(Via)[1]) "
    "$(hdr(Via)[-1]) $hdrc(Via) $hdrc(Record-Route) $avp(never) $var(never) $xavp(never) $null "
    "$T_reply_code $T_req($fu) $T_req($tu) $T_req($hdr(Subject))"
)
KX_NAMES = _words(
    "get_ruri get_ruser gete_ruser getw_ruser get_rhost gete_rhost get_ouri get_furi get_fuser "
    "gete_fuser get_fhost gete_fhost get_turi get_tuser gete_tuser get_thost gete_thost get_duri "
    "gete_duri getw_duri get_cturi gete_cturi getw_cturi get_ua gete_ua getw_ua get_srcip "
    "get_srcport get_rcvip get_rcvport get_proto get_method get_status gets_status get_body "
    "gete_body get_bodylen get_callid get_msgbuf get_msglen get_msgtype get_srcuri"
)
HEADERS = _words(
    "From to Via Contact Subject X-None Record-Route P-Asserted-Identity k Supported Privacy"
)
ROOT_NAMES = _words(
    "is_INVITE is_ACK is_BYE is_CANCEL is_OPTIONS is_PRACK is_UPDATE is_REFER is_INFO is_REGISTER "
    "is_UDP is_TCP is_IPv4 is_IPv6 is_myself_ruri is_myself_furi is_myself_turi isdsturiset"
)


def answers(ksr: Any) -> dict[str, str]:
    """{question: repr of the answer, or the name of what was raised}."""
    found: dict[str, str] = {}

    def ask(label: str, question: Callable[[], Any]) -> None:
        try:
            found[label] = repr(question())
        except Exception as error:  # the name of the exception is the answer
            found[label] = raised(error)

    for name in PV_NAMES:
        ask(f"pv.get {name}", lambda name=name: ksr.pv.get(name))
    for name in ("$hdr(X-None)", "$hdr(Subject)", "$fn", "$fu", "$tt", "$du", "$var(never)", "$sp"):
        for kind in ("gete", "getw", "geti", "is_null"):
            ask(f"pv.{kind} {name}", lambda name=name, kind=kind: getattr(ksr.pv, kind)(name))
        ask(f"pv.getvs {name}", lambda name=name: ksr.pv.getvs(name, "other"))
        ask(f"pv.getvn {name}", lambda name=name: ksr.pv.getvn(name, 7))
    for name in KX_NAMES:
        ask(f"kx.{name}", lambda name=name: getattr(ksr.kx, name)())
    for name in HEADERS:
        for kind in ("get", "gete", "getw", "is_present"):
            ask(f"hdr.{kind} {name}", lambda name=name, kind=kind: getattr(ksr.hdr, kind)(name))
        for index in (0, 1, 2, -1):
            ask(f"hdr.gete_idx {name} {index}", lambda n=name, i=index: ksr.hdr.gete_idx(n, i))
        ask(f"textops.is_present_hf {name}", lambda name=name: ksr.textops.is_present_hf(name))
    for name in ROOT_NAMES:
        ask(f"KSR.{name}", lambda name=name: getattr(ksr, name)())
    ask("siputils.has_totag", lambda: ksr.siputils.has_totag())
    ask("siputils.is_request", lambda: ksr.siputils.is_request())
    ask("siputils.is_reply", lambda: ksr.siputils.is_reply())
    ask("textops.has_body", lambda: ksr.textops.has_body())
    for kind in ("application/sdp", "multipart/mixed", "application/dtmf-relay"):
        ask(f"textops.has_body_type {kind}", lambda kind=kind: ksr.textops.has_body_type(kind))
    ask("is_method", lambda: ksr.is_method("INVITE|BYE"))
    ask("t_is_canceled", lambda: ksr.tm.t_is_canceled())
    ask("t_check_status", lambda: ksr.tm.t_check_status("2.."))
    ask("is_request_route", lambda: ksr.tmx.t_is_request_route())
    ask("is_reply_route", lambda: ksr.tmx.t_is_reply_route())
    for bit in (0, 3, 31, 32):
        ask(f"isflagset {bit}", lambda bit=bit: ksr.isflagset(bit))
    return found


def raised(error: Exception) -> str:
    """The built-in exception that this one is."""
    kinds = (kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return f"raised {next(kinds).__name__}"


Step = tuple[str, str, tuple[str | int, ...]]

# Name of a header edit -> steps; every answer is compared, and so is what then goes out.
EDITS: dict[str, tuple[Step, ...]] = {
    "nothing": (),
    "identities": (
        ("pv", "sets", ("$fu", "sip:shown@ours.example")),
        ("pv", "sets", ("$tu", "sip:called@ours.example")),
        ("pv", "unset", ("$fn",)),
        ("pv", "unset", ("$tn",)),
        ("pv", "get", ("$fu",)),
        ("pv", "get", ("$fn",)),
    ),
    "names": (
        ("pv", "sets", ("$fn", '"New Name"')),
        ("pv", "sets", ("$tn", '"Other Name"')),
        ("kx", "get_furi", ()),
    ),
    "twice": (
        ("pv", "sets", ("$fu", "sip:one@a.example")),
        ("pv", "sets", ("$fu", "sip:two@b.example")),
    ),
    "parts": (
        ("pv", "sets", ("$fU", "77")),
        ("pv", "sets", ("$fd", "ours.example")),
        ("pv", "sets", ("$tU", "88")),
        ("pv", "sets", ("$td", "ours.example")),
    ),
    "headers": (
        ("hdr", "remove", ("Subject",)),
        ("hdr", "get", ("Subject",)),
        ("hdr", "is_present", ("Subject",)),
        ("hdr", "remove", ("X-None",)),
        ("hdr", "append", ("X-First: 1\r\n",)),
        ("hdr", "append", ("X-Second: 2\r\n",)),
        ("hdr", "get", ("X-First",)),
        ("hdr", "insert", ("X-Top: 0\r\n",)),
        ("hdr", "rmappend", ("P-Asserted-Identity", "P-Asserted-Identity: <sip:1@ours>\r\n")),
        ("textops", "remove_hf", ("User-Agent",)),
        ("textops", "remove_hf", ("X-None",)),
    ),
    "remove many": (
        ("hdr", "remove", ("Record-Route",)),
        ("hdr", "remove", ("supported",)),
        ("hdr", "is_present", ("Record-Route",)),
        ("textops", "remove_hf_re", ("^X-",)),
    ),
    "addresses": (
        ("", "seturi", ("sip:new@far.example;transport=udp",)),
        ("pv", "get", ("$ru",)),
        ("pv", "get", ("$rU",)),
        ("pv", "get", ("$ou",)),
        ("", "setuser", ("other",)),
        ("kx", "get_ruri", ()),
        ("pv", "sets", ("$rd", "deep.example")),
        ("pv", "sets", ("$rU", "third")),
        ("kx", "get_ruri", ()),
        ("", "isdsturiset", ()),
        ("pv", "sets", ("$du", "sip:127.0.0.1:9")),
        ("pv", "get", ("$du",)),
        ("", "isdsturiset", ()),
        ("", "resetdsturi", ()),
        ("pv", "get", ("$du",)),
    ),
    "state": (
        ("", "setflag", (3,)),
        ("", "isflagset", (3,)),
        ("", "resetflag", (3,)),
        ("", "isflagset", (3,)),
        ("", "setflag", (40,)),
        ("", "setflag", (5,)),
        ("pv", "seti", ("$var(a)", 5)),
        ("pv", "get", ("$var(a)",)),
        ("pv", "sets", ("$var(a)", "text")),
        ("pv", "get", ("$var(a)",)),
        ("pv", "sets", ("$avp(a)", "one")),
        ("pv", "sets", ("$avp(a)", "two")),
        ("pv", "get", ("$avp(a)",)),
        ("pv", "unset", ("$avp(a)",)),
        ("pv", "get", ("$avp(a)",)),
        ("pvx", "avp_sets", ("p", "x")),
        ("pvx", "avp_get", ("p",)),
        ("pvx", "avp_gete", ("p",)),
        ("pvx", "avp_sets", ("p", "y")),
        ("pvx", "avp_get", ("p",)),
        ("pvx", "avp_rm", ("p",)),
        ("pvx", "avp_get", ("p",)),
        ("pvx", "avp_gete", ("never",)),
        ("pvx", "avp_seti", ("n", 4)),
        ("pvx", "avp_get", ("n",)),
        ("pvx", "var_sets", ("v", "z")),
        ("pvx", "var_get", ("v",)),
        ("pvx", "var_seti", ("v", 9)),
        ("pvx", "var_get", ("v",)),
        ("pvx", "xavp_sets", ("x", "deep")),
        ("pvx", "xavp_get", ("x",)),
        ("pvx", "xavp_gete", ("never",)),
        ("pvx", "xavp_is_null", ("x",)),
        ("pvx", "xavp_rm", ("x",)),
        ("pvx", "xavp_is_null", ("x",)),
        ("pv", "sets", ("$si", "x")),
    ),
    "hops": (
        ("maxfwd", "is_maxfwd_lt", (10,)),
        ("maxfwd", "process_maxfwd", (70,)),
    ),
    "routing": (
        ("rr", "loose_route", ()),
        ("pv", "get", ("$du",)),
        ("pv", "get", ("$ru",)),
        ("pv", "gete", ("$route_uri",)),
        ("rr", "check_route_param", ("pg=abc",)),
        ("rr", "check_route_param", ("pg=zzz",)),
        ("rr", "add_rr_param", (";pg=token",)),
        ("rr", "record_route", ()),
        ("rr", "record_route", ()),
    ),
    "a long parameter": (
        ("rr", "add_rr_param", (";pg=" + "x" * 600,)),
        ("rr", "record_route_params", (";pg=" + "y" * 600,)),
        ("rr", "record_route_params", (";pg=again",)),
    ),
    "alias": (
        ("nathelper", "set_contact_alias", ()),
        ("nathelper", "handle_ruri_alias", ()),
        ("pv", "get", ("$du",)),
        ("pv", "get", ("$ru",)),
    ),
    "transaction": (
        ("tm", "t_check_trans", ()),
        ("tm", "t_lookup_request", ()),
        ("tm", "t_lookup_cancel", ()),
        ("tm", "t_is_set", ("failure_route",)),
        ("tm", "t_on_failure", ("ksr_any",)),
        ("tm", "t_is_set", ("failure_route",)),
        ("tm", "t_on_failure", ("",)),
        ("tm", "t_set_fr", (1000, 1000)),
        ("tm", "t_use_uac_headers", ()),
        ("tm", "t_newtran", ()),
        ("tm", "t_newtran", ()),
        ("tm", "t_check_trans", ()),
    ),
    "misuse": (
        ("pv", "get", (5,)),
        ("pv", "get", ()),
        ("pv", "get", ("$fu", "$tu")),
        ("pv", "get", ("$fu\0",)),
        ("pv", "sets", ("$var(a)", 5)),
        ("pv", "seti", ("$var(a)", "5")),
        ("pv", "seti", ("$var(a)", 1 << 31)),
        ("", "setflag", ("1",)),
        ("hdr", "append", ("\udcff",)),
        ("pv", "nosuch", ()),
        ("", "nosuch", ()),
    ),
}


def edit(ksr: Any, name: str) -> list[str]:
    """Do the steps of one edit; the repr of every answer, or the name of what was raised."""
    found = []
    for module, function, arguments in EDITS[name]:
        try:
            owner = getattr(ksr, module) if module else ksr
            answer = repr(getattr(owner, function)(*arguments))
        except Exception as error:  # the name of the exception is the answer
            answer = raised(error)
        found.append(f"{module}.{function}{arguments!r} -> {answer}")
    return found
