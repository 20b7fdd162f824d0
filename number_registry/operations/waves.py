"""Migrations in waves, the verbs: plan one, take a step, take it back, stop it where a limit is
crossed.

    plan    which cities, in which order                            moves nothing
    step    start, go, hold, resume, roll back, skip, cancel        shown first, then
    apply   gathers numbers (moves.py), then one transaction:       pointers, states, history
    stop    the same for whom no person asked: wave_watch.py

Time is given. A step is written only where the migration is as it was when the step was planned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from shlex import quote

from number_registry import waves
from number_registry.errors import RefuseError
from number_registry.operations import ledger, moves, wave_judge, wave_rows
from number_registry.operations.move_plan import Move, MovePlan
from number_registry.operations.selection import Selection
from number_registry.operations.values import (
    Applied,
    ConflictError,
    Progress,
    UnknownError,
    silent,
)
from number_registry.operations.wave_add import add, read, taken
from number_registry.operations.wave_plan import NewMigration, plan
from number_registry.operations.wave_rows import Stored, image
from number_registry.store.pool import Connection, Record
from number_registry.store.queries import SQL
from number_registry.waves import Migration

__all__ = [
    "NewMigration",
    "Step",
    "add",
    "answers",
    "apply",
    "meant",
    "plan",
    "read",
    "step",
    "undo",
]

Change = Callable[[Migration], Migration]


class WentOnError(ConflictError):
    """Somebody took a step of this migration between plan and apply."""


async def meant(connection: Connection, number: int | None) -> int:
    """The migration of this id; without one the only open one, else the newest.

    Raises UnknownError where there is none, RefuseError where several are open.
    """
    if number is not None:
        return (await wave_rows.load(connection, number)).id
    rows = await connection.fetch(SQL["list_pbx_migrations"], 1000)
    if not rows:
        raise UnknownError("no migration is planned yet: see ./portgate waves plan --help")
    alive = [row["id"] for row in rows if row["state"] in waves.OPEN]
    if len(alive) > 1:
        raise RefuseError(f"say which migration: {', '.join(map(str, sorted(alive)))} are open")
    return int(alive[0] if alive else rows[0]["id"])


@dataclass(frozen=True, slots=True)
class Step:
    """A step before it is taken. ``moves``: what each city that goes would do, ``back``: the cities
    that come back; ``notes``: what a person should know.
    """

    actor: str
    verb: str
    stored: Stored
    after: Migration
    why: str = ""
    moves: Mapping[str, MovePlan] = field(default_factory=dict)
    back: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return self.after == self.stored.migration

    @property
    def summary(self) -> str:
        """What happens, in a line."""
        was = self.stored.migration
        told = [f"{city}: {len(one.changes)} numbers from {was.old} to {was.new}"
                for city, one in self.moves.items()]  # fmt: skip
        told += [f"{city} back to {was.old}" for city in self.back]
        pairs = list(zip(was.waves, self.after.waves, strict=True))
        told += [f"{two.city}: a limit is crossed" for one, two in pairs
                 if two.trouble and not one.trouble]  # fmt: skip
        told += [f"{two.city} is left out" for one, two in pairs
                 if two.state == "skipped" != one.state]  # fmt: skip
        if self.after.state != was.state:
            told.append(f"migration {self.stored.id} is {self.after.state}")
        return "; ".join(told) or f"migration {self.stored.id} as it is"


async def step(
    connection: Connection,
    actor: str,
    verb: str,
    number: int,
    change: Change,
    now: datetime,
    why: str = "",
    *,
    sure: bool = False,
) -> Step:
    """What this change of a migration would do. Raises RefuseError where it may not be.

    `sure`: whoever goes on has seen that a limit is crossed.
    """
    stored = await wave_rows.load(connection, number)
    after = change(stored.migration)
    found = Step(actor, verb, stored, after, why)
    if found.empty:
        return found
    forward, back = waves.turned(stored.migration, after)
    notes: list[str] = []
    if verb == "go":
        notes += await wave_judge.refusals(connection, stored, now, sure=sure)
    if after.state == "finished":
        notes += await _left_behind(connection, stored.migration)
    if back:
        await answers(connection, stored.migration.old)
        for city in back:
            await _free(connection, stored.id, stored.cities[city].numbers)
    plans = {}
    for city in forward:
        plans[city] = await _move(connection, actor, stored.migration, city)
        notes += _since_planned(stored, city, plans[city])
        await _free(connection, stored.id, [one.e164 for one in plans[city].changes])
    return replace(found, moves=plans, back=tuple(back), notes=tuple(notes))


async def answers(connection: Connection, name: str) -> None:
    """Raises RefuseError where calls that come to this PBX would ring nobody."""
    found = await wave_rows.pbx(connection, name)
    if found.state != "in_service" or not found.addresses:
        why = "is suspended" if found.state != "in_service" else "has no address in service"
        raise RefuseError(f"PBX {name} {why}: its calls would fail; mend that first")


async def _free(connection: Connection, but: int, numbers: Sequence[int]) -> None:
    """Raises RefuseError where another open migration is about one of these."""
    if found := await taken(connection, numbers, but):
        raise RefuseError(f"+{found[0]} is part of {found[1]}: finish or cancel that first")


async def _left_behind(connection: Connection, migration: Migration) -> list[str]:
    cities = [one.city for one in migration.waves if one.at_new]
    rows = await connection.fetch(SQL["wave_cities"], migration.old, cities)
    return [
        f"{row['city']}: {len(row['numbers'])} numbers are still at {migration.old}:"
        f" ./portgate pbx swap {migration.old} {migration.new} --city {quote(row['city'])}"
        for row in rows
    ]


async def _move(connection: Connection, actor: str, migration: Migration, city: str) -> MovePlan:
    request = Move(migration.new, Selection(city=city))
    found = moves.plan(actor, request, await moves.read(connection, request, migration.old))
    if not found.changes:
        raise RefuseError(
            f"no number of {city} is at {migration.old} any more:"
            f" ./portgate waves skip --city {quote(city)}"
        )
    return found


def _since_planned(stored: Stored, city: str, plan: MovePlan) -> list[str]:
    """Numbers that came to the city or left it since it was planned: what is there now moves."""
    was = set(stored.cities[city].numbers)
    will = {one.e164 for one in plan.changes}
    told = []
    for words, some in (
        ("new since the plan", will - was),
        ("not at the PBX any more", was - will),
    ):
        if some:
            shown = ", ".join(f"+{one}" for one in sorted(some)[:5])
            told.append(f"{city}: {len(some)} numbers {words}: {shown}" + ", ..." * (len(some) > 5))
    return told


async def apply(
    connection: Connection, step: Step, now: datetime, progress: Progress = silent
) -> Applied:
    """Take the step: what is slow first, then all that anybody notices in one transaction.

    Killed before that nothing has happened, and the same step goes on where it was. Raises
    ConflictError where the migration went on meanwhile, AbortError as moves.ready.
    """
    if step.empty:
        return Applied(None, step.summary)
    rules, old = step.after.rules, step.after.old
    found = {}
    for city, going in step.moves.items():
        move = await moves.ready(connection, going, progress)
        numbers = [one.e164 for one in going.changes]
        since, until = wave_rows.weeks_before(rules, now)
        hours = await wave_rows.calls(connection, numbers, since, until, old)
        found[city] = (move, numbers, (hours, since, until))
    async with connection.transaction():
        await ledger.begin(connection, step.actor)
        current = await wave_rows.load(connection, step.stored.id)
        if current.migration != step.stored.migration:
            raise WentOnError(f"migration {step.stored.id} went on meanwhile: look, then repeat")
        verb = f"waves {step.verb}"
        operation = await ledger.record(connection, step.actor, verb, step.summary)
        for city, stored in found.items():
            await wave_rows.save_move(connection, step.stored.id, city, *stored)
        pointers = {**{city: one.move for city, one in current.cities.items()},
                    **{city: stored[0] for city, stored in found.items()}}  # fmt: skip
        await _write(connection, current, step.after, operation, now, pointers,
                     what=step.summary, why=step.why)  # fmt: skip
    await moves.published(connection, moves.NOTICED_S)
    return Applied(operation, step.summary, len(step.moves) + len(step.back) or 1)


async def _write(
    connection: Connection,
    stored: Stored,
    after: Migration,
    operation: int,
    now: datetime,
    pointers: Mapping[str, int | None],
    *,
    what: str,
    why: str,
) -> None:
    """Pointers, states and history of one step; needs a transaction in which nobody else works."""
    forward, back = waves.turned(stored.migration, after)
    for city in back:
        await _back(connection, await connection.fetchrow(SQL["move"], pointers[city]))
    for city in forward:
        await moves.verify(connection, pointers[city] or 0)
        move = await connection.fetchrow(SQL["move"], pointers[city])
        await moves.turn(connection, move, operation)
    await wave_rows.save(connection, stored.id, after)
    await connection.execute(
        SQL["add_wave_history"],
        stored.id, operation, now, what, why, image(stored.migration), image(after),
    )  # fmt: skip


async def _back(connection: Connection, move: Record) -> None:
    """The pointer back, unless somebody has turned it back already."""
    there = await connection.fetchrow(SQL["group_points_to"], move["group_id"])
    if (there["pbx_id"], there["percent"]) == (move["from_pbx"], 0):
        await connection.execute(SQL["move_is_undone"], move["id"])
    else:
        await moves.turn_back(connection, move)


async def undo(connection: Connection, actor: str, undone: Record, now: datetime) -> Applied:
    """A step back; needs a transaction. Raises ConflictError where the migration went on since."""
    await ledger.begin(connection, actor)
    told = await connection.fetchrow(SQL["wave_history_by_operation"], undone["id"])
    stored = await wave_rows.load(connection, told["migration_id"])
    if image(stored.migration) != told["after"]:
        last = await connection.fetchrow(SQL["last_wave_history"], stored.id)
        raise ConflictError(
            f"migration {stored.id} went on since, by operation {last['operation_id']}"
            f" ({last['verb']}): take that back first, or ./portgate waves rollback"
        )
    if told["before"] is None:
        after = waves.cancel(stored.migration)
    else:
        after = wave_rows.of_image(stored.migration, told["before"])
    forward, back = waves.turned(stored.migration, after)
    for name, cities in ((after.new, forward), (after.old, back)):
        if cities:
            await answers(connection, name)
    summary = f"took back {undone['id']}: {undone['summary']}"
    operation = await ledger.record(connection, actor, "undo", summary, (), undone["id"])
    pointers = {city: one.move for city, one in stored.cities.items()}
    await _write(connection, stored, after, operation, now, pointers, what=summary, why="")
    return Applied(operation, summary, len(forward) + len(back) or 1)
