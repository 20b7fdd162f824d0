"""`portgate carriers`: shows the carriers; it changes none."""

from __future__ import annotations

import click

from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import ask, table


@click.group()
def carriers() -> None:
    """The carriers that rent out the numbers.

    \b
      ./portgate carriers list
      ./portgate carriers list --json | jq '.carriers[].name'
    """


@carriers.command("list")
@json_option
def list_carriers(as_json: bool) -> None:
    """Every carrier: how many numbers it rents out to us, and in which cities."""
    found = ask(this_home(), "list_carriers")
    if as_json:
        print_json({"carriers": found})
        return
    rows = [
        (row["name"], row["title"], str(row["numbers"]), ", ".join(row["cities"]) or "-")
        for row in found
    ]
    table(("CARRIER", "TITLE", "NUMBERS", "CITIES"), rows)
