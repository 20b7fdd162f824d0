"""What commands that change the registry share: connection, actor, plan on screen, confirmation,
progress; no command lives here.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from gateway.home import Home
from number_registry.operations.values import Applied, Change, Made, Plan, Progress
from number_registry.store.pool import Connection, Record
from number_registry.store.queries import SQL

_T = TypeVar("_T")
SAME, ERROR, CHANGES = 0, 1, 2
SHOWN = 40  # lines of a plan on a screen; --json has all
_COLOURS = {"+": "green", "~": "yellow", "-": "red", "!": "red"}

plan_option = click.option(
    "--plan",
    "--dry-run",
    "only_plan",
    is_flag=True,
    help="Show what would change, and change nothing: exit status 0 for nothing, 2 for changes.",
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask on a terminal.")


def run(home: Home, work: Callable[[Connection], Awaitable[_T]]) -> _T:
    """Do it on a connection of its own. Raises NotRunning when PostgreSQL does not answer."""
    return asyncio.run(_run(home, work))


async def _run(home: Home, work: Callable[[Connection], Awaitable[_T]]) -> _T:
    from gateway.stack.problems import NotRunning, Problem
    from number_registry.store.pool import connect

    try:
        connection = await connect(home.postgres_dsn, "portgate command")
    except OSError as error:
        problem = Problem("the registry does not answer", str(error), "Run: ./portgate up")
        raise NotRunning(problem) from error
    try:
        return await work(connection)
    finally:
        # Interrupted in the middle of a statement a polite goodbye would wait for its end.
        connection.terminate()


def reach_warnings(home: Home, pbx: str) -> tuple[str, ...]:
    """What speaks against moving calls to this PBX now; see gateway.pbx_reach."""
    from gateway import pbx_reach

    async def listed(connection: Connection) -> list[Record]:
        found: list[Record] = await connection.fetch(SQL["list_pbxs"])
        return found

    return pbx_reach.warnings(run(home, listed), pbx, pbx_reach.noted(home))


def show_warnings(warnings: Iterable[str]) -> None:
    """On a line each, beside a plan."""
    for warning in warnings:
        click.echo(click.style(f"! {warning}", fg="yellow"), err=True)


def actor() -> str:
    """Who does it, for history: PORTGATE_ACTOR, or the person who is logged in here."""
    named = os.environ.get("PORTGATE_ACTOR") or os.environ.get("SUDO_USER")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def now() -> datetime:
    """The time that steps are dated with."""
    return datetime.now(UTC)


def confirm(question: str, yes: bool) -> None:
    """Ask on a terminal only. Raises click.Abort for a no."""
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(question, abort=True, err=True)


@contextmanager
def bar() -> Iterator[Progress]:
    """A progress bar on a terminal, silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Rich

    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn())
    with Rich(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as rich:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = rich.add_task(what, total=None)
            rich.update(tasks[what], completed=done, total=total or None)

        yield show


def show_plan(changes: Sequence[Change], made: Sequence[Made] = ()) -> None:
    """+ ~ - for people."""
    lines = [(("+"), f"{one.kind} {one.name}") for one in made]
    show_lines(chain_lines(lines, changes), len(lines) + len(changes))


def chain_lines(
    lines: Iterable[tuple[str, str]], changes: Iterable[Change]
) -> Iterator[tuple[str, str]]:
    """(sign, text) of everything a plan says."""
    yield from lines
    for change in changes:
        told = ", ".join(_field(change.sign, *field) for field in change.fields())
        yield change.sign, f"+{change.e164}  {told}" if change.after else f"+{change.e164}"


def _field(sign: str, name: str, before: str, after: str) -> str:
    return f"{name} {after}" if sign == "+" else f"{name} {before or '-'} → {after or '-'}"


def show_lines(lines: Iterable[tuple[str, str]], total: int) -> None:
    """The first lines in the colour of their sign, and how many more there are."""
    for at, (sign, text) in enumerate(lines):
        if at >= SHOWN:
            click.echo(f"  ... and {total - SHOWN} more (all of them: --json)")
            return
        click.echo(click.style(f"{sign} {text}", fg=_COLOURS.get(sign)))


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan as scripts read it."""
    return {
        "counts": plan.counts(),
        "unchanged": plan.unchanged,
        "made": [{"kind": one.kind, "name": one.name} for one in plan.made],
        "changes": [change_json(change) for change in plan.changes],
    }


def change_json(change: Change) -> dict[str, Any]:
    """One number of a plan."""
    return {
        "sign": change.sign,
        "e164": f"+{change.e164}",
        "fields": [
            {"field": name, "before": before, "after": after}
            for name, before, after in change.fields()
        ],
    }


def applied_json(applied: Applied | None) -> dict[str, Any]:
    """What was done, beside the plan: `applied` and the id that `undo` takes."""
    if applied is None:
        return {"applied": False, "undo": None}
    return {"applied": True, "undo": applied.undo}


def told(applied: Applied, noun: str) -> None:
    """One line for people, with the way back."""
    back = f" Take it back: ./portgate {noun} undo {applied.undo}" if applied.undo else ""
    click.echo(f"{applied.summary}.{back}", err=True)


def plain(value: Any) -> Any:
    """A value as scripts see it, whatever it holds: times in UTC."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return value
