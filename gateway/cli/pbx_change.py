"""`portgate pbx add|set|suspend|resume|password|show`; the rules are those of
number_registry.operations.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import json_option, print_json, this_home, this_settings
from gateway.cli.pbx_options import profile_options
from gateway.cli.registry import (
    CHANGES,
    SAME,
    actor,
    applied_json,
    confirm,
    plan_option,
    run,
    show_lines,
    show_warnings,
    yes_option,
)
from gateway.home import Home
from number_registry.operations import pbx_accounts, pbxs, presets
from number_registry.operations.pbx_accounts import Login
from number_registry.operations.pbx_facts import PbxFacts
from number_registry.operations.pbxs import PbxPlan
from number_registry.pbx_profile import Profile, Trust
from number_registry.store.pool import Connection


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _wanted(
    now: PbxFacts,
    file: Path | None,
    preset: str | None,
    addresses: tuple[str, ...],
    sources: tuple[str, ...],
    flags: dict[str, Any],
) -> PbxFacts:
    """What was there, then the preset, the file, the flags, each over those before it."""
    written = presets.from_file(file) if file else presets.Written((), (), {})
    based = presets.preset(preset) if preset else {}
    profile = presets.changed(now.profile, {**based, **written.profile, **_given(flags)})
    addresses = addresses or written.addresses
    sources = sources or written.sources
    if not sources and not addresses and profile.trust is Trust.ADDRESS:
        sources = now.sources  # where addresses change, those that were only their hosts go too
    if not addresses and profile.trust is not Trust.REGISTER:
        addresses = now.addresses
    return replace(now, profile=profile, addresses=addresses, sources=sources)


@click.command("add")
@click.argument("name")
@click.argument("addresses", nargs=-1, metavar="[sip:HOST:PORT]...")
@click.option("--source", "sources", multiple=True, help="A network its calls come from.")
@profile_options
@plan_option
@yes_option
@json_option
def add_pbx(
    name: str,
    addresses: tuple[str, ...],
    sources: tuple[str, ...],
    file: Path | None,
    preset: str | None,
    user: str,
    only_plan: bool,
    yes: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Add a PBX; its addresses are tried in the order given.

    Calls are taken from the hosts of its addresses, or from --source where that is given. With
    --trust digest or register it proves itself by a password instead, which is made here and shown
    this once; one that registers needs no address.

    \b
      ./portgate pbx add cloud sip:192.0.2.10:5060 sip:192.0.2.11:5060 --source 192.0.2.0/28
      ./portgate pbx add shop --preset asterisk --trust register
      ./portgate pbx add office --profile office.toml --plan
    """
    wanted = _wanted(PbxFacts(name), file, preset, addresses, sources, flags)

    async def planned(connection: Connection) -> PbxPlan:
        return pbxs.plan_add(actor(), wanted, await pbxs.read_names(connection), user)

    _do(run(this_home(), planned), only_plan, yes, as_json)


