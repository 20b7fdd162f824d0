"""Numbers: what `set` and `state` would change, and doing it; reading is in selection.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from number_registry.errors import RefuseError, StateMoveError
from number_registry.model import ALLOWED_MOVES, State, move
from number_registry.operations import ledger
from number_registry.operations.selection import Names, known
from number_registry.operations.values import (
    Applied,
    Change,
    Facts,
    Made,
    Plan,
    Progress,
    Tenancy,
    UnknownError,
    silent,
)
from number_registry.store.pool import Connection

STATES = {state.label: state for state in State}
SCENARIOS = ("script", "direct")
RECORDINGS = ("by_role", "always", "never")
LIVE = frozenset(state.label for state in State if state < State.RELEASED)
MOST_LIVE = 2


@dataclass(frozen=True, slots=True)
class SetFields:
    """New values; None leaves a field as it is, an empty department or PBX means none."""

    city: str | None = None
    department: str | None = None
    pbx: str | None = None
    scenario: str | None = None
    recording: str | None = None


@dataclass(frozen=True, slots=True)
class SetState:
    """The state that the chosen numbers shall have, under this contract where they have several.

    A contract that a number has not yet begins as a second tenancy, in porting_in or reserved.
    """

    state: str
    contract: str | None = None


def plan_set(actor: str, request: SetFields, facts: Mapping[int, Facts], names: Names) -> Plan:
    """What setting these fields would change. Raises UnknownError for a name that is not there."""
    known("city", request.city, names.cities)
    known("department", request.department or None, names.departments)
    known("PBX", request.pbx or None, names.pbxs)
    values = {
        name: value
        for name in ("city", "department", "scenario", "recording")
        if (value := getattr(request, name)) is not None
    }
    group, made = (None, ()) if request.pbx is None else attachment_for(request.pbx, names)
    changes = []
    for e164, was in sorted(facts.items()):
        will = replace(was, **values)
        if group is not None and pbx_of(was, names) != request.pbx:
            will = replace(will, attachment=group)
        if will != was:
            changes.append(Change(e164, was, will))
    needed = (
        made if any(change.after and change.after.attachment == group for change in changes) else ()
    )
    return Plan(actor, "numbers set", tuple(changes), needed, len(facts) - len(changes))


def pbx_of(facts: Facts, names: Names) -> str:
    """The PBX that answers for a number with these facts; empty when none does."""
    return names.attachments.get(facts.attachment, ("", False))[0]


def attachment_for(pbx: str, names: Names) -> tuple[str, tuple[Made, ...]]:
    """The group that numbers join when they are attached to this PBX one by one, and what must be
    made for it: the one of the PBX's own name. Groups made for a move are left alone, since they
    may move back.
    """
    if not pbx:
        return "", ()
    there = names.attachments.get(pbx)
    if there is None:
        return pbx, (Made("attachment", pbx, (pbx,)),)
    if there == (pbx, False):
        return pbx, ()
    usable = sorted(name for name, found in names.attachments.items() if found == (pbx, False))
    if usable:
        return usable[0], ()
    name = next(f"{pbx} {n}" for n in range(2, 10**6) if f"{pbx} {n}" not in names.attachments)
    return name, (Made("attachment", name, (pbx,)),)


def plan_state(actor: str, request: SetState, facts: Mapping[int, Facts], names: Names) -> Plan:
    """What the move would change; numbers that are there already stay.

    Raises StateMoveError with the moves that there are, UnknownError, RefuseError.
    """
    if request.state not in STATES:
        raise UnknownError(f"there is no state {request.state!r}; there are {', '.join(STATES)}")
    known("contract", request.contract, names.contracts)
    changes = []
    for e164, was in sorted(facts.items()):
        will = moved(e164, was, request)
        if will != was:
            changes.append(Change(e164, was, will))
    return Plan(actor, "numbers state", tuple(changes), (), len(facts) - len(changes))


def moved(e164: int, was: Facts, request: SetState) -> Facts:
    """The facts after the move. Raises StateMoveError, RefuseError."""
    tenancy = _meant(e164, was, request)
    if tenancy is None:
        return with_tenancy(e164, was, Tenancy(request.contract or "", request.state))
    if tenancy.state == request.state:
        return was
    allowed(e164, tenancy.state, request.state)
    will = with_tenancy(e164, was, replace(tenancy, state=request.state))
    if twice := served_twice(e164, was, will):
        raise RefuseError(twice)
    return will


def served_twice(e164: int, was: Facts | None, will: Facts) -> str:
    """What is wrong where a change puts a number into service under a second contract, with the
    mend; else empty. What is so already can be mended step by step.
    """
    now, before = _serving(will), _serving(was)
    if len(now) < 2 or set(now) <= set(before):
        return ""
    stays = before[0] if before and before[0] in now else now[0]
    comes = next(contract for contract in now if contract != stays)
    return (
        f"+{e164} would be in_service under {stays!r} and {comes!r} at once: while it moves, "
        f"{stays!r} is porting_out and {comes!r} porting_in; once it has moved, {stays!r} is "
        f"released. Run: ./portgate numbers state +{e164} porting_out --contract {stays!r}"
    )


def _serving(facts: Facts | None) -> list[str]:
    """The contracts under which the number is in service."""
    tenancies = facts.tenancies if facts is not None else ()
    return [one.contract for one in tenancies if one.state == "in_service"]


def allowed(e164: int, old: str, new: str) -> None:
    """Raises StateMoveError, naming the moves that there are."""
    try:
        move(STATES[old], STATES[new])
    except StateMoveError as error:
        ways = ", ".join(sorted(state.label for state in ALLOWED_MOVES[STATES[old]]))
        raise StateMoveError(f"+{e164}: {error}; from there it goes to: {ways}") from error


def _meant(e164: int, was: Facts, request: SetState) -> Tenancy | None:
    """The tenancy that shall move; None begins a new one under the contract."""
    if request.contract is not None:
        found = was.tenancy(request.contract)
        if found is None and request.state not in ("reserved", "porting_in"):
            raise StateMoveError(
                f"+{e164} is not under {request.contract!r}: begin as reserved or porting_in"
            )
        return found
    live = [one for one in was.tenancies if one.state in LIVE]
    if len(was.tenancies) == 1:
        return was.tenancies[0]
    if len(live) == 1:
        return live[0]
    if not was.tenancies:
        raise RefuseError(f"+{e164} is under no contract yet: say which with --contract")
    under = ", ".join(f"{one.contract!r} ({one.state})" for one in was.tenancies)
    raise RefuseError(f"+{e164} is under {under}: say which with --contract")


def with_tenancy(e164: int, facts: Facts, tenancy: Tenancy) -> Facts:
    """The facts with this tenancy in place of the one under its contract, in a slot that is free.

    Raises RefuseError for a third one that lives.
    """
    others = tuple(one for one in facts.tenancies if one.contract != tenancy.contract)
    if tenancy.state in LIVE:
        taken = {one.slot for one in others if one.state in LIVE}
        if len(taken) >= MOST_LIVE:
            under = " and ".join(repr(one.contract) for one in others if one.state in LIVE)
            raise RefuseError(f"+{e164} moves between {under} already: release one of them first")
        if tenancy.slot in taken:
            tenancy = replace(tenancy, slot=3 - tenancy.slot)
    return replace(facts, tenancies=tuple(sorted((*others, tenancy))))


async def apply(connection: Connection, plan: Plan, progress: Progress = silent) -> Applied:
    """Do it, in one transaction; `Applied.undo` takes it back. Raises ConflictError."""
    return await ledger.apply(connection, plan, progress)
