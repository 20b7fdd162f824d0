"""What is known of each name, when it is asked again, and what an answer or a failure changes;
pure.

The last good answer is kept whatever happens to DNS: a name that ceases to be answered is worth
more as it was than not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gateway.names.lookup import Found
from number_registry.model import Address
from number_registry.names import Answer, Names


@dataclass
class Book:
    """``shortest_s`` and ``longest_s`` bound how long an answer is believed, whatever its time to
    live; ``again_s``: after a failure. ``call_s``: the longest that a call may last.
    """

    shortest_s: float
    longest_s: float
    again_s: float
    call_s: float
    answers: dict[str, Answer] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)

    def follow(self, keys: Iterable[str]) -> None:
        """These names are wanted from now on; what is known of others is forgotten."""
        wanted = frozenset(keys)
        self.answers = {key: said for key, said in self.answers.items() if key in wanted}
        self.due = {key: self.due.get(key, 0.0) for key in wanted}

    def asking(self, now: float) -> list[str]:
        """Names whose time has come."""
        return sorted(key for key, when in self.due.items() if when <= now)

    def found(self, key: str, found: Found, now: float) -> bool:
        """DNS has answered; True where the name leads elsewhere than before."""
        old = self.answers.get(key, Answer())
        lives = min(max(found.ttl, self.shortest_s), self.longest_s)
        past = _past(old, found, now, self.call_s)
        self.answers[key] = Answer(found.targets, now, now + lives, past=past)
        self.due[key] = now + lives
        return old.targets != found.targets

    def failed(self, key: str, why: str, now: float) -> bool:
        """DNS has not; what it last said stays. True where that is news."""
        old = self.answers.get(key, Answer())
        self.answers[key] = replace(old, failing=old.failing or now, why=why)
        self.due[key] = now + self.again_s
        return not old.failing

    @property
    def names(self) -> Names:
        return self.answers


def _past(old: Answer, found: Found, now: float, call_s: float) -> tuple[tuple[str, float], ...]:
    hosts = {Address.parse(target.uri).host for target in found.targets}
    kept = {host: until for host, until in old.past if until > now and host not in hosts}
    for target in old.targets:
        host = Address.parse(target.uri).host
        if host not in hosts:
            kept.setdefault(host, now + call_s)
    return tuple(sorted(kept.items()))
