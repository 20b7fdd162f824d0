"""Requests that the gateway itself sends inside a call (gateway/calls/control.py): what Kamailio
spoils is mended, and a challenge is answered; it never begins one.
"""

from __future__ import annotations

import json

from kemi import credentials
from kemi import ksr_answers as answers
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.replies import CHALLENGES
from kemi.worker import Worker
from number_registry.call import Peer


def leaving() -> None:
    """One is about to leave, from whichever process. It is kept as it is, so that it can be sent
    once more with credentials, and only once.
    """
    do.mend_doubled_from_tag()
    if not answers.has_credentials():
        uri, next_hop = message.where_to()
        method, headers = message.method(), answers.own_headers()
        do.remember(json.dumps((method, uri, next_hop, message.cseq(), headers)))
        answers.watch_own()


def answered(worker: Worker) -> None:
    """An answer to one. The repetition is a request of its own (RFC 3261, section 22.2)."""
    status = message.status()
    if status not in CHALLENGES:
        return
    peer = _who_asks(worker, message.source_ip())
    if peer is None:
        return
    method, uri, next_hop, cseq, headers = json.loads(do.remembered())
    challenges = answers.challenges_of_answer(status)
    header = credentials.answer(
        worker, peer.name, peer.trunk, status, method, uri, 0, challenges=challenges
    )
    if header:
        lines = f"{headers}CSeq: {cseq + 1} {method}\r\n{header}\r\n"
        answers.send_own(method, uri, next_hop, worker.ours.socket(message.source().proto), lines)


def _who_asks(worker: Worker, ip: str) -> Peer | None:
    """The trunk at this address that may ask for credentials."""
    peer = worker.peer(ip)
    if peer in worker.asking:
        return peer
    for one in worker.asking:
        gateways = worker.carriers[one.name].trunk(one.trunk).addresses
        if any(gateway.host == ip for gateway in gateways):
            return one
    return None
