"""`portgate transfer` and `portgate ring`: ask the daemon; the work is gateway.desk's."""

from __future__ import annotations

import sys
from typing import Any

import click

from gateway.cli.common import json_option, print_json, this_home
from gateway.desk import socket as desk
from gateway.stack.problems import NotRunning, Problem, StackError

TRANSFER_S, RING_S = 40.0, 200.0
_SAYS = {
    "done": "done: {digits} has arrived",
    "asked": "PBX {pbx} said yes, and {digits} has not arrived: may it dial that?",
    "refused": "refused: {said}",
    "dial": "PBX {pbx} has no interface to ask: the operator dials {digits}",
}


def asked(request: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The daemon's answer. Raises StackError."""
    try:
        return desk.ask(this_home().desk_socket, request, seconds)
    except desk.DeskError as error:
        raise StackError(Problem(f"cannot {request['do']}", error.what, error.mend)) from error
    except desk.DeskGoneError as error:
        problem = Problem("nobody to ask", str(error), "See: ./portgate status")
        raise NotRunning(problem) from error


@click.command()
@click.argument("call")
@click.option("--to", required=True, metavar="EXTENSION", help="The agent's extension.")
@click.option("--deal", default="", metavar="ID", help="The deal that the agent will see.")
@json_option
def transfer(call: str, to: str, deal: str, as_json: bool) -> None:
    """Send the client of a live call to an agent, through the PBX where the operator has them.

    CALL is the call's id, its beginning, or the client's number. The PBX is asked by the interface
    in its profile (`pbx set --transfer`); without one the answer says what the operator dials.
    Exit status 0 when the client's new leg has arrived.

    \b
      ./portgate transfer +79161234567 --to 203 --deal 4711
      ./portgate transfer 5ad1f0c2 --to 203 --deal 4711 --json
    """
    answer = asked({"do": "transfer", "call": call, "to": to, "deal": deal}, TRANSFER_S)
    if as_json:
        print_json(answer)
    else:
        click.echo(_SAYS[answer["result"]].format(**answer))
    sys.exit(0 if answer["result"] == "done" else 1)


_RUNG = {
    "connected": "connected: {extension} talks with the client of {deal}",
    "agent": "{extension} was not reached: {said}",
    "client": "{extension} answered; the client of {deal} was not reached: {said}",
    "dial": "PBX {pbx} cannot be asked to ring anybody: {extension} dials {deal}",
}


@click.command()
@click.argument("extension")
@click.option("--deal", required=True, metavar="ID", help="The deal whose client is rung.")
@click.option("--pbx", default="", metavar="NAME", help="The PBX to ask; else the agent's own.")
@json_option
def ring(extension: str, deal: str, pbx: str, as_json: bool) -> None:
    """Ring an agent, and when they have answered, the client of a deal.

    The agent's PBX places both calls, asked by its manager interface (`pbx set --transfer ami`);
    both cross the gateway as if somebody had dialled them, an agent's SIM included. The agent sees
    the deal, the client the city number. Exit status 0 when both have answered.

    \b
      ./portgate ring 203 --deal 4711
      ./portgate ring 203 --deal 4711 --pbx office --json
    """
    request = {"do": "ring", "extension": extension, "deal": deal, "pbx": pbx}
    answer = asked(request, RING_S)
    if as_json:
        print_json(answer)
    else:
        click.echo(_RUNG[answer["result"]].format(**answer))
    sys.exit(0 if answer["result"] == "connected" else 1)
