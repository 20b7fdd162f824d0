"""`portgate carriers`: shows the carriers; the commands that check and change them are in
carriers_work.
"""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.carrier_files import traffic
from gateway.carrier_files.overview import overview, spoken
from gateway.carrier_files.secrets import Lack, Secrets
from gateway.carrier_files.work import loaded
from gateway.cli import carriers_secret, carriers_work
from gateway.cli.common import json_option, print_json, this_home, this_settings
from gateway.cli.lists import ask, table
from gateway.health.said import states
from gateway.names import said as names
from gateway.registrations import said
from gateway.stack import adapters
from gateway.stack.problems import Problem, StackError


@click.group()
def carriers() -> None:
    """The carriers that rent out the numbers.

    \b
      ./portgate carriers list
      ./portgate carriers new city_telecom --source 192.0.2.0/29 --proxy sip:192.0.2.2:5060
      ./portgate carriers check city_telecom
      ./portgate carriers apply
      ./portgate carriers list --json | jq '.carriers[].name'
    """


for command in (carriers_work.new, carriers_work.check, carriers_work.apply, carriers_work.test):
    carriers.add_command(command)
carriers.add_command(carriers_secret.secret)


def _everything() -> list[dict[str, Any]]:
    home = this_home()
    source = adapters.folder(this_settings(home))
    places = carriers_work.places(home)
    entries = overview(
        ask(home, "list_carriers"),
        source,
        home.carriers,
        places,
        states(home.snapshot),
        Secrets(home.carrier_secrets),
        said.read(home.snapshot),
        names.read(home.snapshot),
    )
    traffic.add(entries, ask(home, "trunks_in_use"), ask(home, "trunk_failures"))
    return entries


@carriers.command("list")
@json_option
def list_carriers(as_json: bool) -> None:
    """Every carrier: state, numbers, calls now, last failure.

    With how many numbers it rents out to us and where, and the limit of its calls.

    \b
      ./portgate carriers list
    """
    found = _everything()
    if as_json:
        print_json({"carriers": found})
        return
    rows = [
        (
            entry["name"],
            entry["title"],
            entry["state"],
            str(entry["numbers"]),
            ", ".join(entry["cities"]) or "-",
            f"{entry['channels']['used']}/{entry['channels']['limit'] or '-'}",
            _failure(entry["last_failure"]),
        )
        for entry in found
    ]
    titles = ("CARRIER", "TITLE", "STATE", "NUMBERS", "CITIES", "CALLS", "LAST FAILURE")
    table(titles, rows)
    for entry in found:
        if entry["why"]:
            click.echo(f"{entry['name']}: {entry['why']}", err=True)
        if silent := [uri for trunk in entry["trunks"] for uri in trunk["down"]]:
            click.echo(f"{entry['name']}: no answer from {', '.join(silent)}", err=True)
        for trunk in entry["trunks"]:
            if (now := trunk["registration"]) and now["state"] in ("trying", "failed"):
                told = f"trunk {trunk['name']} is not registered: {now['why']}"
                click.echo(f"{entry['name']}: {told}", err=True)
        said_of = [names.in_words(name) for trunk in entry["trunks"] for name in trunk["names"]]
        for words in dict.fromkeys(said_of):  # several trunks may share a gateway
            click.echo(f"{entry['name']}: {words}", err=True)
        for lack in entry["lacks"]:
            click.echo(f"{entry['name']}: {Lack(**lack)}", err=True)


def _failure(failure: dict[str, Any] | None) -> str:
    if failure is None:
        return "-"
    at: datetime = failure["at"]
    return f"{at.astimezone():%H:%M:%S} {failure['status']} {failure['cause']}".rstrip()


@carriers.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One carrier: trunks, limits, how a call is written for it.

    And what it cannot do yet, a secret that is missing for instance.

    \b
      ./portgate carriers show NAME
    """
    found = {entry["name"]: entry for entry in _everything()}
    if name not in found:
        raise unknown(name, list(found))
    entry = found[name]
    home = this_home()
    source: Path = adapters.folder(this_settings(home))
    carrier = loaded(home.carriers, carriers_work.places(home), (name,)).get(name)
    carrier = carrier or loaded(source, carriers_work.places(home), (name,)).get(name)
    entry["written"] = spoken(carrier) if carrier else {}
    if as_json:
        print_json(entry)
        return
    click.echo("\n".join(_story(entry)))


def _story(entry: dict[str, Any]) -> list[str]:
    state = f"{entry['state']}: {entry['why']}" if entry["why"] else entry["state"]
    lines = [f"{entry['name']}  {entry['title']}", f"  state     {state}"]
    lines.append(f"  numbers   {entry['numbers']} {', '.join(entry['cities'])}".rstrip())
    lines.append(
        f"  calls     {entry['channels']['used']} of {entry['channels']['limit'] or 'any'}"
    )
    lines.append(f"  failure   {_failure(entry['last_failure'])}")
    for trunk in entry["trunks"]:
        lines += ["", f"Trunk {trunk['name']}, serves {trunk['serves']}"]
        lines.append(f"  from      {', '.join(trunk['calls_from']) or 'nowhere'}")
        lines.append(f"  to        {', then '.join(trunk['calls_to']) or 'nowhere'}")
        lines += [f"  name      {names.in_words(name)}" for name in trunk["names"]]
        lines.append(f"  trust     {trunk['authentication']}{_registered(trunk)}")
        lines.append(f"  codecs    {', '.join(trunk['codecs'])}")
        rate = trunk["calls_per_second"]
        lines.append(f"  limits    {trunk['channels'] or 'any'} calls, {rate or 'any'} a second")
        lines.append(f"  now       {trunk['channels_used']} calls")
        lines.append(f"  failure   {_failure(trunk['last_failure'])}")
    if entry["written"]:
        lines += ["", "A call to a mobile is written"]
        lines += [f"  {name}: {value}" for name, value in entry["written"].items()]
    lines += [f"Lacks: {Lack(**lack)}" for lack in entry["lacks"]]
    return lines + [f"Note: {note}" for note in entry["notes"]]


def _registered(trunk: dict[str, Any]) -> str:
    now = trunk["registration"]
    if now is None:
        return ""
    if now["state"] == "registered":
        until = datetime.fromtimestamp(now["until"], UTC).astimezone()
        return f", registered until {until:%H:%M:%S}"
    return f", {now['state']}: {now['why']}"


def unknown(name: str, known: list[str]) -> StackError:
    """No carrier of this name, and the nearest one."""
    close = difflib.get_close_matches(name, known, n=1)
    mend = f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(known)}"
    return StackError(Problem(f"there is no carrier `{name}`", "", mend))
