"""Runs every check over carriers' files and their captures; a carrier that passes is safe to put to
work.

``python -m carrier_adapters.conformance '{"folder": .., "overrides": .., "name": ..}'`` takes what
``check_folder`` takes and prints the reports as one JSON list: for a process that can be ended from
outside, because a hook may hang in ways that no alarm interrupts.
"""

from __future__ import annotations

import ast
import ipaddress
import json
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from carrier_adapters.contract import Carrier, FarSide, Parties, Trunk
from carrier_adapters.kit import checks, declared
from carrier_adapters.kit.capture import Capture, CaptureError, read_folder
from carrier_adapters.kit.checks import under_watch
from carrier_adapters.kit.report import Check, Finding, Report
from carrier_adapters.kit.watch import watch
from carrier_adapters.loader import Overrides, files, load, load_file
from number_registry.e164 import E164
from number_registry.errors import AdapterError

CAPTURES = "captures"  # beside the carriers' files: captures/NAME/*.sip and *.toml
_CHECKS: tuple[Callable[[Carrier], Check], ...] = (
    checks.reads_hostile_input,
    checks.survives_writing,
    checks.writes_safely,
    checks.rings_sims,
    checks.judges_failures,
    checks.reads_invoices,
    checks.remembers_nothing,
)
_CAPTURE_MEND = "Save an INVITE of theirs as NAME.sip, and what it means as NAME.toml beside it"


def check_folder(
    folder: Path,
    overrides: Overrides | None = None,
    name: str | None = None,
    working: Collection[str] = (),
) -> list[Report]:
    """A report for each carrier's file of a folder, or for the one of this name, by name. Clashes
    are looked for among all, and are the fault of the one that is not in ``working``. In the main
    thread only.
    """
    loaded = load(folder, overrides, _standing(folder, overrides or {}, working))
    # Captures hold the carrier's own addresses, whatever this installation has put in their place.
    as_written = load(folder).carriers
    errors = {error.file: error for error in loaded.errors}
    reports = []
    for path in files(folder):
        if name is not None and path.stem != name:
            continue
        if path.name in errors:
            reports.append(_refused(path, errors[path.name]))
        else:
            carrier = loaded.carriers[path.stem]
            reports.append(check_carrier(carrier, as_written.get(path.stem, carrier), path))
    return reports


def _standing(folder: Path, overrides: Overrides, names: Collection[str]) -> dict[str, Carrier]:
    found = {}
    for path in files(folder):
        if path.stem in names:
            with suppress(AdapterError):  # edited since: what was at work is not in this folder
                found[path.stem] = load_file(path, overrides.get(path.stem, {}))
    return found


def check_carrier(carrier: Carrier, as_written: Carrier, path: Path) -> Report:
    """All checks of a carrier that loads. ``as_written``: the same without local settings."""
    with watch():
        done = list(_until_one_hangs(carrier))
        if not done[-1].hung:
            done.append(captures_mean(as_written, path.parent / CAPTURES / path.stem))
    lines = declared.lines(ast.parse(path.read_bytes()), type(carrier).__mro__[1].__name__)
    for check in done:
        check.findings[:] = [
            replace(found, line=lines.get(found.where, 0)) for found in check.findings
        ]
    return Report(path.stem, path.name, (_loads(), *done))


def _until_one_hangs(carrier: Carrier) -> Iterator[Check]:
    for check in _CHECKS:
        done = check(carrier)
        yield done
        if done.hung:
            return


def _loads() -> Check:
    return Check("loads", 1)


def _refused(path: Path, error: AdapterError) -> Report:
    check = _loads()
    check.findings.append(Finding("loads", error.field, error.problem, error.mend, error.line))
    return Report(path.stem, path.name, (check,))


# -- captures --------------------------------------------------------------------------------------


def captures_mean(carrier: Carrier, folder: Path) -> Check:
    """Each capture is read, or written, as expected; a trunk without one is a failure."""
    check = Check(CAPTURES)
    seen: set[tuple[str, bool]] = set()
    forwarded = False
    for capture in read_folder(folder):
        check.cases += 1
        if isinstance(capture, CaptureError):
            check.wrong(CAPTURES, str(capture), _CAPTURE_MEND)
            continue
        trunk = _trunk(check, carrier, capture)
        if trunk is not None:
            seen.add((trunk.name, capture.incoming))
            forwarded |= bool(capture.expected.get("forwarded"))
            for what in (_read if capture.incoming else _written)(check, carrier, trunk, capture):
                check.wrong(capture.name, what)
    for what in _missing(carrier, seen, forwarded):
        check.wrong(CAPTURES, f"{what} in {CAPTURES}/{carrier.name}/", _CAPTURE_MEND)
    return check


