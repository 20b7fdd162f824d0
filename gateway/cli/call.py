"""`portgate call`: places one real call and shows what happened; the work is gateway.trial's."""

from __future__ import annotations

import asyncio
import difflib
import sys
from dataclasses import replace

import click

from gateway.cli.common import json_option, print_json, this_home
from gateway.endpoints import ANSWERS, EndpointError, Leg
from gateway.home import Home
from gateway.ladder import Arrow, ladder
from gateway.ports import InternalPorts
from gateway.settings import Settings
from gateway.stack import control
from gateway.stack.problems import Problem, StackError
from gateway.trial import known, place, plan, spelling
from gateway.trial.result import CallResult, in_words

SIPP_LATE_S = 0.01


async def prove(home: Home, settings: Settings, ports: InternalPorts) -> list[CallResult]:
    """Two calls with the demo company, one in and one out. Raises EndpointError, NotRunning."""
    return [trial.result for trial in await place.prove(home, known.load(home))]


@click.command()
@click.argument("to")
@click.option(
    "--from", "sender", required=True, help="An outside number, an extension, or a SIM of ours."
)
@click.option(
    "--answer", type=click.Choice(sorted(ANSWERS)), default="answer", help="What the far side does."
)
@click.option("--pbx-first-dead", is_flag=True, help="Nobody is at the far side's first address.")
@click.option(
    "--lot",
    type=click.IntRange(0, 99),
    default=0,
    help="Where two PBXs share a number: the lot that the call draws, 0 to 99.",
)
@json_option
def call(to: str, sender: str, answer: str, pbx_first_dead: bool, lot: int, as_json: bool) -> None:
    """Place a real call through the running stack, with audio both ways.

    FROM says where it starts: a SIM of ours, or the extension of who has one, at its operator; any
    other extension at its PBX; any other number at the carrier that rents TO out. The far ends are
    test endpoints on this machine. Exit status 0 when the call was answered, both sides heard each
    other and its record arrived.

    \b
      ./portgate call +74951230000 --from +79161234567
      ./portgate call '8 (916) 123-45-67' --from 101 --json
      ./portgate call 4711 --from 203
      ./portgate call '203*4711' --from 102
      ./portgate call +74951230000 --from +79161234567 --answer busy
      ./portgate call +74951230000 --from +79161234567 --pbx-first-dead
    """
    home = this_home()
    control.ask(home, {"do": "status"})  # says how to start the stack when it does not run
    wishes = place.Wishes(answer=answer, dead=1 if pbx_first_dead else 0)
    try:
        facts = known.load(home)
        what = plan.plan(facts, spelling.read(to), spelling.read(sender), lot)
        trial = asyncio.run(place.place(home, facts, what, wishes))
    except spelling.NotANumberError as error:
        raise click.UsageError(str(error)) from error
    except EndpointError as error:
        problem = Problem("the call cannot be placed here", str(error), place.NEEDS)
        raise StackError(problem) from error
    if as_json:
        print_json(trial.result)
    else:
        click.echo("\n".join(story(trial)))
    sys.exit(0 if trial.result.worked else 1)


def story(trial: place.Trial) -> list[str]:
    """The call for a person: decision, what was rewritten, ladder, result, record."""
    result = trial.result
    lines = ["Decision", *(f"  {step.rule:10} {step.said}" for step in result.trace), ""]
    lines += rewritten(trial)
    far = result.carrier if result.verdict in ("carrier", "sim") else result.pbx
    names = [trial.caller, "portgate", far or "far side"]
    lines += [
        "Ladder (ms)",
        *(f"  {line}" for line in ladder(names, arrows(trial.near, trial.far))),
    ]
    lines += ["", "Result", f"  {in_words(result)}", ""]
    lines += ["Call record", *record(result)]
    return lines


def rewritten(trial: place.Trial) -> list[str]:
    """The INVITE before and after as a diff, without context that is the same."""
    if trial.after is None:
        return ["INVITE", *(f"  {line}" for line in trial.before.text.splitlines()), ""]
    diff = difflib.unified_diff(
        trial.before.text.splitlines(), trial.after.text.splitlines(), "sent", "received", n=1
    )
    return [
        "INVITE, as the caller sent it (-) and as the far side received it (+)",
        *(f"  {line}" for line in list(diff)[2:] if not line.startswith("@@")),
        "",
    ]


def arrows(near: Leg, far: Leg | None) -> list[Arrow]:
    """Both legs as arrows between caller (0), gateway (1) and far side (2)."""
    ends = [(near, 0)] if far is None else [(near, 0), (far, 2)]
    found = [
        Arrow(one.at, end if one.sent else 1, 1 if one.sent else end, one.label)
        for leg, end in ends
        for one in leg.messages
    ]
    return causes_first(found)


def causes_first(found: list[Arrow]) -> list[Arrow]:
    """SIPp notes the time after it has sent, by when the gateway may already have passed it on.

    So a message never stands later than the first message of the same label that left the gateway
    to the other side after it.
    """
    mended = []
    for arrow in found:
        if arrow.to == 1:
            passed = [
                one.at
                for one in found
                if one.from_ == 1
                and one.to != arrow.from_
                and one.label == arrow.label
                and abs(one.at - arrow.at) < SIPP_LATE_S
            ]
            arrow = replace(arrow, at=min([arrow.at, *(at - 1e-6 for at in passed)]))
        mended.append(arrow)
    return mended


def record(result: CallResult) -> list[str]:
    if result.call_record is None:
        return ["  none came within the time allowed; see ./portgate doctor"]
    shown = {key: value for key, value in result.call_record.items() if key != "rules"}
    return [f"  {key:15} {value}" for key, value in shown.items() if value not in (None, "")]
