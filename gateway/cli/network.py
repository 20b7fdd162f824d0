"""`portgate network`: shows hand-offs, plans, and what was done; the work is gateway.network's."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import click

from gateway import settings as configured
from gateway.cli import network_lines
from gateway.cli.common import json_option, print_json, this_home, this_settings
from gateway.cli.registry import CHANGES, SAME, plan_option, yes_option
from gateway.home import Home
from gateway.network import apply as applying
from gateway.network import declared, faults, watch
from gateway.network.kernel import Kernel, opened
from gateway.network.plan import Plan, plan
from gateway.network.wanted import Trouble, want
from gateway.settings_lines import line_of
from gateway.stack import adapters
from gateway.stack.problems import Problem, StackError

LOST = 1
EXAMPLE = """No carrier's network is declared. In portgate.toml, for instance:

  [network.CARRIER.TRUNK]
  interface = "eth1"            # and `vlan = 120` where they hand it off tagged
  address = "10.20.0.2/30"      # ours
  gateway = "10.20.0.1"         # theirs
  sip = ["10.0.0.0/8"]          # their networks for calls
  rtp = ["10.128.0.0/9"]        # and for audio"""
NO_WAY_BACK = "Nothing to take back: there was no apply since the machine started, or it is undone"
_Given = TypeVar("_Given")


@click.group()
def network() -> None:
    """How carriers are handed to us: addresses, and a routing table for each address of ours.

    What is sent from our address of a carrier leaves through that carrier, whatever private
    networks others use. Only what Portgate made is ever changed: the tables 21000 to 21999,
    and what carries its protocol number 80.

    \b
      ./portgate network plan
      ./portgate network apply
      ./portgate network status --json | jq '.hand_offs[] | select(.state != "ok")'
      ./portgate network undo
    """


@network.command("plan")
@json_option
def show_plan(as_json: bool) -> None:
    """Show what `apply` would do.

    Exit status 0: nothing; 2: changes; 1: an error.

    \b
      ./portgate network plan
      ./portgate network plan --json | jq -r .id
    """
    home = this_home()
    legs = _legs(home)
    notes = _notes(home)
    found = _in_kernel(lambda kernel: _plan(kernel, notes, legs))
    _stop_at(home, found.troubles)
    note = notes.read()
    begun = note is not None and note.state == "begun"
    network_lines.show(found, as_json, begun=begun)
    if begun:
        said = "An earlier apply was cut short: `apply` completes it, `undo` takes it back"
        click.echo(said, err=True)
    if not legs:
        click.echo(EXAMPLE, err=True)
    if found.changes:
        click.echo(
            f"{network_lines.count(found)} (plan {found.id}). Do it: ./portgate network apply",
            err=True,
        )
    sys.exit(CHANGES if found.changes else SAME)


@network.command("apply")
@click.option(
    "--plan", "shown", metavar="ID", help="Only if the plan still has this id, which `plan` shows."
)
@yes_option
@json_option
def do_apply(shown: str | None, yes: bool, as_json: bool) -> None:
    """Do what `plan` shows: all of it, or nothing. Needs root.

    Exit status 0: it is so now; 1: an error, and everything is as before.

    \b
      ./portgate network apply
      ./portgate network apply --plan 3f2a90c1d4e5 --json
    """
    _needs_root("apply")
    home = this_home()
    legs, notes = _legs(home), _notes(home)
    asks = _asks(yes or as_json)
    if asks:
        found = _in_kernel(lambda kernel: _plan(kernel, notes, legs))
        _stop_at(home, found.troubles)
        shown = shown or _agreed(found)
    done = _carried_out(
        home,
        lambda kernel: applying.apply(kernel, notes, lambda seen: plan(legs, seen), shown),
    )
    if not asks:
        network_lines.show(done, as_json)
    said = f"{network_lines.count(done)} made. Take back: ./portgate network undo"
    click.echo(said if done.changes else "Nothing to change", err=True)


@network.command("undo")
@plan_option
@yes_option
@json_option
def do_undo(only_plan: bool, yes: bool, as_json: bool) -> None:
    """Back to what was there before the last `apply`. Needs root, but for --plan.

    Exit status 0: it is so now; 1: an error, and everything is as before.

    \b
      ./portgate network undo --plan
      ./portgate network undo
    """
    home = this_home()
    notes = _notes(home)
    if only_plan:
        _show_undo(home, notes, as_json)
    _needs_root("undo")
    note, shown = notes.read(), None
    asks = note is not None and _asks(yes or as_json)
    if asks and note is not None:
        found = _in_kernel(lambda kernel: _back(kernel, notes, note))
        _stop_at(home, found.troubles)
        shown = _agreed(found)
    done = _carried_out(home, lambda kernel: applying.undo(kernel, notes, shown))
    if not asks:
        network_lines.show(done, as_json)
    click.echo(f"{network_lines.count(done)} made" if note is not None else NO_WAY_BACK, err=True)


