"""Moves numbers to another PBX, all (swap) or a part of their new calls (share).

    plan     which numbers, live calls, what each number will do            pure
    prepare  the numbers into one group of their own that still points      slow, invisible, goes on
             to the PBX of now, in batches                                  where it was stopped
    flip     that group's pointer                                           one row, atomic
    undo     the pointer back

Calls in progress stay where they are: their messages carry the way (kemi/seal.py), so nothing here
touches them.
"""

from __future__ import annotations

import asyncio
import time

from number_registry.errors import AbortError
from number_registry.operations import ledger
from number_registry.operations.move_plan import (
    Candidate,
    InMigration,
    Move,
    MoveFacts,
    MovePlan,
    PbxFacts,
    as_json,
    plan,
)
from number_registry.operations.selection import Selection, check, known, names
from number_registry.operations.values import (
    Applied,
    ConflictError,
    Progress,
    UnknownError,
    silent,
)
from number_registry.publish.outbox import LOCK as PUBLISHER
from number_registry.store.pool import Connection, Record
from number_registry.store.queries import SQL

__all__ = [
    "Move",
    "MovePlan",
    "apply",
    "as_json",
    "flip",
    "plan",
    "prepare",
    "read",
    "ready",
    "turn",
    "turn_back",
    "undo",
    "verify",
]

BATCH = 5000  # numbers in one transaction: some 0.2 s, and what a kill -9 costs at most
PUBLISHED_S = 120.0  # for a publisher that works; 100,000 numbers take it some seconds
NOTICED_S = 5.0  # for a flip, which takes milliseconds
LOOK_S = 0.02


async def read(connection: Connection, request: Move, old: str | None) -> MoveFacts:
    """What `plan` needs. A share finds the PBX of its numbers itself. Raises UnknownError."""
    there = (await names(connection)).pbxs
    known("PBX", request.to, there)
    known("PBX", old, there)
    await check(connection, request.selection)
    arguments = request.selection.arguments()[:4]
    rows = await connection.fetch(
        SQL["move_candidates"], *arguments, None if request.exact else old
    )
    chosen = tuple(Candidate(*row) for row in rows)
    if request.exact:
        _all_there(request.selection, chosen)
    elif old is None:  # what is at the new PBX already has nothing to share
        chosen = tuple(one for one in chosen if one.pbx != request.to)
    new = PbxFacts(*await connection.fetchrow(SQL["move_pbx"], request.to))
    start = old or next((one.pbx for one in chosen if one.pbx), None)
    found = await connection.fetchrow(SQL["move_pbx"], start) if start else None
    live = await connection.fetch(SQL["live_calls_of"], start or "")
    migrations = await connection.fetch(SQL["waves_of_numbers"], [one.e164 for one in chosen])
    return MoveFacts(
        PbxFacts(*found) if found else None,
        new,
        chosen,
        {row["e164"]: row["calls"] for row in live},
        tuple(InMigration(*row) for row in migrations),
    )


def _all_there(selection: Selection, chosen: tuple[Candidate, ...]) -> None:
    there = {one.e164 for one in chosen}
    for part in selection.ranges:
        for e164 in range(part.first, part.last + 1):
            if e164 not in there:
                raise UnknownError(f"+{e164} is not a number of ours, or not of this choice")


async def prepare(connection: Connection, plan: MovePlan, progress: Progress = silent) -> int:
    """Gather the numbers; the id of the move. Goes on where it was killed, and may be repeated.

    Nobody notices it: the group points to where the numbers point already.
    """
    move = await _begun(connection, plan)
    found = await connection.fetchrow(SQL["move"], move)
    total, done, last = found["numbers"], 0, 0
    while found["state"] == "preparing":
        progress("gathering", done, total)
        rows = await connection.fetch(SQL["next_of_move"], move, last, BATCH)
        if not rows:
            await connection.execute(SQL["move_is_prepared"], move)
            break
        batch = [row["e164"] for row in rows]
        async with connection.transaction():
            await connection.execute(SQL["act_as"], plan.actor)
            await connection.execute(SQL["gather"], batch, found["group_id"], plan.old.id)
        done, last = done + len(batch), batch[-1]
    progress("gathering", total, total)
    return move


async def _begun(connection: Connection, plan: MovePlan) -> int:
    """The open move of this plan, or a new one with its group."""
    request, percent = plan.request, plan.request.percent
    key = (request.kind, plan.old.id, plan.new.id, 100 if percent is None else percent)
    asked = request.selection.digest
    async with connection.transaction():
        await ledger.begin(connection, plan.actor)
        numbers = [change.e164 for change in plan.changes]
        found = await connection.fetchrow(SQL["open_move"], *key, asked)
        if found is None:
            group = await _group(connection, plan)
            move = await connection.fetchval(SQL["add_move"], *key, group, asked, plan.actor)
        else:
            # What was chosen may have changed since: the plan at hand is what counts.
            move = found["id"]
            await connection.execute(SQL["drop_move_numbers"], move, numbers)
        await connection.execute(SQL["add_move_numbers"], move, numbers)
        await connection.execute(SQL["count_move_numbers"], move, len(numbers))
        if len(numbers) > BATCH:
            await connection.execute(SQL["analyze_move_numbers"])
        return int(move)


