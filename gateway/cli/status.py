"""`portgate status`: what runs and whether it answers; it starts and stops nothing."""

from __future__ import annotations

import sys
from typing import Any

import click

from gateway.cli.common import json_option, print_json, this_home
from gateway.home import Home
from gateway.stack import control, state
from gateway.stack.problems import NotRunning
from gateway.stack.readings import networks_lost
from gateway.stack.services import NAMES

FINE = ("running", "disabled")


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show the services, their process ids and whether each answers.

    Exit status 0 when all run.

    \b
      ./portgate status
      ./portgate status --json | jq -r '.services[] | "\\(.name) \\(.state)"'
    """
    home = this_home()
    seen = look(home)
    seen["networks_lost"] = networks_lost(home)
    if as_json:
        print_json(seen)
    else:
        _show(home, seen)
    sys.exit(0 if all(service["state"] in FINE for service in seen["services"]) else 1)


def look(home: Home) -> dict[str, Any]:
    """What the supervisor says; all stopped when none answers."""
    try:
        return control.ask(home, {"do": "status"})
    except NotRunning as error:
        gone = [{"name": name, "pid": None, "state": "stopped"} for name in NAMES]
        return {
            "services": gone,
            "api_url": None,
            "sip": None,
            "sip_tls": None,
            "settings_waiting": [],
            "supervisor": None,
            "ready": False,
            "why": error.problems[0].why,
        }


def settings_wait(sections: list[str]) -> str:
    """What to do about settings that were changed since the start."""
    return (
        f"Changed in portgate.toml since it was started: {', '.join(sections)}. "
        "They are taken at the next start: ./portgate down, then ./portgate up --detach"
    )


def _show(home: Home, seen: dict[str, Any]) -> None:
    if seen["supervisor"] is None:
        click.echo(f"stopped ({home.path}: {seen['why']})")
        if left := state.leftovers(home):
            click.echo(
                f"{len(left)} processes of a killed supervisor are left; ./portgate down ends them"
            )
        return
    for service in seen["services"]:
        mark = (
            click.style("✓", fg="green") if service["state"] in FINE else click.style("✗", fg="red")
        )
        pid = service["pid"] or "-"
        again = f"  started again {service['restarts']} times" if service["restarts"] else ""
        why = f"  {service['why']}" if service.get("why") else ""
        click.echo(f"{mark} {service['name']:<11} {service['state']:<14} pid {pid}{again}{why}")
    for lost in seen["networks_lost"]:
        click.echo(f"{click.style('✗', fg='red')} carrier's network: {lost}")
    tls = f"   TLS {seen['sip_tls']}" if seen["sip_tls"] else ""
    ends = f"API {seen['api_url']}   supervisor pid {seen['supervisor']}"
    click.echo(f"\nSIP {seen['sip']}{tls}   {ends}")
    if seen["settings_waiting"]:
        click.echo(settings_wait(seen["settings_waiting"]))
