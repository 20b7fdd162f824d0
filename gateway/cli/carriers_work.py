"""`portgate carriers new|check|apply|test`; gateway.carrier_files and gateway.trial do the work."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from carrier_adapters import loader
from carrier_adapters.contract import Carrier
from gateway.carrier_files import checking, work, workers
from gateway.carrier_files import new as skeleton
from gateway.carrier_files.secrets import Lack, Secrets
from gateway.cli.common import json_option, print_json, this_home, this_settings
from gateway.cli.lists import ask
from gateway.home import Home
from gateway.stack import adapters, control
from gateway.stack.problems import Problem, StackError

HAND_OVER_S = 60.0  # a second media relay, and a restart of Kamailio
OUTSIDE = "79161234567"  # who calls, and is called, in a test call


def places(home: Home) -> dict[str, Any]:
    """This installation's own addresses of carriers: those the gateway runs with, and those it is
    set to since.
    """
    places: dict[str, Any] = {}
    if home.kemi_json.exists():
        found: dict[str, Any] = msgspec.json.decode(home.kemi_json.read_bytes())
        places = dict(found["carrier_overrides"])
    for carrier, trunks in msgspec.to_builtins(this_settings(home).carriers.overrides).items():
        places[carrier] = {**places.get(carrier, {}), **trunks}
    return places


def _named(folder: Path, name: str | None) -> list[str]:
    """The carriers that are meant. Raises StackError for one that has no file."""
    known = [path.stem for path in loader.files(folder)]
    if name is not None and name not in known:
        from gateway.cli.carriers import unknown

        raise unknown(name, known)
    return known if name is None else [name]


@click.command()
@click.argument("name")
@click.option("--title", default="", help="As people call it.")
@click.option("--source", default=skeleton.FILL_IN, help="A network that its calls come from.")
@click.option("--proxy", default=skeleton.FILL_IN, help="Where our calls go: sip:host:port.")
@click.option("--area-code", default="", help="Of its city, to complete short numbers.")
def new(name: str, title: str, source: str, proxy: str, area_code: str) -> None:
    """Write a commented skeleton of a carrier's file.

    And captures of its INVITEs beside it, which are its tests.

    \b
      ./portgate carriers new city_telecom
      ./portgate carriers new city_telecom --source 192.0.2.0/29 --proxy sip:192.0.2.2:5060
    """
    folder = adapters.folder(this_settings(this_home()))
    wanted = skeleton.Wanted(name, title, source, proxy, area_code)
    for path in skeleton.write(folder, wanted):
        click.echo(path)
    blank = f"fill in what says {skeleton.FILL_IN}, " if skeleton.FILL_IN in (source, proxy) else ""
    click.echo(
        f"Next: {blank}put your own captures in place of the examples, then\n"
        f"  ./portgate carriers check {name}\n  ./portgate carriers apply {name}\n"
        f"  ./portgate carriers test {name}      # once a number is rented from it",
        err=True,
    )


@click.command()
@click.argument("name", required=False)
@json_option
def check(name: str | None, as_json: bool) -> None:
    """Run the conformance suite over one carrier's file, or all. Exit status 1 when one fails.

    \b
      ./portgate carriers check
      ./portgate carriers check NAME --json | jq '.carriers[].findings'
    """
    home = this_home()
    folder = adapters.folder(this_settings(home))
    standing = [path.stem for path in loader.files(home.carriers)] if home.carriers.exists() else []
    reports = [
        checking.report(folder, one, places(home), [other for other in standing if other != one])
        for one in _named(folder, name)
    ]
    ok = all(report["ok"] for report in reports)
    lacks = _lacks(home, work.loaded(folder, places(home), [one["name"] for one in reports]))
    if as_json:
        for report in reports:
            report["lacks"] = [lack._asdict() for lack in lacks.get(report["name"], ())]
        print_json({"ok": ok, "carriers": reports})
    else:
        for report in reports:
            _tell(report, folder)
            for lack in lacks.get(report["name"], ()):
                click.echo(f"  {click.style('!', fg='yellow')} {lack}")
    sys.exit(0 if ok else 1)


def _lacks(home: Home, carriers: Mapping[str, Carrier]) -> dict[str, list[Lack]]:
    """By carrier, the secrets that its trunks want and have not: nothing is wrong with its file."""
    secrets = Secrets(home.carrier_secrets)
    return {name: found for name, one in carriers.items() if (found := secrets.lacks(one))}


def _tell(report: dict[str, Any], folder: Path) -> None:
    mark, colour = ("✓", "green") if report["ok"] else ("✗", "red")
    cases = sum(one["cases"] for one in report["checks"])
    slowest = max(one["slowest_us"] for one in report["checks"])
    click.echo(f"{click.style(mark, fg=colour)} {report['name']}  {cases} cases, "
               f"slowest reading {slowest} µs")  # fmt: skip
    for finding in report["findings"]:
        what, mend = checking.said(finding, str(folder / report["file"]))
        click.echo(f"  {finding['check']}: {what}" + (f"\n    {mend}" if mend else ""))


@click.command()
@click.argument("name", required=False)
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change; change nothing.")
@json_option
def apply(name: str | None, only_plan: bool, as_json: bool) -> None:
    """Put changed carriers' files to work; no call is lost.

    Each is checked first. One that does not pass is refused and what was at work goes on; the
    others are put to work. A carrier whose file is gone is taken away only when it is named.
    Exit status 0 when it is so, 1 when a file is refused; with --plan 2 when something changes.

    \b
      ./portgate carriers apply --plan
      ./portgate carriers apply
      ./portgate carriers apply NAME
    """
    home = this_home()
    settings = this_settings(home)
    source = adapters.folder(settings)
    found = work.changes(source, home.carriers)
    wanted = [one for one in found if one.name == name or (name is None and one.sign != "-")]
    gone = [one.name for one in found if one not in wanted and one.sign == "-" and name is None]
    if name is not None and not wanted:
        _named(source, name)
    if only_plan:
        planned = work.put(wanted, source, home.carriers, places(home), write=False)
        _plan(planned, gone, _rented(home, wanted), source, as_json)
    control.ask(home, {"do": "status"})  # says how to start the stack when it does not run
    rented = _rented(home, wanted)
    outcome = work.put(wanted, source, home.carriers, places(home))
    sip = (settings.sip.address, settings.sip.port)
    moved = control.ask(home, {"do": "addresses"}, HAND_OVER_S)
    told = asyncio.run(workers.tell(home, sip)) if outcome.done else []
    known = work.loaded(home.carriers, places(home))
    added = asyncio.run(_register(home, known))
    applied = {one.name: known[one.name] for one in outcome.done if one.name in known}
    notes = rented + [note for one in applied.values() for note in work.notes(one)]
    if not settings.sip.tls_port:
        notes += [note for one in applied.values() for note in work.wants_tls(one)]
    lacks = _lacks(home, applied)
    told_lacks = [{"carrier": name, **one._asdict()} for name in lacks for one in lacks[name]]
    if as_json:
        print_json({"applied": [{"change": one.sign, "name": one.name} for one in outcome.done],
                    "refused": outcome.refused, "registered": added, "workers": told,
                    "addresses": moved, "gone": gone,
                    "notes": notes, "lacks": told_lacks})  # fmt: skip
    else:
        if moved["away_s"] is not None:
            click.echo(f"Listening on {', '.join(moved['sip'])}: Kamailio was restarted, away for "
                       f"{moved['away_s']:.1f} s; calls went on")  # fmt: skip
        _say(outcome, told, added, notes, source)
        _tell_gone(gone)
        for name, some in lacks.items():
            for lack in some:
                click.echo(f"{click.style('!', fg='yellow')} {name}: {lack}")
    sys.exit(1 if outcome.refused or any(one["refused"] for one in told) else 0)


def _plan(
    planned: work.Outcome, gone: list[str], notes: list[str], source: Path, as_json: bool
) -> None:
    if as_json:
        changes = [{"change": one.sign, "name": one.name} for one in planned.done]
        print_json({"changes": changes, "refused": planned.refused, "gone": gone, "notes": notes})
    else:
        _say(planned, [], [], notes, source)
        _tell_gone(gone)
    sys.exit(1 if planned.refused else 2 if planned.done else 0)


def _tell_gone(gone: list[str]) -> None:
    for name in gone:
        click.echo(f"{name}: its file is gone, and it still works; take it away: "
                   f"./portgate carriers apply {name}", err=True)  # fmt: skip


def _rented(home: Home, wanted: list[work.Change]) -> list[str]:
    """What is lost with carriers that are taken away while numbers are rented from them."""
    leaving = {one.name for one in wanted if one.sign == "-"}
    if not leaving:
        return []
    return [
        f"{row['numbers']} numbers are rented from {row['name']}: "
        "without its file their calls are refused, both ways"
        for row in ask(home, "list_carriers")
        if row["name"] in leaving and row["numbers"]
    ]


def _say(
    outcome: work.Outcome,
    told: list[dict[str, Any]],
    added: list[str],
    notes: list[str],
    source: Path,
) -> None:
    for one in outcome.done:
        click.echo(f"{one.sign} {one.name}")
    for report in outcome.refused:
        _tell(report, source)
        click.echo(f"  {report['name']} is not put to work; what was at work goes on")
    for name in added:
        click.echo(f"The registry knows {name} now: numbers can be rented from it")
    for note in notes:
        click.echo(f"Note: {note}")
    if told:
        took = sum(one["took"] for one in told)
        click.echo(f"{took} of {len(told)} SIP workers took it")
        for one in told:
            for file in one["refused"]:
                click.echo(f"{click.style('✗', fg='red')} {one['worker']} refuses {file}")
            if not one["took"]:
                click.echo(f"  {one['worker']} (pid {one['pid']}) takes it with its next message")
    if not outcome.done and not outcome.refused:
        click.echo("Nothing to apply: every file is at work as it is.", err=True)


async def _register(home: Home, known: dict[str, Any]) -> list[str]:
    """Carriers that the registry did not know yet, and now does."""
    from number_registry.store.pool import connect
    from number_registry.store.queries import SQL

    connection = await connect(home.postgres_dsn, "portgate carriers")
    try:
        added = [
            name
            for name, carrier in known.items()
            if await connection.fetchval(SQL["put_carrier"], name, carrier.title)
        ]
    finally:
        await connection.close()
    return added


@click.command()
@click.argument("name")
@json_option
def test(name: str, as_json: bool) -> None:
    """Place a test call in from a carrier, and one out to it.

    Through the running stack, by a number that is rented from it.

    The far ends are test endpoints on this machine, so the carrier's addresses must be local ones,
    as those of the demo company are. Exit status 0 when both calls worked.

    \b
      ./portgate carriers test NAME
    """
    from gateway.cli.trials import report as tell
    from gateway.endpoints import EndpointError
    from gateway.trial import known
    from gateway.trial.place import NEEDS

    home = this_home()
    control.ask(home, {"do": "status"})
    facts = known.load(home)
    if name not in facts.carriers:
        from gateway.cli.carriers import unknown

        raise unknown(name, list(facts.carriers))
    try:
        calls = asyncio.run(_in_and_out(home, facts, name))
    except EndpointError as error:
        problem = Problem(f"{name} cannot be tried here", str(error), NEEDS)
        raise StackError(problem) from error
    tell("carrier", name, calls, as_json=as_json)


async def _in_and_out(home: Home, facts: Any, name: str) -> list[tuple[str, Any]]:
    from gateway.trial import place, plan
    from number_registry.e164 import E164
    from number_registry.store.pool import connect
    from number_registry.store.queries import SQL

    connection = await connect(home.postgres_dsn, "portgate carriers")
    try:
        found = await connection.fetchval(SQL["number_to_try"], name)
    finally:
        await connection.close()
    if found is None:
        mend = (
            "Rent one and attach it to a PBX: a sheet of the columns number, city, pbx, contract, "
            "carrier, state, then ./portgate numbers import SHEET.csv --add-missing"
        )
        raise StackError(Problem(f"no number in service is rented from {name}", "", mend))
    ours, outside = E164(str(found)), E164(OUTSIDE)
    calls = []
    for way, (to, sender) in (("in", (ours, outside)), ("out", (outside, ours))):
        trial = await place.place(home, facts, plan.plan(facts, to, sender))
        calls.append((way, trial.result))
    return calls