@click.command("set")
@click.argument("name")
@click.option("--address", "addresses", multiple=True, help="In place of its addresses.")
@click.option("--source", "sources", multiple=True, help="In place of its networks.")
@profile_options
@plan_option
@yes_option
@json_option
def set_pbx(
    name: str,
    addresses: tuple[str, ...],
    sources: tuple[str, ...],
    file: Path | None,
    preset: str | None,
    user: str,
    only_plan: bool,
    yes: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Change how a PBX speaks and where it is.

    What is not named stays. New calls notice at once.

    \b
      ./portgate pbx set cloud --did-format national --own-caller-in asserted,from
      ./portgate pbx set cloud --codecs PCMA,PCMU --codec-rule refuse --plan
      ./portgate pbx undo
    """

    async def planned(connection: Connection) -> PbxPlan:
        now = await pbxs.read(connection, name)
        wanted = _wanted(now, file, preset, addresses, sources, flags)
        return pbxs.plan_set(actor(), now, wanted, user)

    _do(run(this_home(), planned), only_plan, yes, as_json)


@click.command("suspend")
@click.argument("name")
@plan_option
@yes_option
@json_option
def suspend_pbx(name: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Send a PBX no more calls.

    Callers of its numbers hear that nobody is there, until `pbx resume`.

    \b
      ./portgate pbx suspend old --plan
    """
    _state(name, "suspended", only_plan, yes, as_json)


@click.command("resume")
@click.argument("name")
@plan_option
@yes_option
@json_option
def resume_pbx(name: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Send a suspended PBX calls again.

    \b
      ./portgate pbx resume old
    """
    _state(name, "in_service", only_plan, yes, as_json)


def _state(name: str, state: str, only_plan: bool, yes: bool, as_json: bool) -> None:
    async def planned(connection: Connection) -> tuple[PbxPlan, int]:
        plan = pbxs.plan_state(actor(), await pbxs.read(connection, name), state)
        return plan, await pbxs.count_numbers(connection, name)

    plan, count = run(this_home(), planned)
    silent = count and state == "suspended"
    warnings = [f"callers of its {count} numbers will reach nobody"] if silent else []
    _do(plan, only_plan, yes, as_json, warnings)


def _do(
    plan: PbxPlan, only_plan: bool, yes: bool, as_json: bool, warnings: Sequence[str] = ()
) -> None:
    nothing = plan.empty and not plan.needs_account
    fields = [{"field": one, "before": was, "after": will} for one, was, will in plan.fields()]
    report = {
        "pbx": plan.after.name,
        "summary": plan.summary,
        "changes": 0 if nothing else 1,
        "fields": fields,
        "warnings": list(warnings),
    }
    if not as_json:
        show_lines([(plan.sign, plan.summary)], 1)
        show_warnings(warnings)
    if only_plan or nothing:
        if as_json:
            print_json({**report, **applied_json(None)})
        sys.exit(SAME if nothing else CHANGES)
    confirm("Do this?", yes)
    home = this_home()
    done = run(home, lambda connection: pbxs.apply(connection, plan))
    if as_json:
        print_json({**report, **applied_json(done.applied), "login": _login_json(done.login)})
        return
    _tell_login(done.login, home)
    click.echo(f"Take it back: ./portgate pbx undo {done.applied.undo}", err=True)


@click.command("password")
@click.argument("name")
@yes_option
@json_option
def new_password(name: str, yes: bool, as_json: bool) -> None:
    """Make a new password for a PBX, and show it this once.

    For one that is trusted by digest or registers.
    The old one ends at once, and there is no way back: set the PBX up with the new one.

    \b
      ./portgate pbx password shop
    """

    async def made(connection: Connection) -> Login:
        now = await pbxs.read(connection, name)
        return await pbx_accounts.renew(connection, actor(), name, now.account)

    confirm(f"End the password of {name} and make a new one?", yes)
    home = this_home()
    login = run(home, made)
    if as_json:
        print_json({"pbx": name, "login": _login_json(login)})
    else:
        _tell_login(login, home)


def _login_json(login: Login | None) -> dict[str, str] | None:
    if login is None:
        return None
    return {"user": login.user, "password": login.password, "realm": login.realm}


def _tell_login(login: Login | None, home: Home) -> None:
    if login is None:
        return
    click.echo(f"user      {login.user}")
    click.echo(f"password  {login.password}")
    click.echo(f"realm     {login.realm}")
    sip = this_settings(home).sip
    click.echo(f"Its SIP server is {sip.advertised_address or sip.address}:{sip.port}.", err=True)
    click.echo("The password is shown this once and stored nowhere.", err=True)


@click.command("show")
@click.argument("name")
@json_option
def show_pbx(name: str, as_json: bool) -> None:
    """Everything known of a PBX: where it is, how it speaks.

    What differs from an ordinary PBX has a star.

    \b
      ./portgate pbx show old
    """
    home = this_home()
    facts = run(home, lambda connection: pbxs.read(connection, name))
    if as_json:
        print_json(facts.as_json())
        return
    told = facts.as_json()
    ordinary = Profile().all()
    profile = told.pop("profile")
    for field, value in told.items():
        _line(field, value)
    for field, value in profile.items():
        _line(field, value, changed=value != ordinary[field])


def _line(field: str, value: object, changed: bool = False) -> None:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value or "-")
    click.echo(f"{field:22}{text or '-'}" + (click.style("  *", fg="yellow") if changed else ""))
