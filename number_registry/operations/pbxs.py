"""PBXs: adding one, changing how it speaks, suspending and resuming it, and taking that back;
moving numbers between them is in moves.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import asyncpg

from number_registry.errors import BadValueError, RefuseError
from number_registry.operations import ledger, pbx_accounts
from number_registry.operations.pbx_accounts import Login
from number_registry.operations.pbx_facts import PbxFacts, checked, fields
from number_registry.operations.selection import known, names
from number_registry.operations.values import Applied, ConflictError
from number_registry.pbx_profile import Trust
from number_registry.store.pool import Connection, Record
from number_registry.store.queries import SQL

# What a row of these tables, which keeps a PBX, means to a person.
_USED_BY = {
    "attachment_groups": "numbers are attached to it, or were by a swap that was not taken back",
    "contracts": "a contract is rented through it",
    "extensions": "extensions belong to it",
    "moves": "numbers were moved to or from it: take that back first",
    "waves": "a migration by waves has moved a city to or from it",
    "pbx_migrations": "a migration by waves is to or from it",
}


@dataclass(frozen=True, slots=True)
class PbxPlan:
    """What would be written: the PBX before (None: there is none of this name) and after.
    ``user``: a name for its account that somebody chose; empty: one that nobody can guess.
    """

    actor: str
    verb: str
    before: PbxFacts | None
    after: PbxFacts
    user: str = ""

    @property
    def empty(self) -> bool:
        return self.before is not None and self.before.image() == self.after.image()

    @property
    def sign(self) -> str:
        return " " if self.empty else "+" if self.before is None else "~"

    @property
    def needs_account(self) -> bool:
        """Whether a password is made with it."""
        has = self.after.account
        return self.after.profile.trust is not Trust.ADDRESS and (
            not has or self.user not in ("", has)
        )

    def fields(self) -> Iterator[tuple[str, str, str]]:
        """(field, before, after) of what changes."""
        return fields(self.before, self.after)

    @property
    def summary(self) -> str:
        pbx = f"PBX {self.after.name}"
        if self.empty:
            return f"{pbx} goes on as it is, {self.after.state}"
        if self.before is None:
            where = ", ".join(self.after.addresses) or "where it registers from"
            return f"{pbx} at {where}, trusted by {self.after.profile.trust.value}"
        if self.verb in ("pbx suspend", "pbx resume"):
            return f"{pbx} becomes {self.after.state}"
        return f"{pbx}: " + ", ".join(f"{name} {two or '-'}" for name, _, two in self.fields())


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, and the login that was made with it: to be shown now, and never again."""

    applied: Applied
    login: Login | None = None


def plan_add(actor: str, wanted: PbxFacts, there: frozenset[str], user: str = "") -> PbxPlan:
    """A new PBX, its values checked. Raises BadValueError, RefuseError when the name is taken."""
    if wanted.name in there:
        raise RefuseError(f"there is a PBX {wanted.name!r} already")
    return PbxPlan(actor, "pbx add", None, checked(wanted), _user(wanted, user))


def plan_set(actor: str, now: PbxFacts, wanted: PbxFacts, user: str = "") -> PbxPlan:
    """Another profile, addresses or sources for a PBX that is `now`. Raises BadValueError."""
    return PbxPlan(actor, "pbx set", now, checked(wanted), _user(wanted, user))


def _user(wanted: PbxFacts, user: str) -> str:
    if user and wanted.profile.trust is Trust.ADDRESS:
        raise BadValueError(f"PBX {wanted.name} is trusted by its addresses: it has no account")
    return pbx_accounts.checked(user)


def plan_state(actor: str, now: PbxFacts, state: str) -> PbxPlan:
    """Suspending or resuming a PBX that is `now`."""
    verb = "pbx suspend" if state == "suspended" else "pbx resume"
    return PbxPlan(actor, verb, now, replace(now, state=state))


async def read_names(connection: Connection) -> frozenset[str]:
    """The PBXs that there are."""
    return (await names(connection)).pbxs


