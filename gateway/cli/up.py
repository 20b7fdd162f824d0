"""`portgate up`: starts the stack here or in the background; the work is gateway.stack's."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from typing import Any

import click

from gateway.cli.common import json_option, print_json, this_home, this_settings
from gateway.cli.status import settings_wait
from gateway.home import Home
from gateway.settings import Settings
from gateway.stack import control, run
from gateway.stack.problems import NotRunning, Problem
from gateway.stack.report import Lines, Pipe, relay
from gateway.stack.run import Options

START_S = 120.0
NEXT = (
    "./portgate call +74951230000 --from +79161234567",
    "./portgate explain +79161234567 --from 101",
    "./portgate status",
)


class JsonLines(Lines):
    """Lines for people on stderr, and one document for scripts on stdout when the start is over."""

    def __init__(self, as_json: bool, began: float) -> None:
        super().__init__()
        self._as_json, self._began = as_json, began

    def finished(self, result: dict[str, Any]) -> None:
        super().finished(result)
        seconds = round(time.monotonic() - self._began, 2)
        if self._as_json:
            print_json(
                {**result, "seconds": seconds, "steps": self.steps, "problems": self.problems}
            )
            sys.stdout.flush()
        elif result["ready"]:
            self._summary(result, seconds)

    def _summary(self, result: dict[str, Any], seconds: float) -> None:
        self.say(
            f"\nPortgate is up after {seconds:.1f} s: {_listens(result)}, API {result['api_url']}"
        )
        self.say("Next:\n" + "\n".join(f"  {line}" for line in NEXT))


@click.command()
@click.option("--detach", is_flag=True, help="Go to the background once everything is ready.")
@click.option(
    "--demo/--no-demo",
    default=True,
    help="Seed an empty registry with the demo company, and place two calls.",
)
@json_option
def up(detach: bool, demo: bool, as_json: bool) -> None:
    """Start everything on this machine and prove it with two real calls.

    Again, while it runs: changes nothing. Ctrl+C stops everything.

    \b
      ./portgate up
      ./portgate up --detach --json
      PORTGATE_SIP_PORT=5070 PORTGATE_HOME=/srv/second ./portgate up
    """
    began = time.monotonic()
    home = this_home()
    settings = this_settings(home)
    if running := _running(home):
        _say_running(running, as_json)
        return
    report = JsonLines(as_json, began)
    if detach:
        sys.exit(_in_background(home, settings, Options(demo), report))
    sys.exit(run.live(home, settings, os.environ, Options(demo, follow=not as_json), report))


def _running(home: Home) -> dict[str, Any] | None:
    """The stack that runs for this home; one that is just starting is waited for."""
    until = time.monotonic() + START_S
    while True:
        try:
            state = control.ask(home, {"do": "status"})
        except NotRunning:
            return None
        if state["ready"] or time.monotonic() > until:
            return state
        time.sleep(0.2)


def _say_running(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({**state, "already_running": True})
        return
    click.echo(
        f"Portgate runs already (pid {state['supervisor']}): "
        f"{_listens(state)}, API {state['api_url']}. "
        "Nothing was changed; ./portgate status shows more.",
        err=True,
    )
    if state["settings_waiting"]:
        click.echo(settings_wait(state["settings_waiting"]), err=True)


def _listens(state: dict[str, Any]) -> str:
    tls = f", TLS {state['sip_tls']}" if state["sip_tls"] else ""
    return f"SIP {state['sip']}{tls}"


def _in_background(home: Home, settings: Settings, options: Options, report: JsonLines) -> int:
    """Run the stack in a process of its own; come back when it is ready, or has failed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _become_daemon(home, settings, options, reading, writing)
    os.close(writing)
    try:
        relay(reading, report)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGINT)
        click.echo("Interrupted: stopping what had been started", err=True)
        os.waitpid(child, 0)
        return 130
    if not report.result and not report.problems:
        report.failed(Problem("the supervisor was killed before it was ready", "", "Try again"))
    return 0 if report.result.get("ready") and not _bad(report) else 1


def _bad(report: Lines) -> bool:
    return any(not problem.warning for problem in report.problems)


def _become_daemon(
    home: Home, settings: Settings, options: Options, reading: int, writing: int
) -> None:
    """In the forked child: leave the terminal, run, never return."""
    status, pipe = 1, Pipe(writing)
    try:
        os.close(reading)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        # At the first `up` there is no folder yet, and preflight may say that there shall be none.
        log = home.log / "supervisor.out"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        output = os.open(log, flags, 0o640) if home.log.is_dir() else nothing
        for descriptor, stream in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, stream)
        os.chdir("/")
        status = run.live(home, settings, os.environ, options, pipe)
    except BaseException as error:
        # Nobody is left above this to tell but the waiting parent and the log.
        text = "".join(traceback.format_exception(error))
        pipe.failed(Problem("the supervisor ended", text, "This is a defect of Portgate"))
        sys.stderr.write(text)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
