"""`portgate pbx secret`: the password by which we may ask a PBX; it is never shown, nor taken from
the command line.
"""

from __future__ import annotations

import os
import sys

import click

from gateway.carrier_files.secrets import checked
from gateway.cli.common import this_home
from gateway.cli.registry import run
from gateway.hooks.choose import secret_file
from gateway.stack.problems import Problem, StackError
from number_registry.errors import BadValueError
from number_registry.operations import pbxs


@click.command("secret")
@click.argument("name")
@click.option("--remove", is_flag=True, help="Forget it.")
def pbx_secret(name: str, remove: bool) -> None:
    """Keep the password by which a PBX lets us ask it for a transfer.

    It is asked for on a terminal, else it is the one line on standard input. The file is
    HOME/secrets/pbxs/NAME, 0600.

    \b
      ./portgate pbx secret office
      pass show office-manager | ./portgate pbx secret office
    """
    home = this_home()
    run(home, lambda connection: pbxs.read(connection, name))  # there is such a PBX
    path = secret_file(home.pbx_secrets, name)
    if remove:
        path.unlink(missing_ok=True)
        return
    if sys.stdin.isatty():
        value = click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read(4096)
    try:
        data = checked(value.rstrip("\r\n").encode(errors="surrogateescape")).encode() + b"\n"
    except BadValueError as error:
        problem = Problem(f"the secret of {name!r} is not kept", str(error), "")
        raise StackError(problem) from error
    path.parent.mkdir(mode=0o700, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    beside.replace(path)
    click.echo(f"The secret of {name} is kept", err=True)
