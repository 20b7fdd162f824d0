"""Says in words why a call ended; it decides nothing and knows no numbers of anybody."""

from __future__ import annotations

from gateway.calls.events import End

# What the far side's refusal means for the person who dialled (RFC 3261, section 21).
_REFUSED = {
    401: "the far side wants a password", 403: "the far side does not allow this call",
    404: "the far side knows no such number", 407: "the far side wants a password",
    408: "nobody answered in time", 410: "the number is no longer in use",
    415: "the far side cannot use this kind of call", 420: "the far side misses an extension",
    480: "the called party cannot be reached now", 481: "the far side has lost the call",
    482: "the call went round in a loop", 483: "the call passed too many hops",
    484: "the dialled number is incomplete", 486: "the called party is busy",
    487: "the call was given up before an answer", 488: "no common way to carry the audio",
    500: "the far side failed", 501: "the far side cannot do this", 502: "a gateway beyond failed",
    503: "the far side is out of service", 504: "the far side did not answer in time",
    600: "the called party is busy everywhere", 603: "the called party declined",
    604: "the number exists nowhere", 606: "the called party does not accept this kind of call",
}  # fmt: skip
_HUNG_UP = {
    "a": "the caller hung up",
    "b": "the called party hung up",
    "gw": "the gateway ended the call",
}


def words(end: End, *, answered: bool) -> str:
    """The end of a call in a sentence without a capital or a full stop."""
    return _with_reason(_plain(end, answered), end.reason)


def refused(status: int) -> str:
    """A final status of the far side in words."""
    return _REFUSED.get(status, f"the far side refused with {status}")


def _plain(end: End, answered: bool) -> str:
    if end.how == "reject":
        return "refused before it was sent on"
    if end.how == "cancel":
        by_us = "the gateway gave the call up" if end.side == "gw" else "the caller hung up"
        return f"{by_us} before an answer"
    if end.how == "timeout" and not end.status:
        return "the gateway ended the call"
    if end.how in ("failed", "timeout"):
        return refused(end.status) if end.status else "the call could not be set up"
    return _HUNG_UP[end.side] + ("" if answered else " before an answer")


def _with_reason(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text
