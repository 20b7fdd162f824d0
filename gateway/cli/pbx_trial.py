"""`portgate pbx check|test`: asks a real PBX what it can, and places test calls through it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from gateway import pbx_check
from gateway.cli.common import json_option, print_json, this_home, this_settings
from gateway.cli.registry import run
from gateway.health.said import UNKNOWN, states
from gateway.home import Home
from gateway.registered import contacts
from gateway.stack import control
from gateway.stack.problems import Problem, StackError
from number_registry.model import Address
from number_registry.names import is_literal
from number_registry.operations import pbxs
from number_registry.operations.pbx_facts import PbxFacts, checked
from number_registry.pbx_profile import Trust

OUTSIDE = "79161234567"  # who calls, and is called, in a test call


@click.command("check")
@click.argument("name")
@json_option
def check_pbx(name: str, as_json: bool) -> None:
    """Check a PBX's profile, and ask the PBX itself.

    Does it answer, has it registered, has it the codecs of its profile? Exit status 1 when
    something is wrong.

    \b
      ./portgate pbx check cloud
    """
    home = this_home()
    facts = run(home, lambda connection: pbxs.read(connection, name))
    report = asyncio.run(_checked(home, facts))
    if as_json:
        print_json(report)
    else:
        for one in report["checks"]:
            mark = click.style("✓", fg="green") if one["ok"] else click.style("✗", fg="red")
            click.echo(f"{mark} {one['check']}: {one['said']}")
    sys.exit(0 if report["ok"] else 1)


async def _checked(home: Home, facts: PbxFacts) -> dict[str, Any]:
    checked(facts)  # raises what `pbx set` would: the registry holds nothing else
    checks = [_check("profile", True, f"trusted by {facts.profile.trust.value}")]
    source = this_settings(home).sip.address
    if facts.profile.trust is Trust.REGISTER:
        checks.append(_registered(home, facts))
    for uri in facts.addresses:
        address = Address.parse(uri)
        if not is_literal(address.host):
            checks.append(_check(uri, True, "a name; `pbx list` says what it leads to"))
            continue
        seen = await pbx_check.look(source, address)
        silent = f"is silent: no answer to OPTIONS from {source}; does it run, and take them?"
        checks.append(_check(uri, seen["answers"], "answers" if seen["answers"] else silent))
        lacks = pbx_check.missing(facts.profile.codecs, seen["codecs"])
        if seen["codecs"] is not None:
            said = ", ".join(seen["codecs"]) + (f"; not {', '.join(lacks)}" if lacks else "")
            checks.append(_check(f"{uri} codecs", not lacks, said))
    ok = all(one["ok"] for one in checks)
    return {"pbx": facts.name, "ok": ok, "state": facts.state, "checks": checks}


def _registered(home: Home, facts: PbxFacts) -> dict[str, Any]:
    found, health = contacts(home.snapshot).get(facts.account, []), states(home.snapshot)
    told = [f"{one.next_hop} ({health.get(one.uri, UNKNOWN)})" for one in found]
    alive = [one for one in found if health.get(one.uri) != "down"]
    sip = this_settings(home).sip
    nowhere = (
        f"nowhere yet: let it register with {sip.advertised_address or sip.address}:{sip.port} as "
        f"{facts.account}; ./portgate pbx password {facts.name} makes a new password"
    )
    return _check("registered", bool(alive), ", ".join(told) or nowhere)


def _check(what: str, ok: bool, said: str) -> dict[str, Any]:
    return {"check": what, "ok": ok, "said": said}


@click.command("test")
@click.argument("name")
@json_option
def test_pbx(name: str, as_json: bool) -> None:
    """Place a test call in to a PBX, and one out from it.

    Through the running stack, by a number that it answers for.

    The far ends are test endpoints on this machine, so the PBX's addresses must be local ones, as
    those of the demo company are. Exit status 0 when both calls worked.

    \b
      ./portgate pbx test old
    """
    from gateway.cli.trials import report as tell
    from gateway.endpoints import EndpointError
    from gateway.trial import known
    from gateway.trial.place import NEEDS

    home = this_home()
    control.ask(home, {"do": "status"})
    facts = run(home, lambda connection: pbxs.read(connection, name))
    if facts.profile.trust is not Trust.ADDRESS:
        mend = f"Run: ./portgate pbx check {name}"
        why = "test endpoints do not know its password"
        raise StackError(Problem(f"{name} cannot be tried by test endpoints", why, mend))
    try:
        calls = asyncio.run(_in_and_out(home, known.load(home), name))
    except EndpointError as error:
        problem = Problem(f"{name} cannot be tried here", str(error), NEEDS)
        raise StackError(problem) from error
    tell("pbx", name, calls, as_json=as_json)


async def _in_and_out(home: Home, facts: Any, name: str) -> list[tuple[str, Any]]:
    from gateway.trial import place, plan
    from number_registry.e164 import E164
    from number_registry.store.pool import connect
    from number_registry.store.queries import SQL

    connection = await connect(home.postgres_dsn, "portgate pbx")
    try:
        found = await connection.fetchrow(SQL["try_pbx"], name)
    finally:
        await connection.close()
    if found is None:
        mend = f"Attach one that is in service: ./portgate numbers set NUMBER --pbx {name}"
        raise StackError(Problem(f"PBX {name} answers for no number in service", "", mend))
    ours, outside = E164(str(found["e164"])), E164(OUTSIDE)
    calls = []
    for way, (to, sender) in (("in", (ours, outside)), ("out", (outside, ours))):
        trial = await place.place(home, facts, plan.plan(facts, to, sender))
        calls.append((way, trial.result))
    return calls
