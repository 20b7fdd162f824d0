"""`portgate calls`: shows calls, live and past; it touches none."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import click

from gateway.calls.causes import refused
from gateway.carrier_files.traffic import NOT_SENT
from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import table
from gateway.home import Home

PHASES = ("setup", "ringing", "live", "ended")
_TITLES = ("CALL", "STARTED (UTC)", "WAY", "CALLER", "CALLED", "THROUGH", "PHASE", "TALK", "WHY")


@click.group()
def calls() -> None:
    """Calls, live and past.

    \b
      ./portgate calls list --phase live
      ./portgate calls list --conversations
      ./portgate calls list --json | jq -r '.calls[] | "\\(.id) \\(.cause)"'
      ./portgate calls show 0123456789abcdef0123456789abcdef
    """


@calls.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many."
)
@click.option("--phase", type=click.Choice(PHASES), help="Only calls in this phase.")
@click.option("--direction", type=click.Choice(("in", "out")), help="Only calls this way.")
@click.option(
    "--conversations",
    "together",
    is_flag=True,
    help="One line for all legs of a call through a PBX.",
)
@json_option
def list_calls(
    limit: int, phase: str | None, direction: str | None, together: bool, as_json: bool
) -> None:
    """The newest calls first.

    Each leg through the gateway is a call of its own; --conversations puts those together that went
    through a PBX.

    \b
      ./portgate calls list --phase live
      ./portgate calls list --conversations
    """
    asked = limit, None, None, phase, direction
    if together:
        _list_conversations(_ask(this_home(), "list_conversations", *asked), as_json)
        return
    rows = _ask(this_home(), "list_calls", *asked)
    if as_json:
        print_json({"calls": [shown(row) for row in rows]})
        return
    table(_TITLES, [_line(row) for row in rows])
    click.echo(f"{len(rows)} calls", err=True)


def _list_conversations(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"conversations": [shown(row) for row in rows]})
        return
    titles = ("CONVERSATION", *_TITLES[1:], "LEGS")
    table(titles, [[*_line(row), str(row["legs"])] for row in rows])
    click.echo(f"{len(rows)} conversations", err=True)


@calls.command("show")
@click.argument("call_id")
@json_option
def show_call(call_id: str, as_json: bool) -> None:
    """One call: its record, and why it went where it went.

    With its events, and the other legs of its conversation.

    \b
      ./portgate calls show 0123456789abcdef0123456789abcdef
    """
    if not re.fullmatch(r"[0-9a-f]{32}", call_id):
        raise click.BadParameter("a call's id has 32 digits 0-9a-f; see: ./portgate calls list")
    home = this_home()
    found = _ask(home, "show_call", call_id)
    if not found:
        raise click.ClickException(f"no call {call_id}. See: ./portgate calls list")
    events, legs = _ask(home, "show_call_events", call_id), _ask(home, "show_legs", call_id)
    if as_json:
        told = [shown(event) for event in events]
        print_json({"call": shown(found[0]), "events": told, "legs": [shown(leg) for leg in legs]})
        return
    for name, value in found[0].items():
        if name not in ("rules", "tries") and value not in (None, ""):
            click.echo(f"{name.replace('_', ' '):15} {_plain(value)}")
    for rule, said in found[0]["rules"]:
        click.echo(f"{'rule':15} {rule}: {said}")
    for one in found[0]["tries"]:
        click.echo(f"{'attempt':15} {_attempt(one)}")
    for event in events:
        click.echo(f"{'event':15} {_plain(event['at'])} {event['kind']}")
    for leg in legs if len(legs) > 1 else ():
        click.echo(f"{'leg':15} {_leg(leg)}")


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as scripts see it: times in UTC to the millisecond."""
    return {
        key: _plain(value) if isinstance(value, datetime) else value for key, value in row.items()
    }


def _line(row: dict[str, Any]) -> list[str]:
    talk = "-" if row["talk_ms"] is None else f"{row['talk_ms'] / 1000:.1f} s"
    through = "/".join(name for name in (row["carrier"], row["pbx"]) if name)
    why = row["cause"] or "-"
    cells = (row["id"], f"{row['started_at']:%Y-%m-%d %H:%M:%S}", row["direction"], row["caller"])
    return [cell or "-" for cell in (*cells, row["called"], through, row["phase"], talk, why)]


def _attempt(one: dict[str, Any]) -> str:
    """One of several attempts in a line, and why the call went on from there."""
    whom = one["to"] + (f", trunk {one['trunk']}" if one["trunk"] else "")
    if "full" in one:
        return f"{whom}: passed over, {one['full']}"
    why = ""
    if "status" in one:
        why = f": {refused(one['status']) if one['status'] else NOT_SENT}"
        why += f" ({one['status']}" + (f", Q.850 cause {one['q850']})" if one["q850"] else ")")
    return f"{whom} at {one['where']}{why}"


def _leg(leg: dict[str, Any]) -> str:
    way = f"{leg['source']} -> {leg['target'] or 'nobody'}"
    joined = f", joined by {leg['joined_by']}" if leg["joined_by"] else ""
    return f"{leg['id']} {way}: {leg['caller'] or '-'} to {leg['called']}, {leg['phase']}{joined}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def _ask(home: Home, query: str, *arguments: Any) -> list[dict[str, Any]]:
    return asyncio.run(_rows(home, query, *arguments))


async def _rows(home: Home, query: str, *arguments: Any) -> list[dict[str, Any]]:
    from gateway.stack.problems import NotRunning, Problem
    from number_registry.store.pool import connect
    from number_registry.store.queries import SQL

    try:
        connection = await connect(home.postgres_dsn, "portgate calls")
    except OSError as error:
        problem = Problem("the registry does not answer", str(error), "Run: ./portgate up")
        raise NotRunning(problem) from error
    try:
        return [dict(row) for row in await connection.fetch(SQL[query], *arguments)]
    finally:
        await connection.close()
