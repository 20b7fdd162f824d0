"""`portgate pbx`: shows the PBXs; it changes none."""

from __future__ import annotations

import click

from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import ask, table


@click.group()
def pbx() -> None:
    """The PBXs and their addresses.

    \b
      ./portgate pbx list
      ./portgate pbx list --json | jq -r '.pbxs[] | "\\(.name) \\(.addresses[0])"'
    """


@pbx.command("list")
@json_option
def list_pbxs(as_json: bool) -> None:
    """Every PBX: state, how many numbers it answers for, addresses in the order in which they are
    tried.
    """
    found = ask(this_home(), "list_pbxs")
    if as_json:
        print_json({"pbxs": found})
        return
    rows = [
        (row["name"], row["state"], str(row["numbers"]), ", ".join(row["addresses"]) or "-")
        for row in found
    ]
    table(("PBX", "STATE", "NUMBERS", "ADDRESSES"), rows)
