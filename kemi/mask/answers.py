"""Answers to a masked INVITE, and to requests inside a masked call, on their way back; written anew
for the side that asked. It records nothing.
"""

from __future__ import annotations

from kemi import ksr_branches as branches
from kemi import ksr_effects as do
from kemi import ksr_mask as mask
from kemi import ksr_message as message
from kemi.ksr_mask import Near
from kemi.mask import fields, invite, lines, reading, sdp, vias
from kemi.mask.bodies import SDP
from kemi.mask.token import Way, near_tag, seal_target, seal_way, seed_of
from kemi.worker import Worker

# Final answers of a far side that are no business of the near one, and what is said instead.
CHALLENGES = (401, 407)


def to_invite(worker: Worker, ident: str, routes: list[str]) -> bool:
    """A 1xx or 2xx to a new INVITE. ``routes``: between us and the called side, topmost first."""
    near, seed = mask.near(), seed_of(worker.sealer, ident)
    called_tag = message.readable(message.to_tag)
    ours = near_tag(seed, called_tag) if called_tag else ""
    counted, guests, media, pace = invite.of_kept(mask.remembered_way())
    far_socket = worker.ours.socket_to(message.received_on(), message.source().proto)
    offered = do.is_flagged(do.FLAG_OFFERED)
    far_from, far_to = message.readable(branches.from_uri), message.readable(branches.to_uri)
    way = Way(
        *(ident, seed, True, "", called_tag, far_to, far_from),
        routes=tuple([lines.bare(route) for route in reversed(routes)]),
        socket=far_socket,
        offered=offered,
        counted=counted,
        guests=guests,
        media=media,
        pace=pace,
    )
    us = worker.ours.named(*mask.near_socket())
    said = _top(near)
    if called_tag:  # makes a dialog (RFC 3261, section 12.1)
        parts = seal_way(worker.sealer, way, near.call_id)
        target = seal_target(worker.sealer, reading.target(worker), ident)
        if not parts or not target:
            do.log_error(f"call {ident}: the identities of its far side are too long to be masked")
            return False
        # Their sender turns them round (section 12.1.2).
        said += lines.record_routes(us, parts[::-1], invite.MARK, near.routes)
        said += lines.contact(us, target)
    elif near.routes:
        said += f"Record-Route: {near.routes}\r\n"
    to = f"{near.to};tag={ours}" if ours else near.to  # a new INVITE has none
    said += lines.dialog(near.from_, to, near.call_id, near.cseq)
    said += f"Server: {lines.OURS}\r\n" + reading.of_answer("INVITE")
    kind, text = _description(worker, ident, invite.CALLER, ours, seed, "a")
    status = message.status()
    return mask.write_reply(status, lines.words(status), said, kind, text)


def inside(worker: Worker, ident: str, seed: bytes, asking: str, asked: str, method: str) -> bool:
    """A 1xx or 2xx to a request inside the call. ``asking``, ``asked``: the two sides by the names
    that the media relay has for them.
    """
    near, status = mask.near(), message.status()
    said = _top(near)
    if method in ("INVITE", "UPDATE") and message.readable(message.contact):
        target = seal_target(worker.sealer, reading.target(worker), ident)
        if not target:
            return False
        said += lines.contact(worker.ours.named(*mask.near_socket()), target)
    said += lines.dialog(near.from_, near.to, near.call_id, near.cseq)
    said += f"Server: {lines.OURS}\r\n" + reading.of_answer(method)
    side = "a" if asking == invite.CALLER else "b"
    kind, text = _description(worker, ident, asking, asked, seed, side)
    return mask.write_reply(status, lines.words(status), said, kind, text)


def nothing_crosses() -> bool:
    """Of the answer at hand nothing but its status is left: of a final one, because what the near
    side gets is made when all have failed; of any other, because it could not be written anew (tm
    sends a 2xx on whatever is said here).
    """
    near, status = mask.near(), message.status()
    said = _top(near) + lines.dialog(near.from_, near.to, near.call_id, near.cseq)
    return mask.write_reply(status, lines.words(status), said, "", "")


def _top(near: Near) -> str:
    return f"Via: {vias.returned(near.vias, near.ip, near.port)}\r\n"


def _description(
    worker: Worker, ident: str, asking: str, asked: str, seed: bytes, side: str
) -> tuple[str, str]:
    """The session description of the answer at hand, as the ``side`` that asked may see it; what
    cannot be written anew is left out, and said.
    """
    if not message.has_sdp() or worker.relay is None:
        return "", ""
    body = reading.body()
    clean = sdp.rebuild(body.text, invite.session_id(seed, side)) if body.kind == SDP else None
    done = None
    if clean is not None:
        if do.is_flagged(do.FLAG_OFFERED):
            done = worker.relay.answer(ident, asking, asked, clean)
        else:
            ours = worker.ours
            way = ours.media_way(message.received_on(), message.asked_on()) if ours.several else ""
            done = worker.relay.offer(ident, asked, asking, clean, way)
    if not done:
        do.log_error(f"call {ident}: the session description of an answer could not be masked")
        return "", ""
    return SDP, done


def refuse(status: int) -> None:
    """In a failure callback: tell the near side, of all that the far one said, the status only, and
    those numbers that it needs to go on.
    """
    if status < 400:
        status = 480
    elif status in CHALLENGES or status == 503:
        status = 500  # one far side that is full is not all of us (RFC 3261, section 16.7 step 6)
    said = ""
    if status == 422 and (least := fields.digits(mask.failed_header("Min-SE"))):
        said = f"Min-SE: {least}\r\n"
    if status in (480, 486, 500, 503, 600, 603) and (
        later := fields.digits(mask.failed_header("Retry-After"))
    ):
        said += f"Retry-After: {later}\r\n"
    if cause := fields.reason(mask.failed_header("Reason")):
        said += f"Reason: {cause}\r\n"
    mask.answer_failed(status, lines.words(status), said)
