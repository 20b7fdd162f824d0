"""Every command's help can be followed by somebody who reads it for the first time."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from gateway.cli.main import cli

SHORT = 64  # of a terminal 80 columns wide, beside the name of the longest command


def commands(group: click.Group, name: str = "./portgate") -> Iterator[tuple[str, click.Command]]:
    """Each by its whole name, groups too."""
    for word in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), word)
        assert command is not None
        yield f"{name} {word}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")


ALL = dict(commands(cli))
LISTED = [name for name in ALL if len(name.split()) > 2]  # the others have lines in main.py


@pytest.mark.parametrize("name", LISTED)
def test_it_begins_with_a_whole_short_sentence(name: str) -> None:
    short = ALL[name].get_short_help_str(SHORT)
    assert short and not short.endswith("..."), "the list of commands would cut it off"
    assert short[0].isupper()


@pytest.mark.parametrize("name", ALL)
def test_each_of_its_options_says_what_it_does(name: str) -> None:
    options = [one for one in ALL[name].params if isinstance(one, click.Option)]
    silent = [one.opts[0] for one in options if not one.help]
    assert silent == []
    assert all(one.help.endswith((".", ")")) for one in options if one.help)


@pytest.mark.parametrize("name", ALL)
def test_it_shows_an_example_of_itself(name: str) -> None:
    assert name in (ALL[name].help or "")
