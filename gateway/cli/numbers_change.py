"""`portgate numbers set|state|import|undo`: each shows its plan, asks on a terminal, then does
exactly that; the rules are those of number_registry.operations.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import click

from gateway import sheets
from gateway.cli import choose, registry
from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.registry import (
    CHANGES,
    ERROR,
    SAME,
    actor,
    applied_json,
    bar,
    confirm,
    plan_json,
    plan_option,
    run,
    show_lines,
    show_plan,
    told,
    yes_option,
)
from number_registry.errors import RefuseError
from number_registry.operations import imports, moves, numbers
from number_registry.operations import undo as taking_back
from number_registry.operations.imports import ImportFacts, ImportRequest, RowError
from number_registry.operations.numbers import RECORDINGS, SCENARIOS, STATES, SetFields, SetState
from number_registry.operations.selection import Names, Selection, facts_of, find, names, some
from number_registry.operations.values import Applied, Facts, Plan
from number_registry.store.pool import Connection


@click.command("set")
@click.argument("numbers", nargs=-1, metavar="[NUMBERS]...")
@click.option("--of-city", metavar="CITY", help="Of the numbers of this city.")
@click.option("--of-department", metavar="DEPARTMENT", help="Of those that this one pays.")
@click.option("--of-pbx", metavar="PBX", help="Of those that this PBX answers.")
@click.option("--city", help="The new city.")
@click.option("--department", help="The new department; '' for none.")
@click.option("--pbx", help="The PBX to attach them to, one by one; '' for none. See `pbx swap`.")
@click.option(
    "--scenario",
    type=click.Choice(SCENARIOS),
    help="The PBX's voice menu, or straight to its operators.",
)
@click.option(
    "--recording",
    type=click.Choice(RECORDINGS),
    help="Of its calls: as the role of who answers says, or in any case.",
)
@plan_option
@yes_option
@json_option
def set_numbers(
    numbers: tuple[str, ...],
    of_city: str | None,
    of_department: str | None,
    of_pbx: str | None,
    only_plan: bool,
    yes: bool,
    as_json: bool,
    **fields: str | None,
) -> None:
    """Change the city, department, PBX, scenario or recording.

    \b
      ./portgate numbers set '+7495123000[0-4]' --scenario direct
      ./portgate numbers set --of-city Kazan --department Service --plan
    """
    if all(value is None for value in fields.values()):
        raise click.ClickException("say what to set: --city, --department, --pbx, --scenario, ...")
    chosen = choose.selection(numbers, city=of_city, department=of_department, pbx=of_pbx)
    wanted = SetFields(**fields)
    _change(chosen, lambda facts, there: _plan_set(wanted, facts, there), only_plan, yes, as_json)


def _plan_set(wanted: SetFields, facts: dict[int, Facts], there: Names) -> Plan:
    return numbers.plan_set(actor(), wanted, facts, there)


@click.command("state")
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBERS...")
@click.argument("state", type=click.Choice(list(STATES)), metavar="STATE")
@click.option("--contract", help="Which one, where a number has several or begins a new one.")
@plan_option
@yes_option
@json_option
def set_state(
    numbers: tuple[str, ...],
    state: str,
    contract: str | None,
    only_plan: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Move numbers to a state, along the ways that there are.

    States: reserved, porting_in, in_service, suspended, porting_out, released, cooling.

    A number that is ported from one contract to another becomes porting_out with the one and
    porting_in with the other; its first call from the new carrier puts it into service there.

    \b
      ./portgate numbers state +78432220000 porting_out
      ./portgate numbers state +78432220000 porting_in --contract 'Carrier 4512'
    """
    chosen = choose.selection(numbers)
    wanted = SetState(state, contract)
    _change(chosen, lambda facts, there: _plan_state(wanted, facts, there), only_plan, yes, as_json)


def _plan_state(wanted: SetState, facts: dict[int, Facts], there: Names) -> Plan:
    return numbers.plan_state(actor(), wanted, facts, there)