async def read(connection: Connection, pbx: str) -> PbxFacts:
    """The facts of one PBX. Raises UnknownError, with the nearest name."""
    known("PBX", pbx, await read_names(connection))
    found = await _read(connection, pbx)
    assert found is not None
    return found


async def count_numbers(connection: Connection, pbx: str) -> int:
    """How many numbers it answers for."""
    found: int = await connection.fetchval(SQL["count_numbers_of_pbx"], pbx)
    return found


async def _read(connection: Connection, pbx: str) -> PbxFacts | None:
    row = await connection.fetchrow(SQL["pbx_facts"], pbx)
    if row is None:
        return None
    image = {**row, "addresses": [uri for uri, _ in row["addresses"]]}
    return PbxFacts.of(image, row["username"] or "")


async def apply(connection: Connection, plan: PbxPlan) -> Done:
    """Do it. Raises ConflictError when the PBX has changed since the plan was made."""
    if plan.empty and not plan.needs_account:
        return Done(Applied(None, plan.summary))
    login = None
    async with connection.transaction():
        await ledger.begin(connection, plan.actor)
        operation = await ledger.record(connection, plan.actor, plan.verb, plan.summary)
        await _change(connection, operation, plan.after.name, plan.before, plan.after)
        if plan.needs_account:
            login = await pbx_accounts.make(connection, plan.after.name, plan.user)
    return Done(Applied(operation, plan.summary, 1), login)


async def _change(
    connection: Connection,
    operation: int,
    pbx: str,
    before: PbxFacts | None,
    after: PbxFacts | None,
) -> None:
    """Write it where it still is as before. Raises ConflictError, RefuseError."""
    now = await _read(connection, pbx)
    if (now and now.image()) != (before and before.image()):
        told = ", ".join(f"{name} is {two or '-'!r}" for name, _, two in fields(before, now))
        raise ConflictError(f"PBX {pbx} has changed meanwhile: {told or 'it is gone'}")
    if after is None:
        await _drop(connection, pbx)
    else:
        await _put(connection, after, new=before is None)
    images = before and before.image(), after and after.image()
    await connection.execute(SQL["add_operation_pbx"], operation, pbx, *images)


async def _put(connection: Connection, facts: PbxFacts, *, new: bool) -> None:
    query = SQL["add_pbx" if new else "change_pbx"]
    pbx = await connection.fetchval(query, facts.name, facts.stored_profile(), facts.state)
    await connection.execute(SQL["drop_pbx_addresses"], pbx, list(facts.addresses))
    for priority, uri in enumerate(facts.addresses):
        await connection.execute(SQL["put_pbx_address"], pbx, uri, priority)


async def _drop(connection: Connection, pbx: str) -> None:
    """Moves that were taken back, or only prepared, do not keep it: they move nothing by now."""
    await connection.execute(SQL["forget_moves_of_pbx"], pbx)
    try:
        await connection.execute(SQL["drop_pbx"], pbx)
    except asyncpg.ForeignKeyViolationError as error:
        why = _USED_BY.get(error.as_dict().get("table_name", ""), "something belongs to it")
        raise RefuseError(
            f"PBX {pbx} is used by now ({why}), so it stays; suspend it instead"
        ) from error


async def undo(connection: Connection, actor: str, undone: Record) -> Applied:
    """Take a change back; needs a transaction. Raises ConflictError, RefuseError."""
    row = await connection.fetchrow(SQL["operation_pbx"], undone["id"])
    if row is None:
        raise RefuseError(f"operation {undone['id']} was made before such changes were kept")
    await ledger.begin(connection, actor)
    summary = f"took back {undone['id']}: {undone['verb']}, {undone['summary']}"
    operation = await ledger.record(connection, actor, "undo", summary, (), undone["id"])
    sides = (PbxFacts.of(row[side]) if row[side] else None for side in ("after", "before"))
    await _change(connection, operation, row["pbx"], *sides)
    return Applied(operation, summary, 1)
