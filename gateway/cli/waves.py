"""`portgate waves`: how migrations in waves stand, baseline and present side by side; the steps are
in waves_plan.py and waves_change.py.
"""

from __future__ import annotations

from typing import Any

import click

from gateway.cli import registry
from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import table
from gateway.cli.registry import plain, run
from gateway.cli.waves_change import (
    cancel_waves,
    go_waves,
    hold_waves,
    resume_waves,
    rollback_waves,
    skip_waves,
    start_waves,
    undo_waves,
)
from gateway.cli.waves_plan import plan_waves
from number_registry.operations import wave_status
from number_registry.operations import waves as verbs
from number_registry.operations.values import UnknownError
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

MOST = 1000
_TITLES = ("CITY", "STATE", "NUMBERS", "ASR %", "ACD S", "FAILED %", "CALLS/DAY", "PDD MS",
           "VERDICT", "WHEN")  # fmt: skip


@click.group()
def waves() -> None:
    """Moving cities to another PBX, one after the other, each watched by its calls.

    The pilot first, for some days; then the others, least loaded first, each by your `go`. A limit
    that is crossed stops it by itself. Everything is dated, and `rollback` is one step.

    \b
      ./portgate waves plan old new --pilot Kazan
      ./portgate waves start
      ./portgate waves status
      ./portgate waves go
      ./portgate waves rollback
      ./portgate waves status --json | jq -r '.waves[] | "\\(.city) \\(.state) \\(.verdict)"'
    """


for command in (
    plan_waves, start_waves, go_waves, hold_waves, resume_waves, rollback_waves, skip_waves,
    cancel_waves, undo_waves,
):  # fmt: skip
    waves.add_command(command)


@waves.command("list")
@json_option
def list_migrations(as_json: bool) -> None:
    """Every migration, the newest first.

    \b
      ./portgate waves list
    """

    async def rows(connection: Connection) -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(SQL["list_pbx_migrations"], MOST)]

    found = [plain(row) for row in run(this_home(), rows)]
    if as_json:
        print_json({"migrations": found})
        return
    titles = ("ID", "FROM", "TO", "STATE", "CITIES", "MOVED", "NUMBERS", "PLANNED", "BY")
    columns = ("id", "from", "to", "state", "cities", "moved", "numbers", "planned_at", "actor")
    table(titles, [[str(row[name]) for name in columns] for row in found])


@waves.command("status")
@click.argument("migration", type=int, required=False)
@json_option
def show_status(migration: int | None, as_json: bool) -> None:
    """How each city fares, before and now.

    Answered calls (ASR), their length (ACD), failures by cause, calls a day.

    Without an id it is the open migration, or the newest. Verdicts: waiting, ok, too_few_calls,
    no_baseline, limit_crossed, rolled_back, skipped.

    \b
      ./portgate waves status
    """
    found = run(this_home(), lambda connection: _status(connection, migration))
    if as_json:
        print_json(found)
        return
    if found["migration"] is None:
        click.echo("no migration is planned: see ./portgate waves plan --help", err=True)
        return
    table(_TITLES, [_row(wave) for wave in found["waves"]])
    for wave in found["waves"]:
        for line in _more(wave, found["migration"]["new"]):
            click.echo(line)
    click.echo(_headline(found["migration"]), err=True)


async def _status(connection: Connection, migration: int | None) -> dict[str, Any]:
    try:
        number = await verbs.meant(connection, migration)
    except UnknownError:
        if migration is not None:
            raise
        return {"migration": None, "waves": []}
    found: dict[str, Any] = plain(await wave_status.status(connection, number, registry.now()))
    return found


def _row(wave: dict[str, Any]) -> list[str]:
    before, now = wave["baseline"], wave["now"] or {}
    pairs = [
        _pair(before[name], now.get(name))
        for name in ("asr_percent", "acd_s", "failed_percent", "calls_per_day", "pdd_ms")
    ]
    when = wave["due_at"] or (wave["watch_until"] if wave["state"] == "watching" else "") or ""
    said = {"watching": "until ", "kept": ""}.get(wave["state"], "from ") if when else ""
    return [wave["city"], wave["state"], str(wave["numbers"]), *pairs, wave["verdict"],
            said + when[:10]]  # fmt: skip


def _pair(before: float | None, now: float | None) -> str:
    was = "-" if before is None else f"{before:g}"
    return was if now is None else f"{was} → {now:g}"


def _more(wave: dict[str, Any], new: str) -> list[str]:
    """What a row has no room for."""
    lines = []
    if wave["why"]:
        lines.append(f"! {wave['city']}: {wave['why']}")
    if wave["now"] is not None:
        before, now = wave["baseline"], wave["now"]
        causes = sorted(set(before["failures"]) | set(now["failures"]))
        told = ", ".join(
            f"{name.replace('_', ' ')} {_share(before, name)} → {_share(now, name)} %"
            for name in causes
        )
        lines.append(f"  {wave['city']}, not answered: {told or 'none'}")
    if "left_at_old" in wave:
        lines += [
            f"! {wave['city']}: {count} of its numbers are at {pbx or 'no PBX'} by now"
            for pbx, count in sorted(wave["numbers_at"].items())
            if pbx != new
        ]
    left = wave.get("left_at_old") or wave.get("new_since_plan")
    if left:
        where = "still at the old PBX" if wave.get("left_at_old") else "new since the plan"
        lines.append(f"  {wave['city']}: {left} numbers {where}")
    return lines


def _share(period: dict[str, Any], name: str) -> str:
    calls = period["calls"]
    return f"{100 * period['failures'].get(name, 0) / calls:.1f}" if calls else "-"


def _headline(one: dict[str, Any]) -> str:
    told = f"migration {one['id']}, {one['old']} to {one['new']}: {one['state']}"
    since = one["held_at"] or one["started_at"]
    if since:
        told += f" since {since[:10]}"
    if one["held_why"]:
        told += f" ({one['held_why']})"
    if one["waits_for_go"]:
        told += f"; waits for your go: {one['next'] or 'that is the end of it'}"
    return told


@waves.command("show")
@click.argument("migration", type=int, required=False)
@json_option
def show_migration(migration: int | None, as_json: bool) -> None:
    """The rules and the history of a migration.

    Each step with when, who, what and why. Without an id it is the open migration, or the newest.

    \b
      ./portgate waves show
    """

    async def both(connection: Connection) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        number = await verbs.meant(connection, migration)
        found = await wave_status.status(connection, number, registry.now())
        return found["migration"], await wave_status.history(connection, number)

    one, history = plain(list(run(this_home(), both)))
    if as_json:
        print_json({"migration": one, "history": history})
        return
    for name, value in one["rules"].items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if name == "limits" else value
        click.echo(f"{name.replace('_', ' '):15} {shown}")
    for line in history:
        why = f" ({line['why']})" if line["why"] else ""
        undone = f", taken back by {line['undone_by']}" if line["undone_by"] else ""
        click.echo(
            f"{line['at']}  {line['verb']} #{line['operation_id']}: {line['what']}{why}"
            f"  by {line['actor']}{undone}"
        )
    click.echo(_headline(one), err=True)
