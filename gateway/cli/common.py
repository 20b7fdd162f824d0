"""What commands share: which home, its settings and ports, and printing JSON; no command lives
here.
"""

from __future__ import annotations

import os
from typing import Any

import click
import msgspec

from gateway import ports as internal
from gateway import settings as configured
from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.settings import Settings

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def this_home() -> Home:
    """The home that PORTGATE_HOME names."""
    return Home.from_env()


def this_settings(home: Home) -> Settings:
    """Its settings, with the overrides its running stack was started with."""
    return configured.load(home.path, os.environ)


def these_ports(home: Home) -> InternalPorts:
    """Its internal ports. Raises StackError when it has never been up."""
    from gateway.stack.problems import NotRunning, Problem

    try:
        return internal.load(home)
    except FileNotFoundError as error:
        problem = Problem(
            f"{home.path} has never been up", "there is no ports.toml", "Run: ./portgate up"
        )
        raise NotRunning(problem) from error


def print_json(value: Any) -> None:
    """One document, indented for people who look at it anyway."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
