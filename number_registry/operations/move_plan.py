"""What moving numbers to another PBX would do: values and the plan; pure, moves.py does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from number_registry.errors import RefuseError
from number_registry.operations.selection import Selection


class PbxFacts(NamedTuple):
    """What a move must know of a PBX."""

    id: int
    name: str
    state: str
    addresses: int


class Candidate(NamedTuple):
    """One chosen number and where it points now."""

    e164: int
    city: str
    department: str
    group: int
    pbx: str
    other: str
    percent: int
    state: str
    answered: bool


@dataclass(frozen=True, slots=True)
class Move:
    """What is asked for: move the chosen numbers, or so many percent of their new calls.

    ``percent`` is None for a swap. ``exact``: each number was named, so none is left out silently.
    """

    to: str
    selection: Selection
    percent: int | None = None
    exact: bool = False

    @property
    def kind(self) -> str:
        return "swap" if self.percent is None else "share"


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """What is there: both PBXs, the chosen numbers, live calls by number."""

    old: PbxFacts | None
    new: PbxFacts
    chosen: tuple[Candidate, ...]
    live: Mapping[int, int]
    migrations: tuple[InMigration, ...] = ()


class InMigration(NamedTuple):
    """Chosen numbers of one city that an open migration by waves is about."""

    migration: int
    old: str
    new: str
    city: str
    state: str
    numbers: int

    @property
    def warning(self) -> str:
        return (
            f"{self.numbers} of these numbers are part of migration {self.migration}, {self.old}"
            f" to {self.new} ({self.city} is {self.state}): it will not know of this, and judges by"
            " their calls; ./portgate waves go, rollback, skip or cancel keep it in step"
        )


class NumberMove(NamedTuple):
    """What one number will do."""

    e164: int
    city: str
    department: str
    state: str
    before: str
    after: str
    does: str
    live_calls: int


@dataclass(frozen=True, slots=True)
class MovePlan:
    """A move before it is made; `apply` does exactly this.

    ``groups`` and ``share``: where the numbers are now, and the (PBX, percent) that takes a part of
    their calls already. ``unchanged``: numbers that point there already. ``warnings``: what to
    know first, though nothing forbids it.
    """

    actor: str
    request: Move
    old: PbxFacts
    new: PbxFacts
    changes: tuple[NumberMove, ...]
    groups: tuple[int, ...]
    share: tuple[str, int]
    unchanged: int
    warnings: tuple[str, ...] = ()

    @property
    def live_calls(self) -> int:
        return sum(change.live_calls for change in self.changes)

    @property
    def summary(self) -> str:
        count = len(self.changes)
        if self.request.percent is None:
            return f"{count} numbers from {self.old.name} to {self.new.name}"
        part = f"{self.request.percent} % of new calls of {count} numbers"
        return f"{part} from {self.old.name} to {self.new.name}"


def plan(actor: str, request: Move, facts: MoveFacts) -> MovePlan:
    """What the move would do. Raises RefuseError where calls would ring nobody."""
    old = _start(request, facts)
    new = facts.new
    if old.id == new.id:
        raise RefuseError(f"PBX {new.name} answers for these numbers already")
    if request.percent != 0:
        if not new.addresses:
            raise RefuseError(f"PBX {new.name} has no address in service: its calls would fail")
        if new.state != "in_service":
            raise RefuseError(f"PBX {new.name} is suspended: resume it first")
    other, percent = (new.name, request.percent) if request.percent else ("", 0)
    target = new.name if request.percent is None else old.name
    moving = [
        one for one in facts.chosen if (one.pbx, one.other, one.percent) != (target, other, percent)
    ]
    shares = {(one.other, one.percent) for one in moving}
    if len(shares) > 1:
        told = " and ".join(sorted(shown(old.name, *share) for share in shares))
        raise RefuseError(f"these numbers ring differently now ({told}): move those apart")
    return MovePlan(
        actor,
        request,
        old,
        new,
        tuple(_number(one, target, other, percent, facts.live.get(one.e164, 0)) for one in moving),
        tuple(sorted({one.group for one in moving})),
        next(iter(shares), ("", 0)),
        len(facts.chosen) - len(moving),
        tuple(one.warning for one in facts.migrations if moving),
    )


def _start(request: Move, facts: MoveFacts) -> PbxFacts:
    """The one PBX that the chosen numbers leave."""
    if facts.old is None:
        raise RefuseError("none of these numbers is attached to a PBX")
    there = {facts.old.name} if request.percent is not None else {facts.old.name, request.to}
    stray = [one for one in facts.chosen if one.pbx not in there]
    if stray:
        where = f"at PBX {stray[0].pbx}" if stray[0].pbx else "attached to no PBX"
        raise RefuseError(
            f"+{stray[0].e164} is {where}, not at {facts.old.name}: {request.kind} those apart"
        )
    return facts.old


def _number(one: Candidate, target: str, other: str, percent: int, live: int) -> NumberMove:
    before, after = shown(one.pbx, one.other, one.percent), shown(target, other, percent)
    if not one.answered:
        does = f"stays silent: it is {one.state or 'under no contract'}"
    elif percent:
        does = f"rings {target}, and {other} for {percent} of 100 new calls"
    else:
        does = f"rings {target}"
    return NumberMove(one.e164, one.city, one.department, one.state, before, after, does, live)


def shown(pbx: str, other: str, percent: int) -> str:
    """Where a group points, for a person: ``old`` or ``old, 20 % new``."""
    return f"{pbx}, {percent} % {other}" if percent else pbx


def as_json(plan: MovePlan) -> dict[str, Any]:
    """What scripts read: ``{numbers, live_calls, changes[]}`` and from where to where."""
    return {
        "from": plan.old.name,
        "to": plan.new.name,
        "percent": plan.request.percent,
        "numbers": len(plan.changes),
        "unchanged": plan.unchanged,
        "live_calls": plan.live_calls,
        "warnings": list(plan.warnings),
        "changes": list(_changes(plan.changes)),
    }


def _changes(changes: Iterable[NumberMove]) -> Iterable[dict[str, Any]]:
    for change in changes:
        yield {**change._asdict(), "e164": f"+{change.e164}"}