async def _group(connection: Connection, plan: MovePlan) -> int:
    """A fresh group that points where the numbers point; or the one that an earlier move gathered
    exactly these in, so that a share which grows, and the swap that ends it, gather nothing again.
    """
    rows = await connection.fetch(SQL["groups_of_moves"], plan.old.id, list(plan.groups))
    if len(plan.groups) == 1 and rows and rows[0]["numbers"] == len(plan.changes):
        await connection.execute(SQL["forget_other_moves"], rows[0]["id"])
        return int(rows[0]["id"])
    name = f"{plan.request.kind} {plan.old.name} {plan.new.name}"
    return int(await connection.fetchval(SQL["make_move_group"], name, plan.old.id, *plan.share))


async def published(
    connection: Connection, patience_s: float = PUBLISHED_S, progress: Progress = silent
) -> bool:
    """Whether calls are routed by all that is committed now; waits for it a while.

    A pointer that moves before its numbers are published in its group moves only those that are.
    While no publisher works calls go on by the old copy, and get all of it at once later.
    """
    newest = await connection.fetchval(SQL["newest_change"])
    before = await connection.fetchval(SQL["count_changes"], newest)
    deadline = time.monotonic() + patience_s
    while await connection.fetchval(SQL["changes_waiting"], newest, PUBLISHER):
        if time.monotonic() > deadline:
            return False
        waiting = await connection.fetchval(SQL["count_changes"], newest)
        progress("publishing", before - waiting, before)
        await asyncio.sleep(LOOK_S)
    return True


async def verify(connection: Connection, move: int) -> None:
    """Raises ConflictError unless the move's group holds the planned numbers and no others."""
    found = await connection.fetchrow(SQL["move"], move)
    lost = found["numbers"] - await connection.fetchval(SQL["count_gathered"], move)
    if lost:
        raise ConflictError(f"{lost} of its numbers went elsewhere meanwhile: plan again")
    strangers = await connection.fetchval(SQL["strangers"], move)
    if strangers:
        raise ConflictError(
            f"{strangers} numbers joined attachment {found['group_name']!r} meanwhile"
        )


async def flip(connection: Connection, actor: str, move: int) -> Applied:
    """Turn the pointer of a prepared move: the same work for one number and for a million.

    Raises ConflictError when somebody else has turned it.
    """
    async with connection.transaction():
        await ledger.begin(connection, actor)
        found = await connection.fetchrow(SQL["move"], move)
        if found["state"] != "prepared":
            raise ConflictError(f"move {move} is {found['state']}, so it cannot be applied")
        summary = _summary(found)
        operation = await ledger.record(connection, actor, f"pbx {found['kind']}", summary)
        await turn(connection, found, operation)
    return Applied(operation, summary, found["numbers"])


async def turn(connection: Connection, move: Record, operation: int) -> None:
    """The pointer of this move, as part of an operation whose transaction this needs.

    Raises ConflictError when somebody else has turned it.
    """
    was = await connection.fetchrow(SQL["shares_of_group"], move["group_id"])
    target = _pointer(move)
    if not await connection.fetchval(SQL["flip"], move["group_id"], move["from_pbx"], *target):
        raise ConflictError(f"attachment {move['group_name']!r} points elsewhere by now")
    await connection.execute(SQL["move_is_applied"], move["id"], operation, *was)


async def turn_back(connection: Connection, move: Record) -> None:
    """The pointer back to where it was; needs a transaction. Raises ConflictError."""
    turned = await connection.fetchval(
        SQL["flip_back"],
        move["group_id"], move["from_pbx"], move["was_other"], move["was_percent"], *_pointer(move),
    )  # fmt: skip
    if turned is None:
        raise ConflictError(
            f"attachment {move['group_name']!r} was moved again since: take that back first"
        )
    await connection.execute(SQL["move_is_undone"], move["id"])


def _pointer(move: Record) -> tuple[int, int | None, int]:
    """(PBX, second PBX, its percent) that the move's group shall have."""
    if move["kind"] == "swap":
        return move["to_pbx"], None, 0
    return move["from_pbx"], move["to_pbx"] if move["percent"] else None, move["percent"]


def _summary(move: Record) -> str:
    way = f"{move['numbers']} numbers from {move['from_name']} to {move['to_name']}"
    return way if move["kind"] == "swap" else f"{move['percent']} % of new calls of {way}"


async def apply(connection: Connection, plan: MovePlan, progress: Progress = silent) -> Applied:
    """Prepare what is not prepared, then flip. `Applied.undo` flips back.

    Raises ConflictError, and AbortError where the gateway does not publish what was prepared.
    """
    if not plan.changes:
        return Applied(None, "nothing")
    applied = await flip(connection, plan.actor, await ready(connection, plan, progress))
    await published(connection, NOTICED_S)
    return applied


async def ready(connection: Connection, plan: MovePlan, progress: Progress = silent) -> int:
    """All that comes before the flip: gathered, looked at, published. The id of the move.

    Raises ConflictError, and AbortError where the gateway does not publish it.
    """
    move = await prepare(connection, plan, progress)
    await verify(connection, move)
    if not await published(connection, PUBLISHED_S, progress):
        raise AbortError(
            f"move {move} is prepared, but the gateway has not published all of it in"
            f" {PUBLISHED_S:g} s, so nothing was moved: look at ./portgate doctor, then try again"
        )
    return move


async def undo(connection: Connection, actor: str, undone: Record) -> Applied:
    """Flip back; needs a transaction. Raises ConflictError when the pointer has moved again."""
    await ledger.begin(connection, actor)
    move = await connection.fetchrow(SQL["move"], undone["move_id"])
    await turn_back(connection, move)
    summary = f"took back {undone['id']}: {undone['summary']}"
    operation = await ledger.record(connection, actor, "undo", summary, (), undone["id"])
    return Applied(operation, summary, move["numbers"])