def _show_undo(home: Home, notes: applying.Notes, as_json: bool) -> NoReturn:
    note = notes.read()
    found = _in_kernel(lambda kernel: _back(kernel, notes, note)) if note else Plan(())
    _stop_at(home, found.troubles)
    network_lines.show(found, as_json, begun=note is not None and note.state == "begun")
    said = f"{network_lines.count(found)}. Do it: ./portgate network undo"
    click.echo(said if note else NO_WAY_BACK, err=True)
    sys.exit(CHANGES if found.changes else SAME)


@network.command("status")
@json_option
def show_status(as_json: bool) -> None:
    """Show each hand-off, and what of it is lost.

    Exit status 0: all is there; 1: not.

    \b
      ./portgate network status
    """
    home = this_home()
    legs = _legs(home)
    seen = _in_kernel(lambda kernel: kernel.see())
    lost = faults.faults(legs, seen)
    noted = watch.read(home.network_faults)
    since = {one.fault: one.since for one in noted or ()}
    tables = want(legs, seen).tables
    rows = [network_lines.row(leg, tables, lost, since) for leg in legs]
    if as_json:
        print_json({"hand_offs": rows, "watched": noted is not None})
    else:
        network_lines.show_rows(rows)
        if not legs:
            click.echo(EXAMPLE, err=True)
        elif noted is None:
            click.echo("The daemon does not watch them now; it does after ./portgate up", err=True)
    sys.exit(LOST if lost else SAME)


def _legs(home: Home) -> tuple[declared.Leg, ...]:
    """Those that are declared; one that serves nobody is told on the way."""
    settings = this_settings(home)
    for odd in adapters.unknown_hand_offs(home, settings):
        said = f"! {odd.what}: {odd.why}. {odd.mend}"
        click.echo(click.style(said, fg="yellow"), err=True)
    return declared.legs(settings.network.hand_offs)


def _notes(home: Home) -> applying.Notes:
    return applying.Notes(home.network, applying.claim_here())


def _in_kernel(ask: Callable[[Kernel], Awaitable[_Given]]) -> _Given:
    async def asked() -> _Given:
        async with opened() as kernel:
            return await ask(kernel)

    return asyncio.run(asked())


async def _plan(kernel: Kernel, notes: applying.Notes, legs: tuple[declared.Leg, ...]) -> Plan:
    seen = await kernel.see()
    notes.check(seen)
    return plan(legs, seen)


async def _back(kernel: Kernel, notes: applying.Notes, note: applying.Note) -> Plan:
    seen = await kernel.see()
    notes.check(seen)
    return applying.back(note, seen)


def _carried_out(home: Home, do: Callable[[Kernel], Awaitable[Plan]]) -> Plan:
    try:
        return _in_kernel(do)
    except applying.InTheWayError as error:
        _stop_at(home, error.troubles)
        raise


def _stop_at(home: Home, troubles: tuple[Trouble, ...]) -> None:
    """Say all of them at once, each with its line in portgate.toml."""
    if not troubles:
        return
    path = home.path / configured.FILE
    text = path.read_text("utf-8") if path.exists() else ""
    problems = []
    for trouble in troubles:
        where = "nothing was changed"
        if trouble.at:
            line = line_of(text, ("network", *trouble.at))
            where = f"{path}:{line}: network.{'.'.join(trouble.at)}"
        problems.append(Problem(where, trouble.what, trouble.mend))
    raise StackError(*problems)


def _needs_root(command: str) -> None:
    if os.geteuid() != 0:
        why = "only root may change addresses, routes and rules"
        mend = f"Run: sudo ./portgate network {command}"
        raise StackError(Problem(f"`network {command}` needs root", why, mend))


def _asks(yes: bool) -> bool:
    return not yes and sys.stdin.isatty() and sys.stdout.isatty()


def _agreed(found: Plan) -> str:
    network_lines.show(found, as_json=False)
    if found.changes:
        click.confirm(f"{network_lines.count(found)}. Do it?", abort=True, err=True)
    return found.id
