"""A far side that was given up, and answers all the same: it is hung up at once; nothing here
touches the call, which has gone on elsewhere or is over.

tm would keep a 2xx back while another attempt is under way, and complain; and send it on once the
caller has got another answer. Then nobody acknowledges it, or the caller hangs up what it has never
asked for. So tm does not see it, and we end its dialog ourselves, as the caller's user agent would
have to (RFC 3261, section 13.2.2.4).
"""

from __future__ import annotations

import struct
import time
from mmap import mmap

from kemi import events
from kemi import ksr_answers as answers
from kemi import ksr_branches as branches
from kemi import ksr_counts as counts
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.facts import Source
from kemi.mask.token import open_way
from kemi.worker import Worker

ALL = 1000  # more than tm has branches: each attempt of the call was given up
KEPT_S = 600  # as kamailio.cfg keeps the table
# What may not stand in a header that we write; and tm replaces "!!" by an address of its own.
_BAD = frozenset('<>"')
_UNTIL = struct.Struct("=d")

# Made before the fork, so all SIP workers share it: its first byte is not 0 while some attempt was
# given up not long ago. Else an answer costs no more than a look at it; until when stands after it.
any_given_up = mmap(-1, 1 + _UNTIL.size)


def give_up(call: str, since: int) -> None:
    """Every branch of the call below ``since`` is done with, whatever it may still say."""
    counts.note_given_up(call, since)
    _UNTIL.pack_into(any_given_up, 1, time.monotonic() + KEPT_S)
    any_given_up[0] = 1


def is_given_up(call: str) -> bool:
    """Whether the answer at hand, in its transaction, is of an attempt that was given up."""
    return branches.branch() < counts.noted_given_up(call)


def is_hung_up(worker: Worker) -> bool:
    """Whether the answer at hand is a 2xx that comes too late; then its dialog is ended. Before tm
    has looked for its transaction, which would never be freed if the answer went no further; so it
    is known by our token, and by the number of the branch, which ends what tm wrote into our Via.
    """
    if message.answered_method() != "INVITE" or not 200 <= message.status() < 300:
        return False
    call, guests = _known_by_token(worker)
    since = counts.noted_given_up(call) if call else 0
    if not since or branches.via_branch() >= since:
        _forget()
        return False
    ip = message.source_ip()
    if worker.peer(ip) is not None or worker.knows(ip) or ip in guests.split(","):
        _hang_up(worker, call)
    return True


def _known_by_token(worker: Worker) -> tuple[str, str]:
    """The id of the call whose token the answer carries, and its guests; empty for none."""
    sealed = worker.sealer.read(branches.record_route_token(), message.call_id())
    if sealed is not None:
        return sealed.call, sealed.guests
    way = open_way(worker.sealer, branches.masked_record_route_token(), message.call_id())
    return (way.call, way.guests) if way is not None else ("", "")


def _forget() -> None:
    """Nothing was given up for so long that the table is empty."""
    if _UNTIL.unpack_from(any_given_up, 1)[0] < time.monotonic():
        any_given_up[0] = 0


def _hang_up(worker: Worker, call: str) -> None:
    """ACK and BYE of the dialog that its 2xx made; each time it comes, since either may be lost.
    They go where it came from, a neighbour: its Contact may be a name, and we never ask DNS.
    """
    source, tag = message.source(), message.readable(message.to_tag)
    events.answered_late(worker.journal, call, tag, source)
    contact, dialog = message.readable(message.contact), _dialog(tag)
    if not dialog or not _writable(contact):
        do.log_error(f"call {call}: a late answer from {source.ip} cannot be hung up")
        return
    socket, number = worker.ours.socket(source.proto), message.cseq()
    for method, cseq in (("ACK", number), ("BYE", number + 1)):
        lines = f"{dialog}CSeq: {cseq} {method}\r\n"
        answers.send_own(method, contact, _uri(source), socket, lines)


def _dialog(tag: str) -> str:
    """Its headers, as the caller would write them (RFC 3261, 12.2.1.1); empty where they cannot be
    written.
    """
    ours, theirs = message.readable(branches.from_uri), message.readable(branches.to_uri)
    our_tag = message.readable(branches.from_tag)
    if not all(map(_writable, (ours, theirs, our_tag, tag))):
        return ""
    routes = branches.far_routes()
    return (
        f"From: <{ours}>;tag={our_tag}\r\nTo: <{theirs}>;tag={tag}\r\n"
        f"Call-ID: {message.call_id()}\r\n"
        + (f"Route: {', '.join(reversed(routes))}\r\n" if routes else "")
    )


def _writable(value: str) -> bool:
    return bool(value) and "!!" not in value and not any(one <= " " or one in _BAD for one in value)


def _uri(source: Source) -> str:
    return f"sip:{source.ip}:{source.port};transport={source.proto}"
