"""`portgate numbers`: shows numbers, their history, and exports them; what changes them is in
numbers_change.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gateway import sheets
from gateway.cli import choose
from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import table
from gateway.cli.numbers_change import import_numbers, set_numbers, set_state, undo_numbers
from gateway.cli.registry import bar, plain, run
from number_registry.operations.imports import COLUMNS
from number_registry.operations.selection import MOST, Selection, find
from number_registry.operations.values import Progress, UnknownError
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

_COLUMNS = ("e164", "city", "carrier", "pbx", "state", "scenario", "department", "rented_through")
_TITLES = ("NUMBER", "CITY", "CARRIER", "PBX", "STATE", "SCENARIO", "DEPARTMENT", "RENTED THROUGH")
CHUNK = 5000


@click.group()
def numbers() -> None:
    """The numbers and who answers them.

    NUMBERS are full numbers in any spelling, ranges with free digits or from-to.

    \b
      ./portgate numbers list --city Kazan --state in_service
      ./portgate numbers list '+7495123000[0-4]' '8 (843) 222-00-00 - +78432220003'
      ./portgate numbers show '8 (495) 123-00-00'
      ./portgate numbers state +74951230003 suspended
      ./portgate numbers set '+7495123....' --scenario direct --plan
      ./portgate numbers import numbers.xlsx --plan
      ./portgate numbers list --json | jq -r '.numbers[] | select(.pbx == "old") | .e164'
    """


for command in (set_numbers, set_state, import_numbers, undo_numbers):
    numbers.add_command(command)


@numbers.command("list")
@click.argument("numbers", nargs=-1, metavar="[NUMBERS]...")
@choose.filters
@click.option("--limit", type=click.IntRange(1, MOST), default=MOST, help="At most so many.")
@json_option
def list_numbers(numbers: tuple[str, ...], limit: int, as_json: bool, **names: str | None) -> None:
    """Numbers: city, carrier, PBX that answers, state.

    The carrier is the one that rents the number out to us.

    \b
      ./portgate numbers list --city Kazan --state in_service
      ./portgate numbers list '+7495123....'
    """
    chosen = choose.selection(numbers, **names)
    found = run(this_home(), lambda connection: find(connection, chosen, limit))
    if as_json:
        print_json({"numbers": [shown(row) for row in found]})
        return
    table(_TITLES, [[shown(row)[column] or "-" for column in _COLUMNS] for row in found])
    click.echo(f"{len(found)} numbers", err=True)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as scripts see it: the number with its plus, empty where there is nothing."""
    return {**row, "e164": f"+{row['e164']}"}


@numbers.command("show")
@click.argument("number")
@json_option
def show_number(number: str, as_json: bool) -> None:
    """One number: its facts, contracts and history.

    \b
      ./portgate numbers show '8 (495) 123-00-00'
    """
    e164 = int(choose.number(number))
    facts, contracts, history = run(this_home(), lambda connection: _all_of(connection, e164))
    if as_json:
        print_json({"number": shown(facts), "tenancies": contracts, "history": history})
        return
    for name, value in shown(facts).items():
        if value not in ("", 0):
            click.echo(f"{name.replace('_', ' '):15} {value}")
    for one in contracts:
        through = f", through {one['rented_through']}" if one["rented_through"] else ""
        click.echo(
            f"{'contract':15} {one['contract']} ({one['carrier']}{through}):"
            f" {one['state']} since {one['state_since']}"
        )
    for line in history:
        click.echo(f"{'history':15} {told(line)}")


@numbers.command("history")
@click.argument("number")
@json_option
def show_history(number: str, as_json: bool) -> None:
    """Everything that happened to a number, dated, with who did it.

    \b
      ./portgate numbers history +74951230000
    """
    e164 = int(choose.number(number))
    history = run(this_home(), lambda connection: _history(connection, e164))
    if as_json:
        print_json({"e164": f"+{e164}", "history": history})
        return
    for line in history:
        click.echo(told(line))
    click.echo(f"{len(history)} changes", err=True)


def told(line: dict[str, Any]) -> str:
    """One line of history."""
    what = line["field"] + (f" with {line['contract']}" if line["field"] == "state" else "")
    who = f"  by {line['actor']}" if line["actor"] else ""
    return f"{line['at']}  {what}: {line['before'] or '-'} → {line['after'] or '-'}{who}"


async def _all_of(connection: Connection, e164: int) -> tuple[dict[str, Any], list[Any], list[Any]]:
    one = choose.Range(e164, e164)
    found = await find(connection, Selection((one,)))
    history = await _history(connection, e164)
    if not found:
        raise UnknownError(f"+{e164} is not a number of ours")
    contracts = await connection.fetch(SQL["tenancies_of"], e164)
    return found[0], [_plain(row) for row in contracts], history


async def _history(connection: Connection, e164: int) -> list[dict[str, Any]]:
    rows = await connection.fetch(SQL["number_history"], e164)
    if not rows and not await find(connection, Selection((choose.Range(e164, e164),))):
        raise UnknownError(f"+{e164} was never a number of ours")
    return [_plain(row) for row in rows]


def _plain(row: Any) -> dict[str, Any]:
    return {name: plain(value) for name, value in dict(row).items()}


@numbers.command("export")
@click.argument("numbers", nargs=-1, metavar="[NUMBERS]...")
@choose.filters
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="A .csv or .xlsx; else CSV on stdout."
)
@json_option
def export_numbers(
    numbers: tuple[str, ...], output: Path | None, as_json: bool, **names: str | None
) -> None:
    """A sheet that `numbers import` reads without changing anything.

    \b
      ./portgate numbers export > numbers.csv
      ./portgate numbers export --city Kazan -o kazan.xlsx
    """
    chosen = choose.selection(numbers, **names)
    with bar() as progress:
        rows = run(this_home(), lambda connection: _exported(connection, chosen, progress))
    if as_json:
        print_json({"numbers": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})
        return
    if output is None:
        sheets.write_csv(rows, sys.stdout)
    elif output.suffix.lower() == ".xlsx":
        sheets.write_workbook(rows, output)
    else:
        with output.open("w", encoding="utf-8", newline="") as file:
            sheets.write_csv(rows, file)
    click.echo(f"{len(rows)} rows", err=True)


async def _exported(
    connection: Connection, chosen: Selection, progress: Progress
) -> list[tuple[str, ...]]:
    wanted = [row["e164"] for row in await find(connection, chosen)]
    rows: list[tuple[str, ...]] = []
    for at in range(0, len(wanted), CHUNK):
        progress("reading", at, len(wanted))
        part = await connection.fetch(SQL["export_numbers"], wanted[at : at + CHUNK])
        rows += [(f"+{row[0]}", *tuple(row)[1:]) for row in part]
    return rows
