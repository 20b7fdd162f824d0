"""Which carriers' files are at work, and putting changed ones there: HOME/carriers holds a copy of
each, and only what has passed every check is copied.

So a half-written file, or one that a restart would refuse, never takes a carrier away: what was
there goes on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carrier_adapters import loader
from carrier_adapters.contract import Carrier
from gateway.carrier_files import checking
from gateway.carrier_files.checking import Overrides, Report
from number_registry.errors import AdapterError
from number_registry.model import Transport


@dataclass(frozen=True)
class Change:
    """A file that differs from its copy at work: + new, ~ changed, - gone."""

    sign: str
    name: str


@dataclass
class Outcome:
    """What was put to work, and the reports of what was refused."""

    done: list[Change] = field(default_factory=list)
    refused: list[Report] = field(default_factory=list)


def changes(source: Path, at_work: Path) -> list[Change]:
    """By name. `source`: the folder that people edit; `at_work`: the copies the gateway reads."""
    theirs = {path.stem: path.read_bytes() for path in loader.files(source)}
    ours = {path.stem: path.read_bytes() for path in loader.files(at_work)}
    found = [Change("+" if name not in ours else "~", name) for name in theirs
             if theirs[name] != ours.get(name)]  # fmt: skip
    found += [Change("-", name) for name in ours if name not in theirs]
    return sorted(found, key=lambda change: change.name)


def put(
    wanted: Sequence[Change],
    source: Path,
    at_work: Path,
    overrides: Overrides,
    *,
    write: bool = True,
) -> Outcome:
    """Check each changed file and copy those that pass; without `write` only say what would be."""
    outcome = Outcome()
    changed = {change.name for change in wanted}
    standing = {path.stem for path in loader.files(at_work)} - changed
    for change in wanted:
        if change.sign == "-":
            if write:
                (at_work / f"{change.name}.py").unlink()
            outcome.done.append(change)
            continue
        path = source / f"{change.name}.py"
        text = path.read_bytes()
        report = checking.report(source, change.name, overrides, standing)
        if report["ok"]:
            _refuse_foreign_address(report, path, overrides.get(change.name, {}))
            _refuse_clash(report, path, overrides, _without_source(source, at_work, overrides))
        if report["ok"] and path.read_bytes() != text:
            _refuse(report, "", "the file was changed while it was checked", "Apply it again")
        if report["ok"]:
            if write:
                _copy(text, at_work / path.name)
            standing.add(change.name)
            outcome.done.append(change)
        else:
            outcome.refused.append(report)
    return outcome


def _refuse(report: Report, where: str, what: str, mend: str) -> None:
    report["ok"] = False
    finding = {"check": "loads", "where": where, "what": what, "mend": mend, "line": 0}
    report["findings"].append(finding)


def _refuse_foreign_address(report: Report, path: Path, override: Mapping[str, Any]) -> None:
    """One that this machine does not have would be listened on for nothing."""
    for trunk in loader.load_file(path, override).trunks:
        for field_of_ours, address in (
            ("receives_on", trunk.receives_on),
            ("media_on", trunk.media_on),
        ):
            if address and not is_here(address):
                what = f"{field_of_ours} is {address}, which no interface of this machine has"
                mend = "See ./portgate network plan, or `ip address`"
                _refuse(report, f"trunk {trunk.name}", what, mend)


def _without_source(source: Path, at_work: Path, overrides: Overrides) -> dict[str, Any]:
    """Carriers that go on working though people have taken or renamed their files away."""
    theirs = {path.stem for path in loader.files(source)}
    found = loaded(at_work, overrides).items()
    return {name: one for name, one in found if name not in theirs}


def _refuse_clash(
    report: Report, path: Path, overrides: Overrides, others: Mapping[str, Carrier]
) -> None:
    """What SIP workers would refuse: a network that still is another carrier's."""
    try:
        loader.refuse_clash(path, loader.load_file(path, overrides.get(path.stem, {})), others)
    except AdapterError as error:
        gone = " or, where its file is gone: ./portgate carriers apply ITS_NAME takes it away"
        _refuse(report, error.field, error.problem, error.mend + gone)


def is_here(address: str) -> bool:
    """Whether this machine has the address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _copy(text: bytes, target: Path) -> None:
    """Whole or not at all: a SIP worker may look at any moment."""
    beside = target.with_name(f".{target.name}.new")
    with beside.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(target)


def notes(carrier: Carrier) -> list[str]:
    """What a carrier declares that this gateway does not do yet, in words."""
    found = []
    for trunk in carrier.trunks:
        if trunk.serves == "sims":
            found.append(
                f"trunk {trunk.name} brings calls that SIMs make, which are not carried yet: "
                "all but emergency calls and calls to numbers of ours are refused"
            )
    return found


def wants_tls(carrier: Carrier) -> list[str]:
    """What is said of trunks that are called over TLS where TLS is off."""
    return [
        f"trunk {trunk.name} is called over TLS, which is off here: set sip.tls_port = 5061 in "
        "portgate.toml, then ./portgate down and up"
        for trunk in carrier.trunks
        if any(one.address.transport is Transport.TLS for one in trunk.all_gateways())
    ]


def loaded(folder: Path, overrides: Overrides, names: Collection[str] = ()) -> dict[str, Any]:
    """Carriers of a folder by name; of none that cannot be loaded."""
    carriers = loader.load(folder, overrides).carriers if folder.is_dir() else {}
    return {name: one for name, one in carriers.items() if not names or name in names}
