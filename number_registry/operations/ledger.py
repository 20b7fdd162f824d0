"""Carries planned changes of numbers out, records them, and takes them back; it plans nothing.

Everything happens in one transaction: the images before and after each number go into
operation_numbers by COPY, the same rows then say what to insert, change and delete. An undo is the
same rows turned round. Before anything is written the images are compared with what is there, so a
plan never overwrites what somebody else did meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg

from number_registry.errors import RefuseError
from number_registry.operations.values import (
    Applied,
    Change,
    ConflictError,
    Facts,
    Plan,
    Progress,
    UnknownError,
    silent,
)
from number_registry.store.pool import Connection, Record
from number_registry.store.queries import SQL

CHUNK = 5000
_WRITES: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("delete_tenancies", ()),
    ("insert_numbers", ()),
    ("update_numbers", ()),
    ("update_tenancies", (True,)),
    ("update_tenancies", (False,)),
    ("insert_tenancies", ()),
    ("delete_numbers", ()),
)


async def apply(connection: Connection, plan: Plan, progress: Progress = silent) -> Applied:
    """All of the plan or nothing. Raises ConflictError when numbers changed since it was made."""
    if plan.empty:
        return Applied(None, plan.summary)
    async with connection.transaction():
        await begin(connection, plan.actor)
        for one in plan.made:
            await connection.execute(SQL[f"make_{one.kind}"], one.name, *one.needs)
        made = [[one.kind, one.name] for one in plan.made]
        operation = await record(connection, plan.actor, plan.verb, plan.summary, made)
        await _copy(connection, operation, plan.changes, progress)
        await _write(connection, operation, progress)
    return Applied(operation, plan.summary, len(plan.changes), plan.made)


async def begin(connection: Connection, actor: str) -> None:
    """Alone, and under this name, until the end of the transaction."""
    await connection.execute(SQL["operate_alone"])
    await connection.execute(SQL["act_as"], actor)


async def record(
    connection: Connection,
    actor: str,
    verb: str,
    summary: str,
    made: Sequence[Sequence[str]] = (),
    undoes: int | None = None,
) -> int:
    """The id of a new line in the list of operations."""
    found: int = await connection.fetchval(SQL["add_operation"], actor, verb, summary, made, undoes)
    return found


async def undo_numbers(
    connection: Connection, actor: str, undone: Record, progress: Progress = silent
) -> Applied:
    """Take an operation on numbers back; needs a transaction. Raises ConflictError."""
    await begin(connection, actor)
    await connection.execute(SQL["allow_undo"])
    summary = f"took back {undone['id']}: {undone['verb']}, {undone['summary']}"
    operation = await record(connection, actor, "undo", summary, (), undone["id"])
    count = _count(await connection.execute(SQL["reverse_operation"], operation, undone["id"]))
    await connection.execute(SQL["where_moves_left_them"], operation)
    await _write(connection, operation, progress)
    for kind, name in reversed(undone["made"]):
        await connection.execute(SQL[f"unmake_{kind}"], name)
    return Applied(operation, summary, count)


async def operation_to_undo(connection: Connection, wanted: int | None, verbs: str) -> Record:
    """The operation of this id, or the newest of these verbs. Raises UnknownError, RefuseError."""
    number = wanted or await connection.fetchval(SQL["last_operation"], verbs)
    if number is None:
        raise UnknownError("there is no operation that could be taken back")
    found = await connection.fetchrow(SQL["operation"], number)
    if found is None:
        raise UnknownError(f"there is no operation {number}")
    if found["undone_by"] is not None:
        raise RefuseError(f"operation {number} was taken back already, by {found['undone_by']}")
    if found["undoes"] is not None:
        raise RefuseError(f"operation {number} is an undo itself: run what it took back again")
    if not re.search(verbs, found["verb"]):
        raise RefuseError(
            f"operation {number} is {found['verb']!r}, which has no undo here"
            f"{_where(found['verb'], number)}"
        )
    return found


def _where(verb: str, operation: int) -> str:
    """The command that takes it back, where there is one."""
    noun, _, rest = verb.partition(" ")
    if verb == "waves stop":
        return ": ./portgate waves resume, or rollback"
    # A new password is for good: nobody knows the old one.
    known = noun in ("numbers", "pbx", "waves") and rest != "password"
    return f": ./portgate {noun} undo {operation}" if known else ""


async def _copy(
    connection: Connection, operation: int, changes: Sequence[Change], progress: Progress
) -> None:
    await connection.execute(SQL["incoming_table"])
    await connection.copy_records_to_table(
        "incoming", records=_records(changes, progress), columns=["e164", "before", "after"]
    )
    await connection.execute(SQL["take_incoming"], operation)
    if len(changes) > CHUNK:
        await connection.execute(SQL["analyze_operation_numbers"])


async def _records(
    changes: Sequence[Change], progress: Progress
) -> AsyncIterator[tuple[int, str | None, str | None]]:
    for done, change in enumerate(changes):
        if done % CHUNK == 0:
            progress("copying", done, len(changes))
        yield change.e164, _json(change.before), _json(change.after)
    progress("copying", len(changes), len(changes))


def _json(facts: Facts | None) -> str | None:
    return None if facts is None else json.dumps(facts.image(), ensure_ascii=False)


async def _write(connection: Connection, operation: int, progress: Progress) -> None:
    """What the rows of this operation say. Raises ConflictError, RefuseError; nothing is kept."""
    await connection.fetchval(SQL["hold_tenancies"], operation)
    conflicts = await connection.fetch(SQL["operation_conflicts"], operation)
    if conflicts:
        raise ConflictError("; ".join(_both_sides(row) for row in conflicts))
    for done, (query, arguments) in enumerate(_WRITES):
        progress("writing", done, len(_WRITES))
        try:
            await connection.execute(SQL[query], operation, *arguments)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise RefuseError(f"{error}. {error.detail or ''}".strip()) from error
    progress("writing", len(_WRITES), len(_WRITES))


def _both_sides(row: Record) -> str:
    was, now = row["before"], row["now"]
    if was is None or now is None:
        return f"+{row['e164']} is {'gone' if now is None else 'there already'}"
    change = Change(row["e164"], Facts.of(was), Facts.of(now))
    told = ", ".join(f"{name} is {two!r} and was {one!r}" for name, one, two in change.fields())
    return f"+{row['e164']} has changed meanwhile: {told}"


def _count(status: Any) -> int:
    return int(str(status).rpartition(" ")[2])
