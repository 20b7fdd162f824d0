"""`portgate numbers`: shows the numbers; it changes none."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import ask, table

_COLUMNS = ("e164", "city", "carrier", "pbx", "state", "scenario", "department", "rented_through")


@click.group(invoke_without_command=False)
def numbers() -> None:
    """The numbers and who answers them.

    \b
      ./portgate numbers list
      ./portgate numbers list --json | jq -r '.numbers[] | select(.pbx == "old") | .e164'
    """


@numbers.command("list")
@json_option
def list_numbers(as_json: bool) -> None:
    """Every number: city, carrier that rents it out, PBX that answers, state."""
    found = [shown(row) for row in ask(this_home(), "list_numbers")]
    if as_json:
        print_json({"numbers": found})
        return
    titles = (
        "NUMBER",
        "CITY",
        "CARRIER",
        "PBX",
        "STATE",
        "SCENARIO",
        "DEPARTMENT",
        "RENTED THROUGH",
    )
    table(titles, [[row[column] or "-" for column in _COLUMNS] for row in found])
    click.echo(f"{len(found)} numbers", err=True)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as scripts see it: the number with its plus, empty where there is nothing."""
    return {**row, "e164": f"+{row['e164']}"}
