"""`portgate carriers secret`: the passwords that carriers gave us; no value is ever shown, or taken
from the command line, which others can read.
"""

from __future__ import annotations

import asyncio
import sys

import click

from gateway.carrier_files import work, workers
from gateway.carrier_files.secrets import Secrets, Wanted, named, wanted
from gateway.cli.carriers_work import places
from gateway.cli.common import json_option, print_json, this_home, this_settings
from gateway.cli.lists import table
from gateway.home import Home
from gateway.kamailio_rpc import KamailioGoneError
from gateway.stack import adapters
from gateway.stack.problems import Problem, StackError
from number_registry.errors import BadValueError


@click.group()
def secret() -> None:
    """The passwords that carriers gave us for their trunks.

    For trunks that want digest or registration; carriers' files hold only the secrets' names.

    \b
      ./portgate carriers secret list
      ./portgate carriers secret set city_telecom
      pass show city-telecom | ./portgate carriers secret set city_telecom
      ./portgate carriers secret remove city_telecom
    """


@secret.command("set")
@click.argument("name")
def put(name: str) -> None:
    """Keep the value of a secret.

    It is asked for on a terminal, else it is the one line on standard input.

    It takes effect at once, calls in progress included. The file is HOME/secrets/carriers/NAME,
    0600, and may as well be put there by your own tools.

    \b
      ./portgate carriers secret set city_telecom
    """
    home = this_home()
    try:
        named(name)
        if sys.stdin.isatty():
            value = click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True)
        else:
            value = sys.stdin.read(4096)
        Secrets(home.carrier_secrets).put(name, value.rstrip("\r\n"))
    except BadValueError as error:
        raise StackError(Problem(f"the secret {name!r} is not kept", str(error), "")) from error
    click.echo(f"{name} is kept", err=True)
    users = {one.name: one.trunks for one in _all(home)}[name]
    click.echo(f"Used by: {', '.join(users) or 'no trunk yet'}", err=True)
    _tell(home)


@secret.command("list")
@json_option
def list_secrets(as_json: bool) -> None:
    """Names of all secrets, who wants each, and which are missing.

    Exit status 1 when one is.

    \b
      ./portgate carriers secret list
    """
    found = _all(this_home())
    if as_json:
        print_json({"secrets": [one._asdict() for one in found]})
    else:
        rows = [(one.name, _state(one), ", ".join(one.trunks) or "-")
                for one in found]  # fmt: skip
        table(("SECRET", "STATE", "TRUNKS"), rows)
        for one in found:
            if not one.present:
                click.echo(f"Run: ./portgate carriers secret set {one.name}", err=True)
    sys.exit(0 if all(one.present for one in found) else 1)


@secret.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a secret.

    Trunks that want it go on, and are refused where they are challenged.

    \b
      ./portgate carriers secret remove city_telecom
    """
    home = this_home()
    try:
        there = Secrets(home.carrier_secrets).forget(name)
    except BadValueError as error:
        raise StackError(Problem(f"there is no secret {name!r}", str(error), "")) from error
    if not there:
        mend = "See: ./portgate carriers secret list"
        raise StackError(Problem(f"there is no secret {name!r}", "", mend))
    click.echo(f"{name} is forgotten", err=True)
    _tell(home)


def _all(home: Home) -> list[Wanted]:
    overrides = places(home)
    folders = (home.carriers, adapters.folder(this_settings(home)))
    carriers = [work.loaded(folder, overrides) for folder in folders]
    return wanted(carriers, Secrets(home.carrier_secrets))


def _state(one: Wanted) -> str:
    if one.why:
        return f"cannot be used: {one.why}"
    if not one.present:
        return "missing"
    return "set" if one.trunks else "set, nobody wants it"


def _tell(home: Home) -> None:
    """Running SIP workers read it anew; where none run there is nobody to tell."""
    settings = this_settings(home)
    try:
        asyncio.run(workers.tell(home, (settings.sip.address, settings.sip.port)))
    except KamailioGoneError:
        click.echo("Nothing runs now: it is used from the next start on", err=True)
