"""`portgate explain`: where a call would go, and why, without a call; it decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from gateway.cli.common import json_option, print_json, this_home
from gateway.registered import contacts
from gateway.trial import known, spelling
from gateway.trial.plan import Plan, plan
from gateway.trial.result import Step, kind
from number_registry.call import Drop, Reject, Side, ToPbx


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What would be decided. `status` and `reason` are set for a refusal.

    `read`: what the gateway makes of the sender's INVITE; `shown_caller` and `dialled`: what the
    far side would get; `addresses`: where it would be tried, in order.
    """

    verdict: str
    carrier: str
    pbx: str
    shown_caller: str
    dialled: str
    status: int | None
    reason: str
    addresses: list[str]
    sent: dict[str, str]
    read: dict[str, str]
    headers: list[str]
    trace: list[Step]


def explained(what: Plan, registered: Sequence[str] = ()) -> Explanation:
    """`registered`: where the PBX that is called has registered from; it has no other address."""
    verdict, written = what.verdict, what.written
    refused = verdict if isinstance(verdict, Reject | Drop) else None
    return Explanation(
        verdict=kind(verdict),
        carrier=what.carrier,
        pbx=what.pbx,
        shown_caller=written.from_user if written else "",
        dialled=written.request_user if written else "",
        status=verdict.status if isinstance(verdict, Reject) else None,
        reason=refused.reason if refused else "",
        addresses=[address.uri for address in what.far] or list(registered),
        sent={"Request-URI": what.invite.request_user, **what.invite.headers},
        read={"called": _plus(what.read.called), "caller": what.read.caller},
        headers=[f"{name}: {value}" for name, value in written.headers] if written else [],
        trace=[Step(rule, said) for rule, said in what.trace],
    )


def _plus(called: str) -> str:
    return called.plus if hasattr(called, "plus") else called


@click.command()
@click.argument("to")
@click.option(
    "--from", "sender", required=True, help="An outside number, an extension, or a SIM of ours."
)
@click.option(
    "--lot",
    type=click.IntRange(0, 99),
    default=0,
    help="Where two PBXs share a number: the lot that the call draws, 0 to 99.",
)
@json_option
def explain(to: str, sender: str, lot: int, as_json: bool) -> None:
    """Show where a call would go, and why, without placing it.

    Reads what the running gateway reads; works with the stack down too, on what it last knew.

    \b
      ./portgate explain +74951230000 --from +79161234567
      ./portgate explain 112 --from 101
      ./portgate explain 4711 --from 203
      ./portgate explain '203*4711' --from 102
      ./portgate explain +74951230000 --from +79161234567 --lot 42
    """
    home = this_home()
    try:
        facts = known.load(home)
        what = plan(facts, spelling.read(to), spelling.read(sender), lot)
    except spelling.NotANumberError as error:
        raise click.UsageError(str(error)) from error
    pbx = facts.directory.pbx(what.pbx) if isinstance(what.verdict, ToPbx) else None
    found = contacts(home.snapshot).get(pbx.account.user, []) if pbx and pbx.account else []
    answer = explained(what, [one.uri for one in found])
    if as_json:
        print_json(answer)
        return
    click.echo("\n".join(story(what, answer)))


def story(what: Plan, answer: Explanation) -> list[str]:
    """The explanation for a person."""
    who = "Carrier" if what.peer.side is Side.CARRIER else "PBX"
    sent = ", ".join(f"{name} {user}" for name, user in answer.sent.items())
    lines = [f"{who} {what.peer.name} at {what.source.uri} writes: {sent}"]
    lines.append(f"read as: {answer.read['caller'] or 'withheld'} calls {answer.read['called']}")
    lines += ["", "Decision", *(f"  {step.rule:10} {step.said}" for step in answer.trace), ""]
    if what.written is None:
        lines.append(f"Refused: {answer.status or 'silently'}, {answer.reason}")
        return lines
    where = f"PBX {answer.pbx}" if answer.verdict == "pbx" else f"carrier {answer.carrier}"
    nowhere = "it has registered nowhere, so the caller hears 480"
    lines.append(f"Goes to {where}: {', then '.join(answer.addresses) or nowhere}")
    lines.append(f"which is sent: Request-URI {answer.dialled}, From {answer.shown_caller}")
    lines += [f"  {header}" for header in answer.headers]
    return lines
