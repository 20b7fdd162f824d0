"""Requests inside a masked call: found by what their sender carries of the other side, and written
anew for that one; nothing is looked up, so a restart in between changes nothing.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from kemi import asked, events
from kemi import ksr_answers as challenge
from kemi import ksr_branches as branches
from kemi import ksr_effects as do
from kemi import ksr_mask as mask
from kemi import ksr_message as message
from kemi.belonging import leads_to_neighbour, of_no_call
from kemi.credentials import answer
from kemi.mask import answers, invite, lines, reading, sdp
from kemi.mask.bodies import SDP, Body
from kemi.mask.token import (
    Target,
    Way,
    far_call_id,
    far_tag,
    near_tag,
    open_target,
    open_way,
    seal_target,
)
from kemi.media import flags
from kemi.worker import Worker

METHODS = frozenset({"INVITE", "BYE", "PRACK", "UPDATE", "INFO"})
NEGOTIATING = frozenset({"INVITE", "PRACK", "UPDATE"})


class Asked(NamedTuple):
    """What is kept with the transaction of a request inside a call. ``asking``, ``asked``: its two
    sides, as the media relay knows them. ``cseq``: its number on the far side, before any
    repetition; ``tries``: how often it was repeated with credentials.
    """

    call: str
    seed: str
    asking: str
    asked: str
    method: str
    cseq: int
    tries: int = 0

    @classmethod
    def kept(cls) -> Asked:
        return cls(*json.loads(mask.remembered_way()))


def handle(worker: Worker, method: str, stranger: str = "") -> None:
    """A request with a To tag whose Route is one that we gave in a masked call. ``stranger``: an
    unknown address that it came from, which the call must know.
    """
    way = open_way(worker.sealer, mask.token(), message.call_id())
    if stranger and (way is None or stranger not in way.guests.split(",")):
        if method == "ACK":
            do.is_retransmission()
        return
    target = _target(worker, way) if way is not None else None
    if way is None or target is None:
        of_no_call(method)
    elif method == "ACK":
        _acknowledge(worker, way, target)
    elif method == "OPTIONS":
        do.answer_options()  # what the other side can do is its own business
    elif method not in METHODS:
        do.answer_method_not_allowed()
    elif do.well_formed_inside() and not do.is_retransmission():
        _request(worker, method, way, target)


def _target(worker: Worker, way: Way) -> Target | None:
    """Where the other side wants to be reached; None where the tags are of another dialog."""
    ours = near_tag(way.seed, way.tag) if way.to_called else far_tag(way.seed)
    if message.to_tag() != ours:
        return None
    return open_target(worker.sealer, mask.request_user(), way.call)


def _sides(way: Way) -> tuple[str, str]:
    """The sender and the other side, as the media relay knows them."""
    if way.to_called:
        return invite.CALLER, near_tag(way.seed, way.tag)
    return near_tag(way.seed, branches.from_tag()), invite.CALLER


def _acknowledge(worker: Worker, way: Way, target: Target) -> None:
    """The ACK to a 2xx: it has no answer, and may answer a delayed offer (RFC 3264)."""
    _aim(way, target)
    if not leads_to_neighbour(worker, way.call, way.guests):
        return
    cseq, pace = message.cseq(), way.pace
    if pace is not None and pace.concerns(way.to_called):
        cseq = pace.acknowledged(cseq, challenge.noted_tries(f"{way.call} {cseq}"))
    body, (asking, other) = reading.body(), _sides(way)
    kind, text = "", ""
    if body.kind == SDP and worker.relay is not None:
        clean = sdp.rebuild(body.text, _session(way))
        # The answer to what the other side offered in its 2xx.
        done = worker.relay.answer(way.call, other, asking, clean) if clean else None
        kind, text = (SDP, done) if done else ("", "")
        if not done:
            do.log_error(f"call {way.call}: the session description of an ACK could not be masked")
    said = _lines(worker, "ACK", way, cseq)
    if said and _write(worker, said, kind, text):
        do.relay()


def _session(way: Way) -> int:
    return invite.session_id(way.seed, "b" if way.to_called else "a")


def _request(worker: Worker, method: str, way: Way, target: Target) -> None:
    do.follow_reply_path()
    body, from_caller, pace = reading.body(), way.to_called, way.pace
    if body.refused or (body.kind == SDP and method not in NEGOTIATING):
        _refuse(method, 415)
        return
    _aim(way, target)
    if not leads_to_neighbour(worker, way.call, way.guests):
        _refuse(method, 403)
        return
    if method == "INVITE" and reading.foreign_requirement():
        _refuse(method, 420)
        return
    concerned = pace is not None and pace.concerns(from_caller)
    cseq = asked.number(pace, from_caller) if pace is not None else message.cseq()
    if method == "BYE":
        _hang_up(worker, way)
    else:
        _record(worker, method, way, cseq)
    asking, other = _sides(way)
    known = Asked(way.call, way.seed.hex(), asking, other, method, cseq)
    if body.kind == SDP and (method != "PRACK" or way.offered):
        do.flag(do.FLAG_OFFERED)  # what comes back is the answer to it
    mask.remember_way(json.dumps(known))
    worker.masked = cseq, "", None
    if body.kind:
        worker.masked = cseq, "", _other_view(worker, known, way, body)
        if worker.masked[2] is None:
            _refuse(method, 503 if sdp.rebuild(body.text, 0) else 488)
            return
    if concerned:
        uri, next_hop = message.where_to()
        do.remember(json.dumps((uri, next_hop)))
    if method == "INVITE":
        do.cancel_as_written()
        mask.keep_cancels_words()
    mask.watch_request()
    if not do.relay():
        do.answer_failed(503, lines.words(503))


def _other_view(worker: Worker, known: Asked, way: Way, body: Body) -> tuple[str, str] | None:
    """The body as the other side may have it: its type and text. None where there is no such."""
    if body.kind != SDP:
        return body.kind, body.text
    clean = sdp.rebuild(body.text, _session(way))
    if clean is None or worker.relay is None:
        return None
    if not do.is_flagged(do.FLAG_OFFERED):
        done = worker.relay.answer(known.call, known.asked, known.asking, clean)
        return (SDP, done) if done else None
    wants = ""
    if way.media:
        towards, offering = way.media.split("/")
        wants = flags(towards, offering) if way.to_called else flags(offering, towards)
    ours = worker.ours
    if ours.several:
        on = message.received_on()
        wants += ours.media_way(on, message.leaves_by() or on)
    done = worker.relay.offer(known.call, known.asking, known.asked, clean, wants)
    return (SDP, done) if done else None


def write_branch(worker: Worker) -> bool:
    """The request is about to leave; False where it must not."""
    way = open_way(worker.sealer, mask.token(), message.call_id())
    cseq, credentials, body = worker.masked
    if way is None:
        return False
    said = _lines(worker, message.method(), way, cseq)
    if credentials:
        said += credentials + "\r\n"
    kind, text = body or ("", "")
    return bool(said) and _write(worker, said, kind, text)


def _lines(worker: Worker, method: str, way: Way, cseq: int) -> str:
    """All header lines of the request at hand for the other side; empty where it names a Contact
    that cannot be carried.
    """
    if way.to_called:
        ours, call_id = far_tag(way.seed), far_call_id(way.seed)
    else:
        ours, call_id = near_tag(way.seed, branches.from_tag()), way.call_id
    said = lines.routes(way.routes) + lines.dialog(
        f"<{way.own_uri}>;tag={ours}", f"<{way.uri}>;tag={way.tag}", call_id, f"{cseq} {method}"
    )
    said += f"Max-Forwards: {mask.max_forwards()}\r\nUser-Agent: {lines.OURS}\r\n"
    if method in ("INVITE", "UPDATE"):
        sender = reading.target(worker)
        user = seal_target(worker.sealer, sender, way.call) if sender.uri else ""
        if not user:
            return ""
        proto = reading.proto_of(" ".join(message.where_to()))
        said += lines.contact(worker.ours.named(worker.ours.leaving(), proto), user)
    if method == "PRACK":
        return said + reading.of_request(method, _shift(way))
    return said + reading.of_request(method)


def _shift(way: Way) -> int:
    """By how much the number of the first INVITE is higher on the far side."""
    pace = way.pace
    return pace.tries if pace is not None and pace.concerns(way.to_called) else 0


def _write(worker: Worker, said: str, kind: str, text: str) -> bool:
    us = worker.ours.shown_ip(worker.ours.leaving())
    return mask.write_request(said, kind, text, us, worker.ours.port)


def _aim(way: Way, target: Target) -> None:
    next_hop = way.routes[0] if way.routes else target.next_hop
    mask.aim(target.uri, next_hop, way.socket)


def _hang_up(worker: Worker, way: Way) -> None:
    """See kemi/in_dialog.py; the called side's own tag tells which of several dialogs is over."""
    side, called_tag = ("a", way.tag) if way.to_called else ("b", branches.from_tag())
    events.end(worker.journal, way.call, side=side, how="bye", status=200, called_tag=called_tag)
    if way.counted:
        worker.limits.hung_up(way.call, called_tag)
    if worker.media is not None:
        worker.media.release(way.call, near_tag(way.seed, called_tag))


