"""`portgate waves`: the steps of a migration; waves_plan.py plans it, waves.py shows it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from gateway.cli import registry
from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.numbers_change import undo
from gateway.cli.registry import (
    CHANGES,
    SAME,
    actor,
    applied_json,
    bar,
    confirm,
    plan_option,
    reach_warnings,
    run,
    show_lines,
    told,
    yes_option,
)
from number_registry import waves as core
from number_registry.operations import undo as taking_back
from number_registry.operations import waves
from number_registry.operations.values import Applied
from number_registry.operations.waves import Step
from number_registry.store.pool import Connection
from number_registry.waves import Migration

_migration = click.argument("migration", type=int, required=False)


@click.command("start")
@_migration
@plan_option
@yes_option
@json_option
def start_waves(migration: int | None, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Move the pilot city: the migration begins.

    \b
      ./portgate waves start --plan
      ./portgate waves start
    """
    _step("start", migration, core.start, only_plan, yes, as_json)


@click.command("go")
@_migration
@click.option("--city", help="This city, instead of the next one.")
@click.option(
    "--anyway", is_flag=True, help="With --city: before its time, or with a limit crossed."
)
@plan_option
@yes_option
@json_option
def go_waves(
    migration: int | None, city: str | None, anyway: bool, only_plan: bool, yes: bool, as_json: bool
) -> None:
    """Your go: the next city moves.

    What is watched is kept. After the last city it ends the migration.

    \b
      ./portgate waves go --plan
      ./portgate waves go --city Ufa --anyway
    """
    if anyway and city is None:
        # Given twice by mistake it would otherwise move two cities.
        raise click.UsageError("--anyway needs --city")
    _step(
        "go",
        migration,
        lambda was, now: core.go(was, now, city, anyway=anyway),
        only_plan,
        yes,
        as_json,
        sure=anyway,
    )


@click.command("hold")
@_migration
@click.option("--why", default="", help="For whoever reads the history.")
@plan_option
@yes_option
@json_option
def hold_waves(migration: int | None, why: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    """No city moves until `resume`.

    Those that have moved stay, and are watched on.

    \b
      ./portgate waves hold --why 'trunk of Ufa is being changed'
    """
    said = why or f"held by {actor()}"
    _step("hold", migration, lambda was, now: core.hold(was, now, said), only_plan, yes, as_json,
          why=why)  # fmt: skip


@click.command("resume")
@_migration
@plan_option
@yes_option
@json_option
def resume_waves(migration: int | None, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Go on after a hold. Where a limit was crossed only calls from now on count.

    The time that was lost is added to the watch. No city moves by this: that is `go`.

    \b
      ./portgate waves resume
    """
    _step("resume", migration, core.resume, only_plan, yes, as_json)


@click.command("rollback")
@_migration
@click.option("--city", "cities", multiple=True, help="This city, instead of the last one.")
@click.option("--all", "everything", is_flag=True, help="Every city that has moved.")
@click.option("--why", default="", help="For whoever reads the history.")
@plan_option
@yes_option
@json_option
def rollback_waves(
    migration: int | None,
    cities: tuple[str, ...],
    everything: bool,
    why: str,
    only_plan: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Back to the old PBX in one step: the city that moved last. The migration is held then.

    \b
      ./portgate waves rollback
      ./portgate waves rollback --all --why 'no audio in Ufa'
    """
    if cities and everything:
        raise click.UsageError("--city or --all, not both")

    def back(was: Migration, now: datetime) -> Migration:
        chosen: Sequence[str] | None = cities or None
        if everything:
            chosen = [one.city for one in was.waves]
        return core.roll_back(was, now, chosen)

    _step("rollback", migration, back, only_plan, yes, as_json, why=why)


@click.command("skip")
@_migration
@click.option("--city", required=True, help="Which city stays.")
@plan_option
@yes_option
@json_option
def skip_waves(migration: int | None, city: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Leave a city out that has not moved.

    `waves go --city` takes it in again.

    \b
      ./portgate waves skip --city Ufa
    """
    _step("skip", migration, lambda was, now: core.skip(was, city), only_plan, yes, as_json)


@click.command("cancel")
@_migration
@click.option("--keep", is_flag=True, help="Cities that have moved stay where they are.")
@plan_option
@yes_option
@json_option
def cancel_waves(
    migration: int | None, keep: bool, only_plan: bool, yes: bool, as_json: bool
) -> None:
    """End a migration before its end.

    Cities that have moved must be rolled back before, or kept by --keep.

    \b
      ./portgate waves cancel --keep
    """
    _step("cancel", migration, lambda was, now: core.cancel(was, keep=keep), only_plan, yes,
          as_json)  # fmt: skip


@click.command("undo")
@click.argument("operation", type=int, required=False)
@plan_option
@yes_option
@json_option
def undo_waves(operation: int | None, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Take the last step of a migration back.

    Or the one with this id. Refused where the migration went on since; `rollback` brings cities
    back whatever came after.

    \b
      ./portgate waves undo --plan
    """
    undo(operation, taking_back.WAVES, yes, as_json, only_plan)


def _step(
    verb: str,
    migration: int | None,
    change: Callable[[Migration, datetime], Migration],
    only_plan: bool,
    yes: bool,
    as_json: bool,
    *,
    why: str = "",
    sure: bool = False,
) -> None:
    now = registry.now()

    async def planned(connection: Connection) -> Step:
        number = await waves.meant(connection, migration)
        return await waves.step(
            connection, actor(), verb, number, lambda was: change(was, now), now, why, sure=sure
        )

    home = this_home()
    step = run(home, planned)
    if step.moves:
        step = replace(step, notes=(*step.notes, *reach_warnings(home, step.after.new)))
    if not as_json:
        _show_step(step)
    if only_plan or step.empty:
        if as_json:
            print_json(_report(step, None))
        else:
            click.echo(step.summary, err=True)
        sys.exit(SAME if step.empty else CHANGES)
    confirm("Do this?", yes)
    with bar() as progress:
        applied = run(home, lambda connection: waves.apply(connection, step, now, progress))
    if as_json:
        print_json(_report(step, applied))
    else:
        told(applied, "waves")


def _show_step(step: Step) -> None:
    lines = [
        ("~", f"{city}  {len(plan.changes)} numbers {plan.old.name} → {plan.new.name},"
              f" {plan.live_calls} live calls stay")
        for city, plan in step.moves.items()
    ]  # fmt: skip
    lines += [("~", f"{city}  back to {step.after.old}") for city in step.back]
    lines += [("!", note) for note in step.notes]
    show_lines(lines, len(lines))


def _report(step: Step, applied: Applied | None) -> dict[str, Any]:
    """A step as scripts read it."""
    return {
        "migration": step.stored.id,
        "state": step.after.state,
        "summary": step.summary,
        "notes": list(step.notes),
        "changes": [
            *(
                {"city": city, "before": plan.old.name, "after": plan.new.name,
                 "numbers": len(plan.changes), "live_calls": plan.live_calls}
                for city, plan in step.moves.items()
            ),
            *(
                {"city": city, "before": step.after.new, "after": step.after.old,
                 "numbers": len(step.stored.cities[city].numbers)}
                for city in step.back
            ),
        ],
        **applied_json(applied),
    }  # fmt: skip
