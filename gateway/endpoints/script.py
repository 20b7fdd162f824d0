"""What a far end will do, as a value, and its SIPp scenario; renders text and starts nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2

from gateway.endpoints import g711

SCENARIOS = Path(__file__).with_name("scenarios")

# Every refusal that a caller here understands; SIPp wants each by its number.
REFUSALS = (
    300, 301, 302, 380, 400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 413, 414, 415, 416, 420,
    421, 422, 423, 428, 436, 437, 438, 480, 481, 482, 483, 484, 485, 486, 487, 488, 491, 493, 494,
    500, 501, 502, 503, 504, 505, 513, 580, 600, 603, 604, 606, 607,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CallScript:
    """One call to place. The three URIs or headers are written as they shall appear on the wire."""

    request_uri: str
    from_header: str
    to_header: str
    headers: tuple[str, ...] = ()
    session_headers: str = ""
    """Lines for requests inside the dialog that refresh the session (RFC 4028)."""
    offer: bool = True
    """False: INVITE without SDP, the answer goes into the ACK (RFC 3264 section 4)."""
    reliable: bool = False
    """True: every provisional answer will be reliable and gets its PRACK (RFC 3262)."""
    max_forwards: int = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerScript:
    """What to do with a call that comes in.

    `steps` are taken at once: trying, ring, progress (183 with SDP), ring_reliable,
    progress_reliable, answer, or a final status line such as "486 Busy Here". Without a final
    one the endpoint waits for orders or CANCEL.
    """

    steps: tuple[str, ...] = ("ring", "answer")
    answer_headers: str = ""
    refusal_headers: str = ""
    session_headers: str = ""


ANSWERS: dict[str, AnswerScript] = {
    "answer": AnswerScript(),
    "early_media": AnswerScript(steps=("progress",)),
    "noanswer": AnswerScript(steps=("trying", "ring")),
    "trying": AnswerScript(steps=("trying",)),
    "silent": AnswerScript(steps=()),
    "busy": AnswerScript(steps=("ring", "486 Busy Here")),
    "decline": AnswerScript(steps=("603 Decline",)),
    "notfound": AnswerScript(steps=("404 Not Found",)),
    "unavailable": AnswerScript(steps=("480 Temporarily Unavailable",)),
    "overloaded": AnswerScript(
        steps=("503 Service Unavailable",), refusal_headers="Retry-After: 5"
    ),
}
"""Behaviours by the names that the command line and the tests use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a far end says it is: what it writes into Via, Contact and SDP."""

    host: str
    transport: str
    media_host: str
    media_port: int
    agent: str
    contact_user: str
    codecs: tuple[int, ...] = (g711.PCMA, g711.PCMU)


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(SCENARIOS),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # SIP text inside CDATA, not a page
    keep_trailing_newline=True,
)


def render(script: CallScript | AnswerScript, place: Place) -> str:
    """The scenario as SIPp reads it. jinja2.UndefinedError when a template asks for more."""
    name = "uac.xml.j2" if isinstance(script, CallScript) else "uas.xml.j2"
    values = {
        "answer_headers": "",
        "refusals": REFUSALS,
        "transport_tag": ";transport=tcp" if place.transport == "tcp" else "",
        **asdict(place),
        **asdict(script),
    }
    return _ENVIRONMENT.get_template(name).render(values)