def _record(worker: Worker, method: str, way: Way, cseq: int) -> None:
    events.update(
        worker.journal,
        way.call,
        side="a" if way.to_called else "b",
        method=method,
        cseq=cseq,
        contact=message.contact(),
        source=message.source(),
    )


def _refuse(method: str, status: int) -> None:
    if status == 415:
        do.say_accepted_bodies()
    say = do.answer_invite if method == "INVITE" else do.answer
    say(status, lines.words(status))


def reply(worker: Worker) -> None:
    """An answer to a request inside a masked call."""
    known = Asked.kept()
    if message.status() >= 300:
        answers.nothing_crosses()  # `failed` says what the near side is told
        return
    seed, ends = bytes.fromhex(known.seed), (known.asking, known.asked)
    if not answers.inside(worker, known.call, seed, *ends, known.method):
        answers.nothing_crosses()


def failed(worker: Worker) -> None:
    """A request inside a masked call was refused: answer a challenge, or tell the status on."""
    status, known = do.failure_status(), Asked.kept()
    if status in answers.CHALLENGES and not do.was_cancelled() and _repeated(worker, known, status):
        return
    answers.refuse(487 if do.was_cancelled() else status)


def _repeated(worker: Worker, known: Asked, status: int) -> bool:
    """Whether it was sent once more with credentials (kemi/asked.py)."""
    way = open_way(worker.sealer, mask.token(), message.call_id())
    if way is None or way.pace is None or not way.pace.concerns(way.to_called):
        return False
    uri, next_hop = json.loads(do.remembered())
    pace = way.pace
    header = answer(worker, pace.carrier, pace.trunk, status, known.method, uri, known.tries)
    if not header:
        return False
    tries = known.tries + 1
    if known.method == "INVITE":
        challenge.note_tries(f"{known.call} {message.cseq()}", tries)
    body = reading.body()
    view = _other_view(worker, known, way, body) if body.kind else None
    worker.masked = known.cseq + tries, header, view
    mask.remember_way(json.dumps(known._replace(tries=tries)))
    mask.aim(uri, next_hop, way.socket)
    mask.watch_request()
    return do.relay()