def _missing(carrier: Carrier, seen: set[tuple[str, bool]], forwarded: bool) -> Iterator[str]:
    for trunk in carrier.trunks:
        sends = any(one.direction != "out" for one in trunk.gateways)
        if (trunk.sources or sends) and (trunk.name, True) not in seen:
            yield f"no INVITE of theirs by trunk {trunk.name}"
    takes = any(one.direction != "in" for trunk in carrier.trunks for one in trunk.all_gateways())
    if takes and not any(not incoming for _, incoming in seen):
        yield "no INVITE that they take from us"
    for trunk in carrier.sims_trunks:
        if (trunk.name, False) not in seen:
            yield f"no INVITE to a SIM of ours by trunk {trunk.name}"
    if takes and carrier.diversion and not forwarded:
        yield "diversion is True, and no INVITE that is forwarded = true"


def _trunk(check: Check, carrier: Carrier, capture: Capture) -> Trunk | None:
    name = capture.expected["trunk"]
    for trunk in carrier.trunks:
        if trunk.name == name:
            return trunk
    known = ", ".join(trunk.name for trunk in carrier.trunks)
    check.wrong(capture.name, f"there is no trunk {name!r}", f"known: {known}")
    return None


def _read(check: Check, carrier: Carrier, trunk: Trunk, capture: Capture) -> Iterator[str]:
    expected = capture.expected
    source = expected.get("source", "")
    if source and not _inside(source, trunk):
        yield f"came from {source}, which is in no network of trunk {trunk.name}"
    found = under_watch(check, carrier.parties, capture.invite, trunk)
    if found and isinstance(found[0], Parties):
        called, caller, withheld, _ = found[0]
        number = called.plus if isinstance(called, E164) else called
        for name, is_so in (("called", number), ("caller", caller), ("withheld", withheld)):
            if is_so != expected[name]:
                yield f"{name} is read as {is_so!r}, expected is {expected[name]!r}"


def _inside(source: str, trunk: Trunk) -> bool:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in trunk.networks)


def _written(check: Check, carrier: Carrier, trunk: Trunk, capture: Capture) -> Iterator[str]:
    expected = capture.expected
    shown = E164.maybe(expected["shown"].removeprefix("+"))
    called: str = expected["called"]
    called = (called.startswith("+") and E164.maybe(called[1:])) or called
    if trunk in carrier.sims_trunks and isinstance(called, E164):
        found = under_watch(check, carrier.to_sim, called, expected["shown"], trunk)
    elif shown is None:
        yield f"shown is {expected['shown']!r}, a full number with a plus is expected"
        return
    else:
        found = under_watch(check, carrier.far_side, called, shown, trunk)
    far = found[0] if found else None
    if not isinstance(far, FarSide):
        return  # the other checks have said so
    headers = {name: value.partition("sip:")[2].partition("@")[0] for name, value in far.headers}
    wanted, forwarded = capture.invite, expected.get("forwarded", False)
    diverting = ""
    if shown is not None and forwarded and carrier.diversion:
        diverting = carrier.written(shown, trunk)
    pairs: list[tuple[str, Any, Any]] = [
        ("Request-URI", far.request_user, wanted.request_user),
        ("To", far.to_user, wanted.to_user),
        ("From", far.from_user, capture.from_user),
        ("Diversion", diverting, capture.diverting),
        *(
            (name, headers.get(name, ""), user)
            for name, user in wanted.headers.items()
            if name != "From"
        ),
    ]
    for name, is_so, should in pairs:
        if is_so != should:
            yield f"{name} is written {is_so!r}, the capture has {should!r}"


def main() -> int:
    """For the command line above. Exit status 0 when every carrier passes."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    reports = check_folder(Path(asked.pop("folder")), **asked)
    json.dump([report.plain() for report in reports], sys.stdout)
    return 0 if all(report.ok for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
