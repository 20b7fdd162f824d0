"""A refusal that the caller hears: an announcement as early media, then the final answer; it does
not decide what is refused, and no SIP worker waits for the end of what is played.

The caller gets 183 with SDP (RFC 3960, section 3) and the relay plays a file. Kamailio's async
worker says the final answer when that is over, whatever has become of the relay meanwhile. Nothing
is played to one that wants provisional answers acknowledged (RFC 3262), nor where the relay does
not take it: then there is the final answer alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from kemi import ksr_early as early
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.facts import Facts
from kemi.ng import Ng, NgError
from kemi.worker import Worker
from number_registry.call import Reject

FILES = ("deal_closed", "deal_expired", "deal_unknown", "not_allowed")
MOST_S = 20.0  # of an announcement; a longer one is cut
USUALLY_S = 8.0  # where the relay does not say how long it is
AFTER_S = 0.3  # for what is on its way
# That one worker has begun: a caller gone wild must not use up the relay's ports.
MOST_AT_ONCE = 100
OUR_TAG = "announcement"
# What the relay can play in, by its name in SDP, with the number that needs no rtpmap (RFC 3551).
_PLAYED = {"pcma": "8", "pcmu": "0", "g722": "9", "opus": "", "g729": "18"}


def begin(worker: Worker, verdict: Reject, ident: str, facts: Facts, reason: str) -> bool:
    """Play, if that can be done; the final answer, with this ``reason``, then follows by itself."""
    name, ends = verdict.announce, worker.announced
    if worker.ng is None or name not in FILES or early.wants_reliable():
        return False
    path = worker.config.announcements / f"{name}.wav"
    while ends and ends[0] < time.monotonic():
        ends.popleft()
    if len(ends) >= MOST_AT_ONCE or not early.is_sdp() or not path.exists():
        return False
    offer = message.readable(early.body)
    made = answer_to(offer, worker.config.us)
    if not made:
        return False
    try:
        sdp, seconds = _play(worker, worker.ng, ident, facts.from_tag, offer, made, str(path))
    except NgError as error:
        _release(worker, ident)
        do.log_warning(f"call {ident}: no announcement: {error}")
        return False
    ends.append(time.monotonic() + seconds)
    do.remember(f"{ident}|{verdict.status}|{reason}")
    # What is written for the 183 must not stay for the final answer: so the order is this one.
    if not early.later("ksr_announced", round(seconds * 1000)):
        _release(worker, ident)
        return False
    early.note(facts.call_id, ident)
    early.answer_early(sdp, f"<sip:{worker.ours.us}>")
    return True


def _play(
    worker: Worker, ng: Ng, ident: str, tag: str, offer: str, made: str, path: str
) -> tuple[str, float]:
    """What the caller is answered, and for how many seconds there is something to be heard."""
    call: dict[str, str | list[str]] = {
        "call-id": ident,
        "from-tag": tag,
        "replace": ["origin", "session-connection"],
        "ICE": "remove",
        "flags": ["trust-address"],
    }
    if worker.ours.several:
        call["direction"] = [worker.ours.media(message.received_on())] * 2
    ng.ask("offer", {**call, "sdp": offer, "transport-protocol": "RTP/AVP"})
    answered = ng.ask("answer", {**call, "to-tag": OUR_TAG, "sdp": made})
    played = ng.ask("play media", {"call-id": ident, "from-tag": tag, "file": path})
    lasts = played.get("duration")  # in milliseconds
    seconds = lasts / 1000 if isinstance(lasts, int) and lasts > 0 else USUALLY_S
    return sendrecv(str(answered["sdp"])), min(seconds, MOST_S) + AFTER_S


def _release(worker: Worker, ident: str) -> None:
    if worker.media is not None:
        worker.media.release(ident)


def over(worker: Worker) -> None:
    """In the async worker: the announcement is over; so is the call, unless its caller hung up."""
    ident, status, reason = do.remembered().split("|", 2)
    early.forget(message.call_id())
    _release(worker, ident)
    early.answer_after_early(int(status), reason)


def cancelled(worker: Worker) -> None:
    """A CANCEL is at hand whose INVITE is known, and that has been answered: what is played to its
    caller ends. Kamailio does not come back to `over`.
    """
    call_id = message.call_id()
    if ident := early.noted(call_id):
        early.forget(call_id)
        _release(worker, ident)


def answer_to(offer: str, host: str) -> str:
    """SDP of somebody who only speaks, in answer to an offer; empty where the offer has no audio
    that the relay can play in. Each media line of the offer has its own (RFC 3264, section 6).
    """
    lines, spoken = offer.splitlines(), False
    made = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    for at, line in enumerate(lines):
        if not line.startswith("m="):
            continue
        parts = line[2:].split()
        if len(parts) < 4:
            return ""  # no media line (RFC 4566, section 5.14)
        kind, port, proto, *numbers = parts
        found = _playable(numbers, lines[at + 1 :]) if kind == "audio" and port != "0" else None
        if spoken or found is None or not proto.startswith("RTP/"):
            made.append(f"m={kind} 0 {proto} {' '.join(numbers)}")
            continue
        number, rtpmap = found
        spoken = True
        # 9: the discard service. Nothing is sent there, since this side only speaks.
        made += [f"m=audio 9 RTP/AVP {number}", *([rtpmap] if rtpmap else []), "a=sendonly"]
    return "\r\n".join([*made, ""]) if spoken else ""


def _playable(numbers: Sequence[str], below: Sequence[str]) -> tuple[str, str] | None:
    """The first payload type that the relay can make, and its rtpmap line."""
    maps = {}
    for line in below:
        if line.startswith("m="):
            break
        if line.startswith("a=rtpmap:"):
            number, _, name = line[9:].partition(" ")
            maps[number] = (name.partition("/")[0].lower(), line)
    for number in numbers:
        name, line = maps.get(number, ("", ""))
        if name in _PLAYED or (not name and number in _PLAYED.values()):
            return number, line
    return None


def sendrecv(sdp: str) -> str:
    """A caller behind address translation hears nothing before it has sent something."""
    return sdp.replace("a=sendonly", "a=sendrecv")
