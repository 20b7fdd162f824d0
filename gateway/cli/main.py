"""The table of commands, loaded when used, and the one place where errors become exit codes."""

from __future__ import annotations

import difflib
import importlib
import os
import sys

import click

# name: (where it is, what it is for). The line is here so that --help imports none of them.
COMMANDS = {
    "up": ("gateway.cli.up:up", "Start everything on this machine and prove it with two calls."),
    "down": ("gateway.cli.down:down", "Stop everything."),
    "status": ("gateway.cli.status:status", "Show what runs."),
    "doctor": ("gateway.cli.doctor:doctor", "Look for what is wrong, and say how to mend it."),
    "call": ("gateway.cli.call:call", "Place a real call through the running stack."),
    "explain": ("gateway.cli.explain:explain", "Show where a call would go, and why."),
    "calls": ("gateway.cli.calls:calls", "The calls that crossed, and why they went so."),
    "transfer": ("gateway.cli.desk:transfer", "Send the client of a live call to an agent."),
    "ring": ("gateway.cli.desk:ring", "Ring an agent, then the client of a deal."),
    "numbers": ("gateway.cli.numbers:numbers", "The numbers and who answers them."),
    "pbx": ("gateway.cli.pbx:pbx", "The PBXs, and moving numbers between them."),
    "waves": ("gateway.cli.waves:waves", "Moving cities to another PBX, one after the other."),
    "lockin": ("gateway.cli.lockin:lockin", "What leaving a PBX's vendor would lose."),
    "carriers": ("gateway.cli.carriers:carriers", "The carriers and how they speak."),
    "network": (
        "gateway.cli.network:network",
        "How carriers are handed to us: addresses and routes.",
    ),
    "bench": ("gateway.cli.bench:bench", "Measure what a call costs, against a native relay."),
    "test": ("gateway.cli.test:test", "Run Portgate's own tests."),
}


class Commands(click.Group):
    """Loads a command's module when it is called; suggests the nearest name for a typo."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, n=1, cutoff=0.5)
            hint = f"Did you mean `{close[0]}`?" if close else "See ./portgate --help"
            raise click.UsageError(f"no command `{args[0]}`. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    options_metavar="",
    subcommand_metavar="COMMAND ...",
)
def cli() -> None:
    """Portgate keeps your numbers while carriers and PBXs come and go.

    \b
      ./portgate up                               start everything, prove it with two calls
      ./portgate call +74951230000 --from +79161234567
      ./portgate explain +79161234567 --from 101  the decision without a call
      ./portgate status --json | jq .services

    Each command has a --help of its own, with examples. PORTGATE_HOME names the folder of the
    state, /var/lib/portgate where it is not set. Exit status 0: it is so; 1: an error, or not well;
    2: a plan has changes.
    """


def main() -> None:
    """Run one command. Exit status: 0 it is so, 1 an error, 130 interrupted; 2 is a plan's changes.

    A wrong word is an error like any other: where it were 2, scripts would take it for changes.
    """
    from gateway.home import Home
    from gateway.stack.state import adopt

    try:
        adopt(Home.from_env(), os.environ)
        cli.main(prog_name="portgate", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except click.Abort:
        sys.exit(130)
    except click.exceptions.Exit as finished:
        sys.exit(finished.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has had enough: `portgate numbers list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        sys.exit(_explain(error))


def _explain(error: Exception) -> int:
    """Say any error in three parts."""
    from gateway.cli.errors import problems_of
    from gateway.stack.report import Lines

    lines = Lines()
    for problem in problems_of(error):
        lines.failed(problem)
    return 1
