"""Writes a new call for one far side into the INVITE at hand; decides nothing, relays nothing.

A second writing of From or To in one message would stand beside the first. So where a call may go
to trunks that write differently, each attempt is written in a branch of its own, which starts from
the INVITE as the caller sent it and ends with the attempt.
"""

from __future__ import annotations

from kemi import ksr_answers as answers
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.facts import Facts
from kemi.mask import invite
from kemi.media import flags
from kemi.pace import Pace
from kemi.plan import Plan, Uris, uris
from kemi.seal import Sealed, tag_crc
from kemi.worker import Worker


def write(
    worker: Worker,
    ident: str,
    plan: Plan,
    facts: Facts,
    written: Uris,
    offered: bool,
    pace: Pace | None = None,
) -> None:
    """``written``: what `uris` says of them. ``offered``: the INVITE carries an offer for the media
    relay. ``pace``: of the CSeq towards a side that asks for credentials.
    """
    if written.far_from:
        do.write_from(written.far_from)
    if written.far_to:
        do.write_to(written.far_to)
    if not plan.keep_display:
        do.drop_display_names()
    do.replace_identity_headers(plan.headers, outside=bool(plan.trunk))
    crc = tag_crc(facts.from_tag)
    counted = bool(worker.limits.of) and do.is_flagged(do.FLAG_COUNTED)
    nameless, urgent = not plan.keep_display, plan.emergency
    sealed = Sealed(
        ident, crc, offered, *written, nameless, urgent, plan.guests, counted, plan.media, pace
    )
    do.record_route(worker.sealer.token(sealed, facts.call_id))


def write_branch(worker: Worker) -> bool:
    """The attempt that this process is just relaying; False where it must not leave."""
    ident, plan, tries, credentials = worker.attempt
    facts = message.facts()
    if plan.masked:
        return invite.write(worker, ident, plan, facts, tries, credentials)
    written = uris(plan, facts.from_uri, facts.from_user, facts.to_uri, facts.to_user)
    offered = do.is_flagged(do.FLAG_OFFERED)
    pace = Pace("b", plan.to, plan.trunk, facts.cseq, tries) if plan.asks else None
    write(worker, ident, plan, facts, written, offered, pace)
    if credentials:
        answers.add_header(credentials)
        answers.write_cseq(facts.cseq + tries, "INVITE")
    if not offered or not do.is_flagged(do.FLAG_OFFERS):
        return True
    asked, ours = flags(*plan.media.split("/")) if plan.media else "", worker.ours
    way = ours.media_way(message.received_on(), message.leaves_by()) if ours.several else ""
    return do.media_offer(ident, asked + way) or plan.emergency
