"""Events of made-up calls for the tests of this folder; not a test itself."""

from __future__ import annotations

from typing import Any

from gateway.calls.events import Answer, End, Event, Ring, Start, Try, Update

ID = "0123456789abcdef0123456789abcdef"
T0 = 1_790_000_000_000_000  # microseconds since 1970
SECOND = 1_000_000


def start(t: int = T0, **changed: Any) -> Start:
    facts: dict[str, Any] = {
        "c": ID, "t": t, "dir": "in", "src": "northline", "trunk": "moscow",
        "addr": "127.9.9.11:5060/udp", "cid": "abc@carrier", "ft": "from-1", "cseq": 7,
        "caller": "+79161112233", "called": "+74951230000", "kind": "pbx", "to": "old",
        "shown": "+79161112233", "dialled": "+74951230000", "dst": "sip:127.9.9.21:5060",
        "rules": (("number", "is in service"),), "ctc": "sip:carrier@127.9.9.11:5060",
        "fu": "sip:+79161112233@127.9.9.11", "tu": "sip:+74951230000@127.0.0.1",
        "fu2": "sip:+79161112233@127.0.0.1", "tu2": "sip:+74951230000@127.0.0.1",
        "sock": "udp:127.0.0.1:5060", "media": 1,
    }  # fmt: skip
    return Start(**(facts | changed))


def ring(after_s: float = 1, **changed: Any) -> Ring:
    return Ring(c=ID, t=T0 + int(after_s * SECOND), **changed)


def tried(after_s: float = 1, n: int = 2, **changed: Any) -> Try:
    return Try(c=ID, t=T0 + int(after_s * SECOND), n=n, **{"dst": "sip:127.9.9.22:5060", **changed})


def answer(after_s: float = 3, **changed: Any) -> Answer:
    facts: dict[str, Any] = {
        "tt": "to-1", "ctc": "sip:pbx@127.9.9.21:5060", "addr": "127.9.9.21:5060/udp",
        "sock": "udp:127.0.0.1:5060",
    }  # fmt: skip
    return Answer(c=ID, t=T0 + int(after_s * SECOND), **(facts | changed))


def update(side: Any, cseq: int, after_s: float = 5, **changed: Any) -> Update:
    facts = {"m": "INVITE", **changed}
    return Update(c=ID, t=T0 + int(after_s * SECOND), side=side, cseq=cseq, **facts)


def end(side: Any = "a", how: Any = "bye", after_s: float = 13, **changed: Any) -> End:
    return End(c=ID, t=T0 + int(after_s * SECOND), side=side, how=how, **changed)


def answered_call() -> list[Event]:
    """Rang after 1 s, answered after 3 s, ended by the caller after 13 s."""
    return [start(), ring(), answer(), end(status=200)]
