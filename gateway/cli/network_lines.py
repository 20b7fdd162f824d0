"""How `portgate network` writes plans and hand-offs, for people and scripts; it asks nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from gateway.cli.common import print_json
from gateway.network import declared, faults
from gateway.network.plan import Change, Plan
from gateway.network.things import kind

_COLOURS = {"+": "green", "~": "yellow", "-": "red"}


def count(found: Plan) -> str:
    """1 change, 2 changes."""
    number = len(found.changes)
    return "1 change" if number == 1 else f"{number} changes"


def show(found: Plan, as_json: bool, *, begun: bool = False) -> None:
    """The steps in their order, each with the hand-offs it is for."""
    if as_json:
        changes = [_spelled(change) for change in found.changes]
        print_json({"id": found.id, "changes": changes, "cut_short": begun})
        return
    width = max((len(str(change)) for change in found.changes), default=0)
    for change in found.changes:
        line = f"{str(change).ljust(width)}  {', '.join(change.names)}".rstrip()
        click.echo(click.style(line, fg=_COLOURS[change.op]))


def _spelled(change: Change) -> dict[str, Any]:
    return {
        "op": change.op,
        "kind": kind(change.thing),
        "hand_offs": change.names,
        "now": change.now,
        "then": change.then,
        "text": str(change),
    }


def row(
    leg: declared.Leg,
    tables: Mapping[str, int],
    lost: Sequence[faults.Fault],
    since: Mapping[faults.Fault, datetime],
) -> dict[str, Any]:
    """One address of ours: for whom, by which way, and what of it is lost."""
    mine = [
        fault
        for fault in lost
        if fault.interface == leg.device and fault.address in ("", leg.address)
    ]
    return {
        "names": leg.names,
        "carries": leg.uses,
        "interface": leg.device,
        "address": leg.address,
        "table": tables.get(leg.address),
        "state": "lost" if mine else "ok",
        "faults": [
            {"kind": one.kind, "what": one.what, "since": since.get(one), "mend": one.mend}
            for one in mine
        ],
    }


def show_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """The same for people."""
    for one in rows:
        fine = one["state"] == "ok"
        mark = click.style("✓", fg="green") if fine else click.style("✗", fg="red")
        carries = " and ".join(one["carries"])
        what = f"{carries} from {one['address']} by {one['interface']}, table {one['table']}"
        click.echo(f"{mark} {', '.join(one['names'])}: {what}")
        for fault in one["faults"]:
            since = f" since {fault['since']:%Y-%m-%d %H:%M:%S} UTC" if fault["since"] else ""
            click.echo(f"  {fault['what']}{since}. {fault['mend']}")
