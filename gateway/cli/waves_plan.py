"""`portgate waves plan`: writes a migration down; its steps are in waves_change.py."""

from __future__ import annotations

import sys
from typing import Any

import click

from gateway.cli import registry
from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.registry import (
    CHANGES,
    SAME,
    actor,
    applied_json,
    confirm,
    plain,
    plan_option,
    reach_warnings,
    run,
    show_lines,
    show_warnings,
    yes_option,
)
from number_registry.call_quality import Limits
from number_registry.operations import wave_plan, waves
from number_registry.operations.wave_plan import NewMigration, WavesPlan
from number_registry.store.pool import Connection
from number_registry.waves import HOLD, ROLL_BACK, Rules


class _Limit(click.ParamType):
    """A number, or ``off``."""

    name = "NUMBER|off"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        if value is None or value == "off":
            return None
        try:
            found = float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor `off`", param, ctx)
        if not 0 <= found <= 100:
            self.fail(f"{value} is not from 0 to 100", param, ctx)
        return found


_LIMIT = _Limit()
_OF = Limits()


@click.command("plan")
@click.argument("old")
@click.argument("new")
@click.option("--pilot", required=True, metavar="CITY", help="The city that goes first.")
@click.option(
    "--city", "cities", multiple=True, help="Only these besides, one each time; else all."
)
@click.option(
    "--watch-days",
    type=float,
    default=30.0,
    show_default=True,
    help="Days for which the pilot is watched.",
)
@click.option(
    "--rest-days", type=float, default=30.0, show_default=True, help="Days in which the others go."
)
@click.option(
    "--baseline-weeks",
    type=click.IntRange(1, 12),
    default=4,
    show_default=True,
    help="Weeks before, that calls are compared with.",
)
@click.option(
    "--on-limit",
    type=click.Choice((HOLD, ROLL_BACK)),
    default=HOLD,
    show_default=True,
    help="What a crossed limit does by itself.",
)
@click.option(
    "--min-calls",
    type=click.IntRange(5),
    default=_OF.min_calls,
    show_default=True,
    help="Fewer than these are not judged.",
)
@click.option(
    "--asr-drop",
    type=_LIMIT,
    default=str(_OF.asr_drop),
    show_default=True,
    help="Points that ASR may fall.",
)
@click.option(
    "--acd-drop",
    type=_LIMIT,
    default=str(_OF.acd_drop),
    show_default=True,
    help="Percent that ACD may fall.",
)
@click.option(
    "--failure-rise",
    type=_LIMIT,
    default=str(_OF.failure_rise),
    show_default=True,
    help="Points that failed calls may rise.",
)
@click.option(
    "--failure-ceiling",
    type=_LIMIT,
    default=str(_OF.failure_ceiling),
    show_default=True,
    help="Percent of calls that may fail where there is nothing to compare with.",
)
@plan_option
@yes_option
@json_option
def plan_waves(
    old: str,
    new: str,
    pilot: str,
    cities: tuple[str, ...],
    watch_days: float,
    rest_days: float,
    baseline_weeks: int,
    on_limit: str,
    min_calls: int,
    only_plan: bool,
    yes: bool,
    as_json: bool,
    **limits: float | None,
) -> None:
    """Write down a migration from OLD to NEW; nothing moves.

    The pilot goes first, then the others from the least calls a day to the most, each by your `go`.
    A limit that is crossed holds the migration by itself: ASR lower by so many points, ACD by so
    many percent, failed calls more by so many points than in the weeks before; where there were
    none, failed calls above the ceiling. `--on-limit roll_back` also brings that city back.

    \b
      ./portgate waves plan old new --pilot Kazan --plan
      ./portgate waves plan old new --pilot Kazan --watch-days 14 --on-limit roll_back
    """
    rules = Rules(
        watch_days, rest_days, 7 * baseline_weeks, on_limit, Limits(min_calls=min_calls, **limits)
    )
    request = NewMigration(old, new, pilot, cities, rules)
    now = registry.now()

    async def planned(connection: Connection) -> WavesPlan:
        return waves.plan(actor(), request, await waves.read(connection, request, now), now)

    home = this_home()
    what = run(home, planned)
    warnings = reach_warnings(home, new)
    report = {**plain(wave_plan.as_json(what)), "warnings": list(warnings)}
    if not as_json:
        _show_plan(what)
        show_warnings(warnings)
    if only_plan or what.empty:
        if as_json:
            print_json({"migration": what.there, **report, **applied_json(None)})
        elif what.empty:
            click.echo(f"planned already: migration {what.there}", err=True)
        sys.exit(SAME if what.empty else CHANGES)
    confirm("Write this plan down? Nothing moves yet.", yes)
    number, applied = run(home, lambda connection: waves.add(connection, what))
    if as_json:
        print_json({"migration": number, **report, **applied_json(applied)})
        return
    click.echo(f"{applied.summary}. Begin with: ./portgate waves start {number}", err=True)


def _show_plan(plan: WavesPlan) -> None:
    lines = []
    for at, one in enumerate(plan.waves):
        pilot = "pilot, " if at == 0 else ""
        stay = ", ".join(
            f"{count} at {name or 'no PBX'} stay" for name, count in one.elsewhere.items()
        )
        lines.append((
            "+",
            f"{one.city}  {pilot}{len(one.numbers)} numbers, {one.calls_per_day:.1f} calls a day,"
            f" from {one.due_at:%Y-%m-%d}" + (f"; {stay}" if stay else ""),
        ))  # fmt: skip
    show_lines(lines, len(lines))
    click.echo(plan.summary, err=True)