def _change(
    chosen: Selection,
    plan: Callable[[dict[int, Facts], Names], Plan],
    only_plan: bool,
    yes: bool,
    as_json: bool,
) -> None:
    async def planned(connection: Connection) -> Plan:
        found = await find(connection, some(chosen))
        if not found:
            raise RefuseError("there is no such number here: see ./portgate numbers list")
        facts = await facts_of(connection, (row["e164"] for row in found))
        return plan(facts, await names(connection))

    what = run(this_home(), planned)
    if not as_json:
        show_plan(what.changes, what.made)
        click.echo(f"{what.summary}, {what.unchanged} as they are", err=True)
    if only_plan or what.empty:
        if as_json:
            print_json({**plan_json(what), **applied_json(None)})
        sys.exit(SAME if what.empty else CHANGES)
    confirm("Do this?", yes)
    with bar() as progress:
        applied = run(this_home(), lambda connection: numbers.apply(connection, what, progress))
    _done(applied, {**plan_json(what), **applied_json(applied)} if as_json else None)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--add-missing",
    is_flag=True,
    help="Make cities, departments, attachments and contracts that are not there yet.",
)
@click.option("--errors", type=click.Path(path_type=Path), help="Write what is wrong to this CSV.")
@plan_option
@yes_option
@json_option
def import_numbers(
    file: Path,
    add_missing: bool,
    errors: Path | None,
    only_plan: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take numbers from a .csv or .xlsx: all of it or nothing.

    The first line holds titles, as `numbers export` writes them. A column that is not there leaves
    its field as it is, and numbers that are not in the file stay. With an error in any row nothing
    is changed.

    \b
      ./portgate numbers import numbers.xlsx --plan
      ./portgate numbers import new-city.csv --add-missing
    """
    with bar() as progress:
        rows, unread = sheets.read(file, progress)
        request = ImportRequest(file.name, rows, unread, add_missing)

        async def planned(connection: Connection) -> tuple[Plan, tuple[RowError, ...]]:
            facts = await facts_of(connection, {row.e164 for row in rows})
            there = ImportFacts(facts, await names(connection))
            return imports.plan(actor(), request, there, progress)

        what, wrong = run(this_home(), planned)
    report = {"file": file.name, "rows": len(rows), "errors": [one._asdict() for one in wrong]}
    if wrong:
        _refused(wrong, errors, {**report, **plan_json(what), **applied_json(None)}, as_json)
    if not as_json:
        show_plan(what.changes, what.made)
        click.echo(f"{what.summary}, {what.unchanged} as they are", err=True)
    if only_plan or what.empty:
        if as_json:
            print_json({**report, **plan_json(what), **applied_json(None)})
        sys.exit(SAME if what.empty else CHANGES)
    confirm(f"Import {what.summary}?", yes)
    with bar() as progress:
        applied = run(this_home(), lambda connection: imports.apply(connection, what, progress))
    _done(applied, {**report, **plan_json(what), **applied_json(applied)} if as_json else None)


def _refused(
    wrong: tuple[RowError, ...], file: Path | None, report: dict[str, object], as_json: bool
) -> None:
    """Say what is wrong, where, and what was expected; nothing has been changed."""
    if file is not None:
        with file.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows([RowError._fields, *wrong])
    if as_json:
        print_json(report)
    else:
        lines = (
            ("!", f"{one.file}:{one.line}: {one.column} {one.value!r}: expected {one.expected}")
            for one in wrong
        )
        show_lines(lines, len(wrong))
        count = "1 error" if len(wrong) == 1 else f"{len(wrong)} errors"
        click.echo(f"{count}: nothing was changed", err=True)
    sys.exit(ERROR)


@click.command("undo")
@click.argument("operation", type=int, required=False)
@plan_option
@yes_option
@json_option
def undo_numbers(operation: int | None, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Take the last import or change of numbers back.

    Or the one with this id, which the command said that did it. Refused when any of its numbers
    has changed since.

    \b
      ./portgate numbers undo --plan
      ./portgate numbers undo 17
    """
    verbs = taking_back.NUMBERS if operation is None else taking_back.UNDOABLE
    undo(operation, verbs, yes, as_json, only_plan)


def undo(
    operation: int | None, verbs: str, yes: bool, as_json: bool, only_plan: bool = False
) -> None:
    """What `numbers undo`, `pbx undo` and `waves undo` share. A plan of it is done and not kept."""

    async def taken(connection: Connection) -> Applied:
        done = await taking_back.undo(connection, actor(), operation, verbs, now=registry.now())
        await moves.published(connection, moves.NOTICED_S)
        return done

    async def shown(connection: Connection) -> Applied:
        trial = connection.transaction()
        await trial.start()
        try:
            return await taking_back.undo(connection, actor(), operation, verbs, now=registry.now())
        finally:
            await trial.rollback()

    if only_plan:
        summary = run(this_home(), shown).summary.replace("took back", "would take back", 1)
        if as_json:
            print_json({**applied_json(None), "summary": summary})
        else:
            click.echo(summary, err=True)
        sys.exit(CHANGES)
    confirm(f"Take operation {operation or '(the last one)'} back?", yes)
    applied = run(this_home(), taken)
    _done(applied, {**applied_json(applied), "summary": applied.summary} if as_json else None)


def _done(applied: Applied, report: dict[str, object] | None) -> None:
    if report is not None:
        print_json(report)
    elif applied.summary.startswith("took back"):
        click.echo(applied.summary, err=True)
    else:
        told(applied, "numbers")
