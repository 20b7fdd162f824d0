"""Writes a new call for its far side so that nothing of the near one crosses; it decides nothing
and relays nothing.
"""

from __future__ import annotations

import json

from kemi import ksr_effects as do
from kemi import ksr_mask as mask
from kemi import ksr_message as message
from kemi.facts import Facts
from kemi.mask import lines, reading, sdp
from kemi.mask.bodies import SDP
from kemi.mask.token import (
    Way,
    far_call_id,
    far_tag,
    seal_target,
    seal_way,
    seed_of,
)
from kemi.media import flags
from kemi.pace import Pace
from kemi.plan import Plan
from kemi.worker import Worker

CALLER = "a"  # the caller's name at the media relay
# In the Record-Route that a side is given; another name than that of calls that are not masked.
MARK = "pm"


def refusal(worker: Worker, contact: str) -> tuple[int, str]:
    """Why the INVITE at hand cannot be masked, as a status and a reason for people; (0, "") where
    it can. ``contact``: its Contact URI.
    """
    if not contact:
        return 400, "it names no Contact"
    if required := reading.foreign_requirement():
        return 420, f"it requires {required[:60]!r}, which cannot cross"
    body = reading.body()
    if body.refused or body.kind not in ("", SDP):
        return 415, "its body cannot be masked"
    if body.kind == SDP:
        if sdp.rebuild(body.text, 0) is None:
            return 488, "its session description cannot be read"
        if worker.relay is None:
            return 503, "there is no media relay to hide where its audio comes from"
    return 0, ""


def names(worker: Worker, ident: str) -> tuple[str, str]:
    """Call-ID and From tag of the call on its far side."""
    seed = seed_of(worker.sealer, ident)
    return far_call_id(seed), far_tag(seed)


def write(
    worker: Worker, ident: str, plan: Plan, facts: Facts, tries: int, credentials: str
) -> bool:
    """The attempt that this process is just relaying; False where it must not leave."""
    seed = seed_of(worker.sealer, ident)
    offered = do.is_flagged(do.FLAG_OFFERED)
    counted = bool(worker.limits.of) and do.is_flagged(do.FLAG_COUNTED)
    pace = _pace(worker, plan, facts, tries)
    on = message.received_on()
    way = Way(
        *(ident, seed, False, facts.call_id, facts.from_tag, facts.from_uri, facts.to_uri),
        routes=tuple([lines.bare(route) for route in message.record_routes()]),
        socket=worker.ours.socket_to(on, facts.proto),
        offered=offered,
        counted=counted,
        guests=plan.guests,
        media=plan.media,
        pace=pace,
    )
    call_id = far_call_id(seed)
    parts = seal_way(worker.sealer, way, call_id)
    user = seal_target(worker.sealer, reading.target(worker), ident)
    if not parts or not user:
        do.log_error(f"call {ident}: its identities are too long to be masked")
        return False
    kind, text = _offer(worker, ident, plan, seed) if offered else ("", "")
    if offered and not text:
        return False
    by, proto = worker.ours.leaving(), reading.proto_of(message.where_to()[1])
    us = worker.ours.named(by, proto)
    said = lines.record_routes(us, parts, MARK) + lines.dialog(
        f"<{plan.from_uri}>;tag={far_tag(seed)}",
        f"<sip:{plan.to_user}@{plan.to_host}>",
        call_id,
        f"{facts.cseq + tries} INVITE",
    )
    said += f"Max-Forwards: {mask.max_forwards()}\r\nUser-Agent: {lines.OURS}\r\n"
    said += lines.contact(us, user) + _told(plan, reading.of_request("INVITE"))
    if credentials:
        said += credentials + "\r\n"
    mask.remember_way(kept(way))
    return mask.write_request(said, kind, text, worker.ours.shown_ip(by), worker.ours.port)


def _told(plan: Plan, asked: str) -> str:
    """What the far side wants to be told besides; of a session timer, the caller's own first."""
    headers = plan.headers
    if "Session-Expires:" in asked:
        headers = tuple([one for one in headers if one[0] != "Session-Expires"])
    return lines.added(headers) + asked


def _pace(worker: Worker, plan: Plan, facts: Facts, tries: int) -> Pace | None:
    if plan.asks:
        return Pace("b", plan.to, plan.trunk, facts.cseq, tries)
    if not worker.asking:
        return None
    peer = worker.peer(facts.ip)
    return worker.asking.get(peer) if peer is not None else None


def _offer(worker: Worker, ident: str, plan: Plan, seed: bytes) -> tuple[str, str]:
    clean = sdp.rebuild(reading.body().text, session_id(seed, "b"))
    if clean is None or worker.relay is None:
        return "", ""
    asked, ours = flags(*plan.media.split("/")) if plan.media else "", worker.ours
    way = ours.media_way(message.received_on(), message.leaves_by()) if ours.several else ""
    return SDP, worker.relay.offer(ident, CALLER, "", clean, asked + way) or ""


def session_id(seed: bytes, side: str) -> int:
    """Of a session description's origin (RFC 8866, section 5.2), towards this side."""
    return int.from_bytes(seed[:6], "big") * 2 + (side == "b")


def kept(way: Way) -> str:
    """What an answer must know of the call, to be kept with its transaction."""
    return json.dumps((way.counted, way.guests, way.media, way.pace))


def of_kept(text: str) -> tuple[bool, str, str, Pace | None]:
    """The inverse of `kept`."""
    counted, guests, media, pace = json.loads(text)
    return counted, guests, media, Pace(*pace) if pace else None
