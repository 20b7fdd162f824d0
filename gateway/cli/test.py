"""`portgate test`: runs the repository's tests with pytest; every test has a home of its own."""

from __future__ import annotations

import os
import sys

import click

from gateway.stack.render import REPO


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--faults", is_flag=True, help="Also kill, hang and corrupt parts of running stacks.")
@click.option("--pbx", is_flag=True, help="Also real PBX programs, which are fetched once.")
@click.option("--slow", is_flag=True, help="Also what takes long.")
@click.option("--jobs", "-n", default="2", help="How many processes at once; 0 for none.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(faults: bool, pbx: bool, slow: bool, jobs: str, arguments: tuple[str, ...]) -> None:
    """Run Portgate's own tests; what follows goes to pytest.

    \b
      ./portgate test
      ./portgate test -k suspended
      ./portgate test --faults tests/integration
    """
    given = {"--faults": faults, "--pbx": pbx, "--slow": slow}
    switches = [switch for switch, wanted in given.items() if wanted]
    if jobs != "0":
        switches += ["-n", jobs, "--dist", "loadfile"]
    # The tests start stacks of their own: nothing of the caller's may reach into them.
    env = {key: value for key, value in os.environ.items() if not key.startswith("PORTGATE_")}
    os.chdir(REPO)
    command = [sys.executable, "-P", "-m", "pytest", *switches, *arguments]
    os.execve(sys.executable, command, env)
