"""The header lines of a masked message, made of plain values; pure. Every value has been written
anew before it comes here, or is its receiver's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kemi.mask import fields

OURS = "Portgate"
ALLOW_LINE = f"Allow: {fields.ALLOW}\r\n"
REASONS = {
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    410: "Gone",
    415: "Unsupported Media Type",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
# Where one of a class comes that has no words above.
_CLASSES = {1: "Progress", 2: "OK", 4: "Request Failure", 5: "Server Failure", 6: "Global Failure"}


def words(status: int) -> str:
    """The reason phrase: by the status alone (RFC 3261, section 21)."""
    return REASONS.get(status) or _CLASSES.get(status // 100, "Failure")


def dialog(from_: str, to: str, call_id: str, cseq: str) -> str:
    """``from_``, ``to``: header values in full; ``cseq``: number and method."""
    return f"From: {from_}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n"


def record_routes(us: str, parts: Sequence[str], mark: str, before: str = "") -> str:
    """Our own, each with a part of the token, above those that came with the request."""
    ours = [f"<sip:{us};lr;{mark}={part}>" for part in parts]
    return "Record-Route: " + ", ".join([*ours, before] if before else ours) + "\r\n"


def routes(uris: Iterable[str]) -> str:
    listed = ", ".join([f"<{uri}>" for uri in uris])
    return f"Route: {listed}\r\n" if listed else ""


def contact(us: str, user: str) -> str:
    host, semicolon, rest = us.partition(";")
    return f"Contact: <sip:{user}@{host}{semicolon}{rest}>\r\n"


def added(headers: Iterable[tuple[str, str]]) -> str:
    """What the far side is to have besides, as its carrier or PBX wants it."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


def bare(route: str) -> str:
    """The URI of a Route or Record-Route value, without its brackets and display name."""
    _, bracket, rest = route.partition("<")
    return rest.partition(">")[0].strip() if bracket else route.strip()
