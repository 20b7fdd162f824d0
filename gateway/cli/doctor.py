"""`portgate doctor`: looks at everything a stack needs and says how to mend what is not well;
changes nothing.
"""

from __future__ import annotations

import asyncio
import sys

import click
import msgspec

from gateway.carrier_files import findings, work
from gateway.carrier_files.secrets import Secrets
from gateway.cli.carriers_work import places
from gateway.cli.common import json_option, print_json, this_home, this_settings
from gateway.cli.status import look
from gateway.home import Home
from gateway.registrations import said
from gateway.settings import SettingsError
from gateway.stack import facts, preflight, readings
from gateway.stack.health import Finding, judge


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Look for what is wrong, and say how to mend it. Exit status 0 when all is well.

    \b
      ./portgate doctor
      ./portgate doctor --json | jq '.findings[] | select(.ok | not)'
    """
    home = this_home()
    status = look(home)
    found = _before(home, running=status["supervisor"] is not None)
    found += judge(asyncio.run(readings.take(home, status)))
    found += _carriers(home)
    well = all(finding.ok or finding.note for finding in found)
    if as_json:
        print_json({"ok": well, "findings": found})
    else:
        for finding in found:
            _show(finding)
    sys.exit(0 if well else 1)


def _before(home: Home, *, running: bool) -> list[Finding]:
    """What `up` would say. The ports of a running stack are held by itself, and so left out."""
    try:
        settings = this_settings(home)
    except SettingsError as error:
        return [Finding("settings", False, f"{error.where}: {error.what}", error.mend)]
    seen = facts.gather(home, settings)
    if running:
        seen = msgspec.structs.replace(seen, ports={})
    problems = preflight.plan(home, settings, seen)
    if not problems:
        return [
            Finding("preflight", True, "settings, programs, rights, addresses and ports are well")
        ]
    return [
        Finding("preflight", False, f"{problem.what}: {problem.why}", problem.mend, problem.warning)
        for problem in problems
    ]


def _carriers(home: Home) -> list[Finding]:
    at_work = work.loaded(home.carriers, places(home))
    registrations = said.read(home.snapshot).values()
    secrets = Secrets(home.carrier_secrets)
    rented = {
        row["name"]: row["numbers"] for row in asyncio.run(readings.rows(home, "rented_from"))
    }
    return findings.without_file(at_work, rented) + findings.findings(
        at_work, secrets, registrations, demo=home.demo.exists()
    )


def _show(finding: Finding) -> None:
    mark = click.style("✓", fg="green") if finding.ok else _wrong(finding)
    click.echo(f"{mark} {finding.name}: {finding.seen}")
    if finding.mend:
        click.echo(f"  {finding.mend}")


def _wrong(finding: Finding) -> str:
    return click.style("!", fg="yellow") if finding.note else click.style("✗", fg="red")
