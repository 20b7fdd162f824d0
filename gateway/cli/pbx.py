"""`portgate pbx`: PBXs, and moving numbers between them; the rules are those of
number_registry.operations.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gateway.cli import choose
from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import ask, table
from gateway.cli.numbers_change import undo
from gateway.cli.pbx_change import (
    add_pbx,
    new_password,
    resume_pbx,
    set_pbx,
    show_pbx,
    suspend_pbx,
)
from gateway.cli.pbx_secret import pbx_secret
from gateway.cli.pbx_trial import check_pbx, test_pbx
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
    show_warnings,
    told,
    yes_option,
)
from gateway.health.said import UNKNOWN, states
from gateway.names import said
from gateway.registered import contacts
from number_registry.operations import moves
from number_registry.operations import undo as taking_back
from number_registry.operations.move_plan import Move, MovePlan
from number_registry.operations.selection import Selection, some
from number_registry.store.pool import Connection


@click.group()
def pbx() -> None:
    """The PBXs, and which of them answers for which numbers.

    \b
      ./portgate pbx list
      ./portgate pbx swap old new --city Kazan --plan
      ./portgate pbx swap old new --city Kazan
      ./portgate pbx share '+7495123....' new 20
      ./portgate pbx undo
      ./portgate pbx list --json | jq -r '.pbxs[] | "\\(.name) \\(.addresses[0])"'
    """


@pbx.command("list")
@json_option
def list_pbxs(as_json: bool) -> None:
    """Every PBX: state, numbers, addresses, what does not answer.

    Addresses stand in the order in which they are tried; (down) is one that does not answer our
    OPTIONS, and a PBX that registers is where it has registered from.

    \b
      ./portgate pbx list
    """
    home = this_home()
    found = ask(home, "list_pbxs")
    health, known = states(home.snapshot), said.read(home.snapshot)
    now = contacts(home.snapshot)
    for row in found:
        row["registered"] = [
            {**one._asdict(), "state": health.get(one.uri, UNKNOWN)}
            for one in now.get(row.pop("account") or "", ())
        ]
        row["gateways"] = [
            {"address": address, "state": said.state(known, address, health)}
            for address in row["addresses"]
        ]
        names = (said.told(known, address) for address in row["addresses"])
        row["names"] = [one for one in names if one is not None]
    if as_json:
        print_json({"pbxs": found})
        return
    rows = [
        (row["name"], row["state"], row["trust"], str(row["numbers"]), _where(row)) for row in found
    ]
    table(("PBX", "STATE", "TRUST", "NUMBERS", "ADDRESSES"), rows)
    for row in found:
        for name in row["names"]:
            click.echo(f"{row['name']}: {said.in_words(name)}", err=True)


def _where(row: dict[str, Any]) -> str:
    gateways = [
        one["address"] + (" (down)" if one["state"] == "down" else "") for one in row["gateways"]
    ]
    registered = [
        f"{one['next_hop']} for {one['left_s']} s" + (" (down)" if one["state"] == "down" else "")
        for one in row["registered"]
    ]
    if row["trust"] == "register" and not registered:
        return "not registered"
    return ", ".join([*gateways, *registered]) or "-"


for _command in (
    check_pbx,
    test_pbx,
    add_pbx,
    set_pbx,
    show_pbx,
    suspend_pbx,
    resume_pbx,
    new_password,
    pbx_secret,
):
    pbx.add_command(_command)

_city = click.option("--city", help="Only numbers of this city.")
_department = click.option("--department", help="Only numbers that this department pays.")
_file = click.option(
    "--numbers",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Only the numbers in this file: one a line, or a sheet.",
)
_prepare = click.option(
    "--prepare",
    "only_prepare",
    is_flag=True,
    help="Gather the numbers, which nobody notices; the same command without it then flips.",
)


@pbx.command("swap")
@click.argument("old")
@click.argument("new")
@_city
@_department
@_file
@_prepare
@plan_option
@yes_option
@json_option
def swap(
    old: str,
    new: str,
    city: str | None,
    department: str | None,
    file: Path | None,
    **how: bool,
) -> None:
    """Move numbers from one PBX to another, all at one moment.

    First they are gathered in a group of their own that still points to OLD (may take a while, is
    noticed by nobody, goes on where it was stopped); then that group's pointer moves. Calls in
    progress stay where they are. `pbx undo` moves the pointer back.

    \b
      ./portgate pbx swap old new --plan
      ./portgate pbx swap old new --numbers pilot.txt
    """
    chosen = choose.from_file(file) if file else Selection()
    chosen = Selection(chosen.ranges, city=city, department=department)
    _move(Move(new, chosen, None, file is not None), old, **how)


@pbx.command("share")
@click.argument("numbers", nargs=-1, metavar="[NUMBERS]...")
@click.argument("new")
@click.argument("percent", type=click.IntRange(0, 100))
@click.option("--from", "old", metavar="PBX", help="Only numbers that this PBX answers.")
@_city
@_department
@_file
@_prepare
@plan_option
@yes_option
@json_option
def share(
    numbers: tuple[str, ...],
    new: str,
    percent: int,
    old: str | None,
    city: str | None,
    department: str | None,
    file: Path | None,
    **how: bool,
) -> None:
    """Give PBX NEW so many percent of new calls; 0 ends it.

    Of the calls to these numbers, or to those of --city, --department, --from, --numbers.

    Each call draws a lot from its Call-ID, so the same call always goes the same way.

    \b
      ./portgate pbx share +74951230000 new 20
      ./portgate pbx share --city Kazan new 50 --plan
    """
    typed = choose.selection(numbers).ranges
    if file is not None:
        typed += choose.from_file(file).ranges
    chosen = some(Selection(typed, city=city, department=department, pbx=old))
    exact = bool(typed) and all(one.size == 1 for one in typed)
    _move(Move(new, chosen, percent, exact), old, **how)


def _move(
    request: Move,
    old: str | None,
    only_prepare: bool,
    only_plan: bool,
    yes: bool,
    as_json: bool,
) -> None:
    async def planned(connection: Connection) -> MovePlan:
        return moves.plan(actor(), request, await moves.read(connection, request, old))

    home = this_home()
    plan = run(home, planned)
    if plan.changes and request.percent != 0:
        plan = replace(plan, warnings=(*plan.warnings, *reach_warnings(home, request.to)))
    report = moves.as_json(plan)
    if not as_json:
        _show(plan)
    if only_plan or not plan.changes:
        if as_json:
            print_json({**report, **applied_json(None)})
        sys.exit(CHANGES if plan.changes else SAME)
    if only_prepare:
        _prepared(plan, report, as_json)
        return
    confirm(f"Move {plan.summary}?", yes)
    with bar() as progress:
        applied = run(this_home(), lambda connection: moves.apply(connection, plan, progress))
    if as_json:
        print_json({**report, **applied_json(applied)})
    else:
        told(applied, "pbx")


def _prepared(plan: MovePlan, report: dict[str, Any], as_json: bool) -> None:
    async def gathered(connection: Connection) -> tuple[int, bool]:
        move = await moves.prepare(connection, plan, progress)
        return move, await moves.published(connection, progress=progress)

    with bar() as progress:
        move, published = run(this_home(), gathered)
    if as_json:
        print_json({**report, "prepared": True, "published": published, **applied_json(None)})
        return
    late = "" if published else " The gateway has not published it yet."
    click.echo(f"Move {move} is prepared, nothing has moved.{late}", err=True)


def _show(plan: MovePlan) -> None:
    lines = (
        ("~", f"+{one.e164}  {one.city}  {one.before} → {one.after}: {one.does}"
              + (f"; {one.live_calls} live calls stay" if one.live_calls else ""))
        for one in plan.changes
    )  # fmt: skip
    show_lines(lines, len(plan.changes))
    count = f"{len(plan.changes)} numbers, {plan.live_calls} live calls"
    click.echo(f"{count}; {plan.unchanged} are there already", err=True)
    show_warnings(plan.warnings)


@pbx.command("undo")
@click.argument("operation", type=int, required=False)
@plan_option
@yes_option
@json_option
def undo_move(operation: int | None, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Take the last swap, share or change of a PBX back.

    Or the one with this id, which the command said that did it.

    \b
      ./portgate pbx undo --plan
      ./portgate pbx undo
      ./portgate pbx undo 17
    """
    undo(operation, f"{taking_back.MOVES}|{taking_back.PBXS}", yes, as_json, only_plan)
