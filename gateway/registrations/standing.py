"""How each registration stands, in words that a person can act on; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gateway.registrations.records import ONGOING, ONLINE, Kept
from gateway.registrations.wanted import Account

CHALLENGES = (401, 407)


class Said(NamedTuple):
    """The registrar's last final answer: status, reason phrase, when (seconds since 1970)."""

    status: int
    reason: str
    at: float


class Standing(NamedTuple):
    """``state``: registered, trying, failed, or impossible (``why``). ``until``, seconds since
    1970: the end of what the registrar granted. ``status``: its last final answer, 0 for none.
    """

    carrier: str
    trunk: str
    user: str
    registrar: str
    state: str
    until: int = 0
    status: int = 0
    why: str = ""

    def told(self) -> dict[str, Any]:
        """What stands beside its trunk in a list."""
        return {name: getattr(self, name) for name in ("state", "until", "status", "why")}

    def __str__(self) -> str:
        told = f"trunk {self.trunk}: {self.user} at {self.registrar} is {self.state}"
        return f"{told}: {self.why}" if self.why else told


def standings(
    accounts: Iterable[Account], kept: Mapping[str, Kept], said: Mapping[str, Said]
) -> list[Standing]:
    """``kept`` and ``said`` by Contact user."""
    return [_standing(account, kept, said) for account in accounts]


def _standing(account: Account, kept: Mapping[str, Kept], said: Mapping[str, Said]) -> Standing:
    who = account[:4]
    if account.record is None:
        return Standing(*who, "impossible", why=account.why)
    user = account.record.contact_user
    record, last = kept.get(user), said.get(user)
    if record is not None and record.flags & ONLINE:
        return Standing(*who, "registered", until=record.due, status=200)
    if last is None or last.status == 200:
        why = "no answer from the registrar" if record else "not asked yet"
        return Standing(*who, "trying", why=why)
    if record is not None and record.flags & ONGOING and last.status in CHALLENGES:
        return Standing(*who, "trying", status=last.status, why="asked for the password")
    return Standing(*who, "failed", status=last.status, why=_why(last))


def _why(last: Said) -> str:
    said = f"{last.status} {last.reason}".rstrip()
    if last.status in CHALLENGES:
        return f"{said}: they refuse the user, the password or the realm"
    return said
