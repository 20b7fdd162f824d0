"""`portgate down`: asks the supervisor to stop everything, and may remove the state; kills by
identity only.
"""

from __future__ import annotations

import os
import sys
import time

import click

from gateway.cli.common import json_option, print_json, this_home
from gateway.home import Home
from gateway.stack import control, folders, processes, run, state
from gateway.stack.problems import NotRunning, Problem, StackError

STOP_S = 60.0


@click.command()
@click.option(
    "--purge", is_flag=True, help="Also remove all state: database, secrets, journal, logs."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask before removing.")
@json_option
def down(purge: bool, yes: bool, as_json: bool) -> None:
    """Stop everything; calls in progress end.

    \b
      ./portgate down
      ./portgate down --purge
    """
    home = this_home()
    if purge:
        _may_purge(home, yes)
    began = time.monotonic()
    was_running = _stop(home)
    stays = folders.purge(home) if purge else None
    seconds = round(time.monotonic() - began, 2)
    if as_json:
        print_json(
            {"was_running": was_running, "purged": purge, "stays": stays, "seconds": seconds}
        )
        return
    click.echo(f"✓ stopped  {seconds:.1f} s" if was_running else "Nothing was running", err=True)
    if purge:
        left = f"; not Portgate's, and kept: {', '.join(stays)}" if stays else ""
        click.echo(f"✓ removed the state in {home.path}{left}", err=True)


def _may_purge(home: Home, yes: bool) -> None:
    if not folders.is_home(home.path):
        raise StackError(
            Problem(
                f"{home.path} is not removed",
                "it does not look like a Portgate home",
                "Check PORTGATE_HOME",
            )
        )
    # A script has said what it wants by --purge; only a person is asked whether it was meant.
    if yes or not sys.stdin.isatty():
        return
    click.confirm(
        f"Remove the database, call records, secrets and logs in {home.path}?", abort=True, err=True
    )


def _stop(home: Home) -> bool:
    """Stop a running stack, or what a killed supervisor left. True when there was anything."""
    noted = state.read(home)
    try:
        control.ask(home, {"do": "stop"})
    except NotRunning:
        return _end_rest(home)
    if noted is not None and processes.wait_gone([noted.supervisor], STOP_S):
        why = f"its supervisor (pid {noted.supervisor.pid}) still runs after {STOP_S:.0f} s"
        raise StackError(
            Problem("the stack did not stop", why, f"See {home.log / 'supervisor.log'}")
        )
    return True


def _end_rest(home: Home) -> bool:
    if not home.state_file.exists():
        return False
    lock = run.locked(home)  # an `up` that is just starting must not lose its services to us
    try:
        ended = state.end_leftovers(home)
        home.state_file.unlink(missing_ok=True)
        return ended > 0
    finally:
        os.close(lock)
