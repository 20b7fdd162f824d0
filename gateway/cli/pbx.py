"""`portgate pbx`: PBXs, and moving numbers between them; the rules are those of
number_registry.operations.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli import choose
from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import ask, table
from gateway.cli.numbers_change import undo
from gateway.cli.registry import (
    CHANGES,
    SAME,
    actor,
    applied_json,
    bar,
    confirm,
    plan_option,
    run,
    show_lines,
    told,
    yes_option,
)
from gateway.health.said import UNKNOWN, states
from number_registry.model import Address
from number_registry.operations import moves, pbxs
from number_registry.operations import undo as taking_back
from number_registry.operations.move_plan import Move, MovePlan
from number_registry.operations.pbxs import DID_FORMATS, NewPbx, PbxPlan
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
    """Every PBX: state, how many numbers it answers for, addresses in the order in which they are
    tried, and which of them do not answer our OPTIONS.
    """
    home = this_home()
    found = ask(home, "list_pbxs")
    said = states(home.snapshot)
    for row in found:
        row["gateways"] = [
            {"address": address, "state": said.get(Address.parse(address).uri, UNKNOWN)}
            for address in row["addresses"]
        ]
    if as_json:
        print_json({"pbxs": found})
        return
    rows = [
        (row["name"], row["state"], str(row["numbers"]), _gateways(row["gateways"]) or "-")
        for row in found
    ]
    table(("PBX", "STATE", "NUMBERS", "ADDRESSES"), rows)


def _gateways(gateways: list[dict[str, str]]) -> str:
    return ", ".join(
        one["address"] + (" (down)" if one["state"] == "down" else "") for one in gateways
    )


@pbx.command("add")
@click.argument("name")
@click.argument("addresses", nargs=-1, required=True, metavar="sip:HOST:PORT...")
@click.option("--source", "sources", multiple=True, help="A network its calls come from.")
@click.option("--did-format", type=click.Choice(DID_FORMATS), default="plus", show_default=True)
@plan_option
@yes_option
@json_option
def add_pbx(
    name: str,
    addresses: tuple[str, ...],
    sources: tuple[str, ...],
    did_format: str,
    only_plan: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Add a PBX; its addresses are tried in the order given.

    Calls are taken from the hosts of its addresses, or from --source where that is given.

    \b
      ./portgate pbx add cloud sip:192.0.2.10:5060 sip:192.0.2.11:5060 --source 192.0.2.0/28
    """
    new = NewPbx(name, addresses, sources, did_format)

    async def planned(connection: Connection) -> PbxPlan:
        return pbxs.plan_add(actor(), new, await pbxs.read_names(connection))

    _pbx(run(this_home(), planned), "+", only_plan, yes, as_json)


@pbx.command("suspend")
@click.argument("name")
@plan_option
@yes_option
@json_option
def suspend_pbx(name: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Send a PBX no more calls: callers of its numbers hear that nobody is there."""
    _state(name, "suspended", only_plan, yes, as_json)


@pbx.command("resume")
@click.argument("name")
@plan_option
@yes_option
@json_option
def resume_pbx(name: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Send a suspended PBX calls again."""
    _state(name, "in_service", only_plan, yes, as_json)


def _state(name: str, state: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    async def planned(connection: Connection) -> PbxPlan:
        return pbxs.plan_state(actor(), name, state, await pbxs.read_state(connection, name))

    _pbx(run(this_home(), planned), "~", only_plan, yes, as_json)


def _pbx(plan: PbxPlan, sign: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    report = {"pbx": plan.pbx, "summary": plan.summary, "changes": 0 if plan.empty else 1}
    if not as_json:
        show_lines([(" " if plan.empty else sign, plan.summary)], 1)
    if only_plan or plan.empty:
        if as_json:
            print_json({**report, **applied_json(None)})
        sys.exit(SAME if plan.empty else CHANGES)
    confirm("Do this?", yes)
    applied = run(this_home(), lambda connection: pbxs.apply(connection, plan))
    if as_json:
        print_json({**report, **applied_json(applied)})


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
    """Move numbers from the PBX that answers them now to another, all at one moment.

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
    """Give PBX NEW so many percent of the new calls to these numbers; 0 ends it.

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

    plan = run(this_home(), planned)
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


@pbx.command("undo")
@click.argument("operation", type=int, required=False)
@yes_option
@json_option
def undo_move(operation: int | None, yes: bool, as_json: bool) -> None:
    """Take the last swap or share back, or the one with this id: the pointer goes back."""
    undo(operation, taking_back.MOVES, yes, as_json)
