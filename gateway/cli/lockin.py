"""`portgate lockin`: what leaving a PBX's vendor would lose; it changes nothing."""

from __future__ import annotations

import click

from gateway.cli.common import json_option, print_json, this_home
from gateway.cli.lists import table
from gateway.cli.registry import plain, run
from number_registry.operations import lockin as locked


@click.command()
@click.argument("pbx")
@json_option
def lockin(pbx: str, as_json: bool) -> None:
    """The numbers that are rented through a PBX, and how far the exit has come.

    \b
      ./portgate lockin old
      ./portgate lockin old --json | jq .exit_percent
    """
    found = run(this_home(), lambda connection: locked.read(connection, pbx))
    if as_json:
        for kind in ("numbers", "left", "contracts"):
            found[kind] = [{k: plain(v) for k, v in row.items()} for row in found[kind]]
        print_json(found)
        return
    titles = ("NUMBER", "CITY", "CONTRACT", "CARRIER", "STATE", "INSTEAD")
    columns = ("e164", "city", "contract", "carrier", "state", "instead")
    if found["numbers"]:
        table(titles, [[row[name] or "-" for name in columns] for row in found["numbers"]])
    for row in found["left"]:
        click.echo(f"left {row['e164']}: {plain(row['at'])}, {row['contract']}")
    click.echo(
        f"{len(found['numbers'])} numbers would be lost with {pbx}; the exit is"
        f" {found['exit_percent']:g} % done. Monthly cost: {found['monthly_cost_reason']}",
        err=True,
    )
