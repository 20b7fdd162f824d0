"""Requests to a carrier that asks for credentials: answered out of its sender's sight, with CSeq
numbers that fit on both sides (kemi/pace.py); a call that meets no such carrier never comes here.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from kemi import ksr_answers as answers
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi import replies
from kemi.attempts import Pending, again
from kemi.credentials import answer
from kemi.pace import Pace
from kemi.plan import request_uri
from kemi.replies import CHALLENGES
from kemi.worker import Worker
from number_registry.model import Address


class Inside(NamedTuple):
    """A request inside a call, as kept with its transaction: to whom it goes, its number there
    before any repetition, how often we answered, and where it goes.
    """

    call: str
    carrier: str
    trunk: str
    method: str
    cseq: int
    asked: int
    uri: str
    next_hop: str

    def text(self, known: str) -> str:
        """``known``: the three fields that every answer needs (kemi/in_dialog.py)."""
        return f"{known}|{json.dumps(self)}"


def invite_reply(worker: Worker) -> None:
    """An answer to a new INVITE, which may have been repeated."""
    _number_as_sent()
    replies.invite_reply(worker)


def _number_as_sent() -> None:
    near = message.cseq_asked()
    if near != message.cseq():
        answers.write_cseq(near, message.method())


def invite_failed(worker: Worker) -> None:
    """An INVITE ended without success: answer a challenge, or go on as with any other."""
    pending, status = Pending.read(do.remembered()), do.failure_status()
    asks = status in CHALLENGES and not do.was_cancelled()
    if not asks or not _repeated(worker, pending, status):
        replies.invite_failed(worker, refused=asks)


def _repeated(worker: Worker, pending: Pending, status: int) -> bool:
    to, trunk = pending.to, pending.trunk
    plan = next((one for one in pending.plans if (one.to, one.trunk) == (to, trunk)), None)
    if plan is None or not plan.asks:
        return False
    uri = request_uri(pending.user, Address.parse(pending.at))
    header = answer(worker, to, trunk, status, "INVITE", uri, pending.asked)
    return bool(header) and again(worker, pending, plan, header)


def acknowledge(pace: Pace, call: str, from_caller: bool) -> None:
    """The ACK to a 2xx has the number of its INVITE. How often one inside the call was repeated is
    the only thing here that a restart forgets, and it matters until the ACK that follows at once.
    """
    if pace.concerns(from_caller):
        near = message.cseq()
        far = pace.acknowledged(near, answers.noted_tries(f"{call} {near}"))
        if far != near:
            answers.write_cseq(far, "ACK")


def number(pace: Pace, from_caller: bool) -> int:
    """That of the request at hand, on its far side."""
    if not pace.concerns(from_caller):
        return message.cseq()
    return pace.far(message.cseq())


def watch(worker: Worker, pace: Pace, call: str, method: str, cseq: int, known: str) -> None:
    """The request at hand may be answered by a challenge. ``known``: what `inside_reply` needs."""
    uri, next_hop = message.where_to()
    inside = Inside(call, pace.carrier, pace.trunk, method, cseq, 0, uri, next_hop)
    worker.inside = cseq, method, ""
    do.remember(inside.text(known))
    answers.watch_asked()


def write_branch(worker: Worker) -> None:
    """A request inside a call is about to leave."""
    cseq, method, header = worker.inside
    if cseq != message.cseq():
        answers.write_cseq(cseq, method)
    if header:
        answers.add_header(header)


def inside_reply(worker: Worker) -> None:
    """An answer to a request inside a call, which may have been repeated."""
    _number_as_sent()
    replies.dialog_reply(worker)


def inside_failed(worker: Worker) -> None:
    """Answer a challenge; one that cannot be answered is no business of the other side."""
    status = do.failure_status()
    if status not in CHALLENGES or do.was_cancelled():
        return
    inside, known = _kept()
    call, carrier, trunk, method, cseq, asked, uri, next_hop = inside
    header = answer(worker, carrier, trunk, status, method, uri, asked)
    if header:
        asked += 1
        if method == "INVITE":
            answers.note_tries(f"{call} {message.cseq()}", asked)
        worker.inside = cseq + asked, method, header
        do.remember(inside._replace(asked=asked).text(known), again=True)
        answers.watch_asked()
        answers.lead(uri, next_hop)
        if do.relay():
            return
    do.answer_failed(*replies.CHALLENGES_BECOME)


def _kept() -> tuple[Inside, str]:
    """What `watch` remembered, and its part that every answer needs."""
    call, from_uri, to_uri, text = do.remembered().split("|", 3)
    return Inside(*json.loads(text)), f"{call}|{from_uri}|{to_uri}"
