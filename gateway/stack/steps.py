"""What happens once services run: tables, demo company, proof by real calls; each is another's."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway import demo
from gateway.carrier_files import checking, work
from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.settings import Settings, TrunkOverride
from gateway.stack import adapters, announcements, database
from gateway.stack.problems import Problem, StackError
from gateway.stack.report import Report, step
from number_registry.errors import PortgateError
from number_registry.store.migrations import migrate


async def prepare_database(
    home: Home, settings: Settings, ports: InternalPorts, *, seed: bool, report: Report
) -> None:
    """Role, database, migrations; the demo company when it is wanted and the registry is empty."""
    with step(report, "tables"):
        await database.make_database(home)
        try:
            await migrate(home.postgres_dsn)
        except PortgateError as error:
            what = "the tables could not be brought up to date"
            raise StackError(Problem(what, str(error), "")) from error
    if seed and not home.demo.exists():
        with step(report, "demo company"):
            if await demo.seed(home.postgres_dsn, home, settings, ports):
                home.demo.touch()


def with_demo_places(home: Home, settings: Settings, ports: InternalPorts) -> Settings:
    """Settings whose demo carriers live on the demo net, unless the operator has placed them.

    Of a home without the demo company nothing is changed: it may use the same names.
    """
    if not home.demo.exists():
        return settings
    places = msgspec.convert(
        demo.carrier_overrides(ports), type=dict[str, dict[str, TrunkOverride]]
    )
    for carrier, trunks in settings.carriers.overrides.items():
        places[carrier] = {**places.get(carrier, {}), **trunks}
    carriers = msgspec.structs.replace(settings.carriers, overrides=places)
    return msgspec.structs.replace(settings, carriers=carriers)


def make_announcements(home: Home, settings: Settings, report: Report) -> None:
    """What callers hear before a refusal, where the company has put no files of its own."""
    if not settings.media.relay:
        return
    for name in announcements.make(home.announcements, settings.media.announced_in):
        what = f"announcement {name} has tones and no words"
        file = home.announcements / f"{name}.wav"
        mend = f"Install espeak-ng and remove {file}, or put one of your own there"
        report.failed(Problem(what, "espeak-ng did not speak", mend, warning=True))


def bring_carriers(home: Home, settings: Settings, report: Report) -> None:
    """Put carriers' files that have changed to work before Kamailio reads them; of one that does
    not pass its checks, or is gone, what was at work stays: nobody loses a carrier by a slip.
    """
    source = adapters.folder(settings)
    found = work.changes(source, home.carriers)
    for change in found:
        if change.sign == "-":
            mend = f"Bring it back, or take it away: ./portgate carriers apply {change.name}"
            gone = f"{source / change.name}.py is gone"
            report.failed(Problem(gone, "the carrier works on", mend, warning=True))
    wanted = [change for change in found if change.sign != "-"]
    if not wanted:
        return
    overrides = msgspec.to_builtins(settings.carriers.overrides)
    with step(report, "carriers' files"):
        outcome = work.put(wanted, source, home.carriers, overrides)
    for refused in outcome.refused:
        for finding in refused["findings"]:
            what, mend = checking.said(finding, refused["file"])
            not_used = f"{refused['file']} is not put to work"
            report.failed(Problem(not_used, what, mend, warning=True))


async def prove(
    home: Home, settings: Settings, ports: InternalPorts, report: Report
) -> list[dict[str, Any]]:
    """Two real calls with audio. What each showed, for scripts; problems go to the report.

    Nothing, when this is not the demo company or an earlier `up` has proved it.
    """
    if not home.demo.exists() or home.proved.exists():
        return []
    from gateway.cli.call import prove as place  # its endpoints are needed at the first `up` only
    from gateway.endpoints import EndpointError
    from gateway.trial.result import in_words

    mend = "See why: ./portgate doctor, and log/kamailio.log"
    try:
        with step(report, "two real calls"):
            results = await place(home, settings, ports)
    except (EndpointError, PortgateError) as error:
        report.failed(Problem("the two calls could not be placed", str(error), mend))
        return []
    for result in results:
        words = f"{result.dialled}, shown {result.shown_caller}: {in_words(result)}"
        if result.worked:
            report.say(f"  {words}")
        else:
            report.failed(Problem("a call did not work", words, mend))
    told: list[dict[str, Any]] = msgspec.to_builtins(results)
    if all(result.worked for result in results):
        home.proved.write_bytes(msgspec.json.encode(told))
    return told
